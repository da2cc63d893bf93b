"""The right formulas of captioning, made of torch's own cells."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch


def rnn_step(x, h, Wx, Wh, b):
    return torch.rnn_tanh_cell(x, h, Wx.t(), Wh.t(), b, torch.zeros_like(b))


def rnn(x, h, Wx, Wh, b):
    states = []
    for t in range(x.shape[1]):
        h = rnn_step(x[:, t], h, Wx, Wh, b)
        states.append(h)
    return torch.stack(states, 1)


def reordered(W, order="ifog"):
    """The gates of torch's own cell, i, f, g, o, one below the other, from ours, side by side in this order."""
    parts = dict(zip(order, W.chunk(4, dim=-1), strict=True))
    return torch.cat([parts[gate] for gate in "ifgo"], dim=-1).t()


def lstm_step(x, h, c, Wx, Wh, b, order="ifog"):
    b = reordered(b, order)
    return torch.lstm_cell(x, (h, c), reordered(Wx, order), reordered(Wh, order), b, torch.zeros_like(b))


def attention_step(x, h, c, attn, Wx, Wh, Wattn, b, order="ifog"):
    """Attention is a second input."""
    return lstm_step(torch.cat([x, attn], 1), h, c, torch.cat([Wx, Wattn]), Wh, b, order)


def lstm(x, h0, Wx, Wh, b):
    h, c, states = h0, torch.zeros_like(h0), []
    for t in range(x.shape[1]):
        h, c = lstm_step(x[:, t], h, c, Wx, Wh, b)
        states.append(h)
    return torch.stack(states, 1)


def attention(h, A):
    cells = A.flatten(2).transpose(1, 2)  # (N, 16, H)
    weights = (cells @ h.unsqueeze(2) / math.sqrt(h.shape[1])).softmax(1)
    return (weights * cells).sum(1), weights.view(len(A), *A.shape[2:])


def attention_lstm(x, A, Wx, Wh, Wattn, b):
    h = c = A.mean((2, 3))
    states = []
    for t in range(x.shape[1]):
        h, c = attention_step(x[:, t], h, c, attention(h, A)[0], Wx, Wh, Wattn, b)
        states.append(h)
    return torch.stack(states, 1)


def temporal_loss(x, y, ignore_index=None):
    total = torch.zeros((), dtype=x.dtype)
    for scores, words in zip(x, y, strict=True):
        for score, word in zip(scores, words.tolist(), strict=True):
            if word != ignore_index:
                total = total + torch.logsumexp(score, 0) - score[word]
    return total / len(x)


STEPS = {"LSTM": lstm_step, "AttentionLSTM": attention_step}
SEQUENCES = {"LSTM": lstm, "AttentionLSTM": attention_lstm}


def copies(values: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    return [value.clone() for value in values]


def differentiated(f, inputs, douts):
    """Outputs and gradients of a right formula."""
    leaves = [x.detach().clone().requires_grad_(x.is_floating_point()) for x in inputs]
    found = f(*leaves)
    outputs = found if isinstance(found, tuple) else (found,)
    wanted = [x for x in leaves if x.requires_grad]
    return torch.autograd.grad(outputs[: len(douts)], wanted, douts)
