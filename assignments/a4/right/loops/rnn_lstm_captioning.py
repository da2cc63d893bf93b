"""Caption by caption and step by step; states are written into tensors that were made for them."""

import math

import torch
from torch.nn import functional as F


def rnn_step_forward(x, prev_h, Wx, Wh, b):
    rows = [torch.tanh(x[n].matmul(Wx) + prev_h[n].matmul(Wh) + b) for n in range(len(x))]
    next_h = torch.stack(rows)
    return next_h, {"x": x, "prev_h": prev_h, "Wx": Wx, "Wh": Wh, "next_h": next_h}


def rnn_step_backward(dnext_h, cache):
    x, prev_h, Wx, Wh, next_h = (cache[name] for name in ("x", "prev_h", "Wx", "Wh", "next_h"))
    da = dnext_h * (1 - next_h**2)
    dWx, dWh = torch.zeros_like(Wx), torch.zeros_like(Wh)
    for n in range(len(x)):
        dWx += torch.outer(x[n], da[n])
        dWh += torch.outer(prev_h[n], da[n])
    return da.mm(Wx.T), da.mm(Wh.T), dWx, dWh, da.sum(0)


def rnn_forward(x, h0, Wx, Wh, b):
    N, T, _ = x.shape
    h = torch.zeros(N, T, h0.shape[1], dtype=h0.dtype, device=h0.device)
    state, caches = h0, []
    for t in range(T):
        state, cache = rnn_step_forward(x[:, t], state, Wx, Wh, b)
        h[:, t] = state
        caches.append(cache)
    return h, caches


def rnn_backward(dh, cache):
    N, T, H = dh.shape
    first = cache[0]
    dx = torch.zeros(N, T, first["x"].shape[1], dtype=dh.dtype, device=dh.device)
    dprev = torch.zeros(N, H, dtype=dh.dtype, device=dh.device)
    dWx, dWh, db = torch.zeros_like(first["Wx"]), torch.zeros_like(first["Wh"]), torch.zeros_like(dprev[0])
    for t in range(T - 1, -1, -1):
        dx[:, t], dprev, one, two, three = rnn_step_backward(dh[:, t] + dprev, cache[t])
        dWx += one
        dWh += two
        db += three
    return dx, dprev, dWx, dWh, db


class WordEmbedding:
    def forward(self, x):
        rows = [self.W_embed[int(word)] for word in x.flatten()]
        return torch.stack(rows).view(*x.shape, -1)


def temporal_softmax_loss(x, y, ignore_index=None):
    loss = 0.0 * x.sum()
    for n in range(y.shape[0]):
        for t in range(y.shape[1]):
            if ignore_index is None or int(y[n, t]) != ignore_index:
                loss = loss - x[n, t].log_softmax(dim=0)[y[n, t]]
    return loss / y.shape[0]


class LSTM:
    def step_forward(self, x, prev_h, prev_c):
        H = prev_h.shape[1]
        a = x.mm(self.Wx) + prev_h.mm(self.Wh) + self.b
        i, f = torch.sigmoid(a[:, :H]), torch.sigmoid(a[:, H : 2 * H])
        o, g = torch.sigmoid(a[:, 2 * H : 3 * H]), torch.tanh(a[:, 3 * H :])
        next_c = f * prev_c + i * g
        return o * torch.tanh(next_c), next_c

    def forward(self, x, h0):
        h, c, states = h0, torch.zeros_like(h0), []
        for t in range(x.shape[1]):
            h, c = self.step_forward(x[:, t], h, c)
            states.append(h[:, None])
        return torch.cat(states, dim=1)


def dot_product_attention(prev_h, A):
    N, H, K, L = A.shape
    attn, weights = [], []
    for n in range(N):
        scores = (prev_h[n][:, None, None] * A[n]).sum(dim=0) / math.sqrt(H)
        weights.append(F.softmax(scores.flatten(), dim=0).view(K, L))
        attn.append((A[n] * weights[-1]).sum(dim=(1, 2)))
    return torch.stack(attn), torch.stack(weights)


class AttentionLSTM:
    def step_forward(self, x, prev_h, prev_c, attn):
        a = x.mm(self.Wx) + prev_h.mm(self.Wh) + attn.mm(self.Wattn) + self.b
        i, f, o, g = torch.split(a, prev_h.shape[1], dim=1)
        next_c = torch.sigmoid(f) * prev_c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(next_c), next_c

    def forward(self, x, A):
        h = A.mean(dim=(2, 3))
        c = h.clone()
        states = []
        for t in range(x.shape[1]):
            attn, _ = dot_product_attention(h, A)
            h, c = self.step_forward(x[:, t], h, c, attn)
            states.append(h)
        return torch.stack(states, dim=1)
