"""A captioning file in the form of 2020: functions for all recurrent layers, features in the place of images."""

import math

import torch
from torch import nn
from torch.nn import functional as F


def rnn_step_forward(x, prev_h, Wx, Wh, b):
    next_h = (x @ Wx + prev_h @ Wh + b).tanh()
    return next_h, (x, prev_h, Wx, Wh, next_h)


def rnn_step_backward(dnext_h, cache):
    x, prev_h, Wx, Wh, next_h = cache
    da = dnext_h * (1 - next_h**2)
    return da.mm(Wx.t()), da.mm(Wh.t()), x.t().mm(da), prev_h.t().mm(da), da.sum(0)


def rnn_forward(x, h0, Wx, Wh, b):
    h, out, cache = h0, [], []
    for t in range(x.shape[1]):
        h, step = rnn_step_forward(x[:, t], h, Wx, Wh, b)
        out.append(h)
        cache.append(step)
    return torch.stack(out, dim=1), cache


def rnn_backward(dh, cache):
    dprev, dxs, dWx, dWh, db = 0, [], 0, 0, 0
    for t in reversed(range(dh.shape[1])):
        dx, dprev, *more = rnn_step_backward(dh[:, t] + dprev, cache[t])
        dxs.insert(0, dx)
        dWx, dWh, db = dWx + more[0], dWh + more[1], db + more[2]
    return torch.stack(dxs, dim=1), dprev, dWx, dWh, db


class WordEmbedding(nn.Module):
    def __init__(self, vocab_size, embed_size, device="cpu", dtype=torch.float32):
        super().__init__()
        self.W_embed = nn.Parameter(torch.randn(vocab_size, embed_size, device=device, dtype=dtype))

    def forward(self, x):
        return self.W_embed[x]


def temporal_softmax_loss(x, y, ignore_index=-100):
    kept = -100 if ignore_index is None else ignore_index
    return F.cross_entropy(x.transpose(1, 2), y, ignore_index=kept, reduction="sum") / x.shape[0]


def lstm_step_forward(x, prev_h, prev_c, Wx, Wh, b, attn=None, Wattn=None):
    a = x @ Wx + prev_h @ Wh + b
    if attn is not None:
        a = a + attn @ Wattn
    i, f, o, g = a.split(prev_h.shape[1], dim=1)
    next_c = torch.sigmoid(f) * prev_c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(next_c), next_c


def lstm_forward(x, h0, Wx, Wh, b):
    h, c, out = h0, torch.zeros_like(h0), []
    for t in range(x.shape[1]):
        h, c = lstm_step_forward(x[:, t], h, c, Wx, Wh, b)
        out.append(h)
    return torch.stack(out, dim=1)


def dot_product_attention(prev_h, A):
    N, H, K, _ = A.shape
    cells = A.view(N, H, -1)
    weights = F.softmax(torch.bmm(prev_h.view(N, 1, H), cells) / math.sqrt(H), dim=2)
    return torch.bmm(cells, weights.transpose(1, 2)).squeeze(2), weights.view(N, K, K)


def attention_forward(x, A, Wx, Wh, Wattn, b):
    h = c = A.mean(dim=(2, 3))
    out = []
    for t in range(x.shape[1]):
        attn, _ = dot_product_attention(h, A)
        h, c = lstm_step_forward(x[:, t], h, c, Wx, Wh, b, attn, Wattn)
        out.append(h)
    return torch.stack(out, dim=1)


class CaptioningRNN(nn.Module):
    def __init__(
        self, word_to_idx, input_dim=512, wordvec_dim=128, hidden_dim=128, cell_type="rnn", device="cpu",
        ignore_index=None, dtype=torch.float32,
    ):  # fmt: skip
        super().__init__()
        if cell_type not in {"rnn", "lstm", "attention"}:
            raise ValueError(f'Invalid cell_type "{cell_type}"')
        self.cell_type, self.ignore_index = cell_type, ignore_index
        self._start, self._null = word_to_idx.get("<START>"), word_to_idx["<NULL>"]
        V, H, how = len(word_to_idx), hidden_dim, {"device": device, "dtype": dtype}
        G = H if cell_type == "rnn" else 4 * H
        self.embed = WordEmbedding(V, wordvec_dim, **how)
        self.Wx = nn.Parameter(torch.randn(wordvec_dim, G, **how) / math.sqrt(wordvec_dim))
        self.Wh = nn.Parameter(torch.randn(H, G, **how) / math.sqrt(H))
        if cell_type == "attention":
            self.Wattn = nn.Parameter(torch.randn(H, G, **how) / math.sqrt(H))
        self.b = nn.Parameter(torch.zeros(G, **how))
        self.to_hidden = nn.Conv2d(input_dim, H, 1) if cell_type == "attention" else nn.Linear(input_dim, H)
        self.to_words = nn.Linear(H, V)
        self.to(**how)

    def forward(self, features, captions):
        x, start = self.embed(captions[:, :-1]), self.to_hidden(features)
        if self.cell_type == "rnn":
            h, _ = rnn_forward(x, start, self.Wx, self.Wh, self.b)
        elif self.cell_type == "lstm":
            h = lstm_forward(x, start, self.Wx, self.Wh, self.b)
        else:
            h = attention_forward(x, start, self.Wx, self.Wh, self.Wattn, self.b)
        return temporal_softmax_loss(self.to_words(h), captions[:, 1:], ignore_index=self.ignore_index)

    def sample(self, features, max_length=15):
        N = features.shape[0]
        captions = torch.full((N, max_length), self._null, dtype=torch.long)
        start = self.to_hidden(features)
        A, h = start, start.mean(dim=(2, 3)) if self.cell_type == "attention" else start
        c = h if self.cell_type == "attention" else torch.zeros_like(h)
        looks = torch.zeros(N, max_length, 4, 4)
        word = torch.full((N,), self._start, dtype=torch.long)
        for t in range(max_length):
            x = self.embed(word)
            if self.cell_type == "rnn":
                h, _ = rnn_step_forward(x, h, self.Wx, self.Wh, self.b)
            elif self.cell_type == "lstm":
                h, c = lstm_step_forward(x, h, c, self.Wx, self.Wh, self.b)
            else:
                attn, looks[:, t] = dot_product_attention(h, A)
                h, c = lstm_step_forward(x, h, c, self.Wx, self.Wh, self.b, attn, self.Wattn)
            word = captions[:, t] = self.to_words(h).argmax(dim=1)
        return (captions, looks) if self.cell_type == "attention" else captions
