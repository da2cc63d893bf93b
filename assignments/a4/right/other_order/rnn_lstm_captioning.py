"""Weights side by side in one matrix, states in the outer dimension, loops turned round; losses from probabilities."""

import torch
from torch import nn


def rnn_step_forward(x, prev_h, Wx, Wh, b):
    both, W = torch.cat([x, prev_h], dim=1), torch.cat([Wx, Wh], dim=0)
    next_h = torch.addmm(b, both, W).tanh()
    return next_h, (both, W, next_h, x.shape[1])


def rnn_step_backward(dnext_h, cache):
    both, W, next_h, D = cache
    da = (1 + next_h) * (1 - next_h) * dnext_h
    dboth, dW = da @ W.T, both.T @ da
    return dboth[:, :D], dboth[:, D:], dW[:D], dW[D:], torch.ones(len(da), dtype=da.dtype) @ da


def rnn_forward(x, h0, Wx, Wh, b):
    steps = []
    for x_t in x.transpose(0, 1):
        steps.append(rnn_step_forward(x_t, steps[-1][0] if steps else h0, Wx, Wh, b))
    return torch.stack([h for h, _ in steps]).transpose(0, 1), [cache for _, cache in steps]


def rnn_backward(dh, cache):
    found, dprev = [], 0
    for dh_t, step in zip(reversed(dh.unbind(dim=1)), reversed(cache), strict=True):
        gradients = rnn_step_backward(dh_t + dprev, step)
        dprev = gradients[1]
        found.append(gradients)
    dxs, _, dWx, dWh, db = zip(*found, strict=True)
    return torch.stack(dxs[::-1], dim=1), dprev, sum(dWx), sum(dWh), sum(db)


class WordEmbedding:
    def forward(self, x):
        return nn.functional.embedding(x, self.W_embed)


def temporal_softmax_loss(x, y, ignore_index=None):
    flat, words = x.flatten(0, 1), y.flatten()
    losses = -flat.log_softmax(dim=-1)[torch.arange(len(words)), words]
    if ignore_index is not None:
        losses = losses[words != ignore_index]
    return losses.sum() / y.shape[0]


class LSTM:
    def step_forward(self, x, prev_h, prev_c):
        a = torch.cat([x, prev_h], dim=1) @ torch.cat([self.Wx, self.Wh]) + self.b
        H = a.shape[1] // 4
        sigma = torch.sigmoid(a[:, : 3 * H])
        next_c = torch.addcmul(sigma[:, :H] * torch.tanh(a[:, 3 * H :]), sigma[:, H : 2 * H], prev_c)
        return sigma[:, 2 * H :] * torch.tanh(next_c), next_c

    def forward(self, x, h0):
        h = x.new_empty(x.shape[1], len(x), h0.shape[1])
        state = h0, torch.zeros_like(h0)
        out = []
        for t in range(len(h)):
            state = self.step_forward(x[:, t], *state)
            out.append(state[0])
        return torch.stack(out).permute(1, 0, 2)


def dot_product_attention(prev_h, A):
    N, H, K, L = A.shape
    cells = A.permute(0, 2, 3, 1).reshape(N, K * L, H)
    weights = torch.softmax(cells @ prev_h[:, :, None] * H**-0.5, dim=1)  # (N, K L, 1)
    return (cells * weights).sum(dim=1), weights.view(N, K, L)


class AttentionLSTM:
    def forward(self, x, A):
        h = c = A.flatten(2).mean(dim=2)
        states = []
        for x_t in x.unbind(dim=1):
            h, c = self.step_forward(x_t, h, c, dot_product_attention(h, A)[0])
            states.append(h)
        return torch.stack(states, dim=1)
