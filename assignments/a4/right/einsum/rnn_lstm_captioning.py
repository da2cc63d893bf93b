"""Sums of products as einsum; gradients of all steps are collected and multiplied at the end."""

import torch
from torch.nn import functional as F


def rnn_step_forward(x, prev_h, Wx, Wh, b):
    next_h = torch.tanh(torch.einsum("nd,dh->nh", x, Wx) + torch.einsum("ng,gh->nh", prev_h, Wh) + b)
    return next_h, [x, prev_h, Wx, Wh, next_h]


def rnn_step_backward(dnext_h, cache):
    x, prev_h, Wx, Wh, next_h = cache
    da = dnext_h - dnext_h * next_h.square()
    return (
        torch.einsum("nh,dh->nd", da, Wx),
        torch.einsum("nh,gh->ng", da, Wh),
        torch.einsum("nd,nh->dh", x, da),
        torch.einsum("ng,nh->gh", prev_h, da),
        torch.einsum("nh->h", da),
    )


def rnn_forward(x, h0, Wx, Wh, b):
    a, states = torch.einsum("ntd,dh->nth", x, Wx) + b, [h0]
    for t in range(x.shape[1]):
        states.append(torch.tanh(a[:, t] + torch.einsum("ng,gh->nh", states[-1], Wh)))
    return torch.stack(states[1:], dim=1), (x, torch.stack(states, dim=1), Wx, Wh)


def rnn_backward(dh, cache):
    x, states, Wx, Wh = cache
    das, carried = [], torch.zeros_like(states[:, 0])
    for t in range(dh.shape[1] - 1, -1, -1):
        das.append((dh[:, t] + carried) * (1 - states[:, t + 1] ** 2))
        carried = torch.einsum("nh,gh->ng", das[-1], Wh)
    da = torch.stack(das[::-1], dim=1)
    dWx, dWh = torch.einsum("ntd,nth->dh", x, da), torch.einsum("ntg,nth->gh", states[:, :-1], da)
    return torch.einsum("nth,dh->ntd", da, Wx), carried, dWx, dWh, torch.einsum("nth->h", da)


class WordEmbedding:
    def forward(self, x):
        return torch.einsum("...v,vd->...d", F.one_hot(x, len(self.W_embed)).to(self.W_embed.dtype), self.W_embed)


def temporal_softmax_loss(x, y, ignore_index=None):
    log_p = x - torch.logsumexp(x, dim=2, keepdim=True)
    counts = torch.ones_like(y) if ignore_index is None else (y != ignore_index)
    return -torch.einsum("nt,nt->", log_p.gather(2, y[:, :, None])[:, :, 0], counts.to(x.dtype)) / len(x)


class LSTM:
    def step_forward(self, x, prev_h, prev_c):
        a = torch.einsum("nd,dg->ng", x, self.Wx) + torch.einsum("nh,hg->ng", prev_h, self.Wh) + self.b
        a = a.view(len(x), 4, -1)
        gates, g = a[:, :3].sigmoid(), a[:, 3].tanh()
        next_c = gates[:, 1] * prev_c + gates[:, 0] * g
        return gates[:, 2] * next_c.tanh(), next_c


def dot_product_attention(prev_h, A):
    scores = torch.einsum("nh,nhpq->npq", prev_h, A) / A.shape[1] ** 0.5
    weights = scores.flatten(1).softmax(dim=1).view_as(scores)
    return torch.einsum("nhpq,npq->nh", A, weights), weights


class AttentionLSTM:
    def step_forward(self, x, prev_h, prev_c, attn):
        W = torch.cat([self.Wx, self.Wh, self.Wattn])
        a = torch.einsum("nd,dg->ng", torch.cat([x, prev_h, attn], dim=1), W) + self.b
        i, f, o, g = a.unflatten(1, (4, -1)).unbind(dim=1)
        next_c = f.sigmoid() * prev_c + i.sigmoid() * g.tanh()
        return o.sigmoid() * next_c.tanh(), next_c
