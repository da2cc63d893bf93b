"""Divided before or after, added before or after: the same sums in another order."""

import math

import torch


def generate_token_dict(vocab):
    return {vocab[i]: i for i in range(len(vocab))}


def prepocess_input_sequence(input_str, token_dict, spc_tokens):
    return [token_dict[t] for word in input_str.split() for t in ((word,) if word in spc_tokens else word)]


def scaled_dot_product_two_loop_single(query, key, value):
    y = torch.zeros(query.shape[0], value.shape[1], dtype=value.dtype)
    for i, q in enumerate(query / math.sqrt(query.shape[1])):
        scores = torch.empty(len(key), dtype=query.dtype)
        for j, k in enumerate(key):
            scores[j] = q @ k
        y[i] = value.T @ torch.exp(scores - torch.logsumexp(scores, dim=0))
    return y


def scaled_dot_product_two_loop_batch(query, key, value):
    y = []
    for q, k, v in zip(query, key / math.sqrt(key.shape[2]), value, strict=True):
        rows = []
        for row in q:
            rows.append((k @ row).softmax(dim=0) @ v)
        y.append(torch.stack(rows))
    return torch.stack(y)


def scaled_dot_product_no_loop_batch(query, key, value, mask=None):
    scores = torch.bmm(query, key.transpose(1, 2)).div(query.shape[-1] ** 0.5)
    if mask is not None:
        scores[mask] = -1e9
    weights = torch.nn.functional.softmax(scores, dim=2)
    return weights.bmm(value), weights


class MultiHeadAttention:
    def forward(self, query, key, value, mask=None):
        D = self.out.in_features // len(self.heads)
        parts = self.out.weight.split(D, dim=1)
        found = [head(query, key, value, mask=mask) @ W.T for head, W in zip(self.heads, parts, strict=True)]
        return sum(found) + self.out.bias


class LayerNormalization:
    def forward(self, x):
        x = x - torch.mean(x, -1, keepdim=True)
        std = torch.sqrt(torch.mean(x * x, -1, keepdim=True) + self.epsilon)
        return torch.div(x, std).mul(self.gamma).add(self.beta)


class FeedForwardBlock:
    def forward(self, x):
        return self.out(torch.maximum(self.hidden(x), torch.zeros(())))


def get_subsequent_mask(seq):
    K = seq.shape[1]
    mask = torch.logical_not(torch.tril(torch.ones((K, K))))
    return mask.unsqueeze(0).expand(seq.shape[0], -1, -1)


def position_encoding_simple(K, M):
    return torch.arange(0, K).reshape(1, K, 1).expand(1, K, M).float() / K


def position_encoding_sinusoid(K, M):
    rates = torch.exp(-math.log(10000.0) * torch.arange(0, M, 2) / M)
    angles = torch.arange(K).unsqueeze(1) * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).reshape(K, -1)[:, :M].unsqueeze(0)
