"""Loops over sequences, heads and places wherever they are allowed."""

import math

import torch


def generate_token_dict(vocab):
    token_dict = {}
    for word in vocab:
        token_dict[word] = len(token_dict)
    return token_dict


def prepocess_input_sequence(input_str, token_dict, spc_tokens):
    out = []
    for word in input_str.split(" "):
        if word in spc_tokens:
            out.append(token_dict[word])
        else:
            for digit in word:
                out.append(token_dict[digit])
    return out


def scaled_dot_product_two_loop_single(query, key, value):
    K, M = query.shape
    scores = torch.zeros(K, key.shape[0], dtype=query.dtype)
    for i in range(K):
        for j in range(key.shape[0]):
            scores[i, j] = (query[i] * key[j]).sum() / math.sqrt(M)
    return torch.softmax(scores, dim=1) @ value


def scaled_dot_product_two_loop_batch(query, key, value):
    N, K, M = query.shape
    y = torch.zeros(N, K, value.shape[2], dtype=query.dtype)
    for n in range(N):
        for i in range(K):
            weights = torch.softmax((key[n] * query[n, i]).sum(dim=1) / M**0.5, dim=0)
            y[n, i] = (weights[:, None] * value[n]).sum(dim=0)
    return y


class MultiHeadAttention:
    def forward(self, query, key, value, mask=None):
        found = []
        for head in self.heads:
            found.append(head(query, key, value, mask))
        return self.out(torch.cat(found, dim=-1))


class LayerNormalization:
    def forward(self, x):
        rows = []
        for row in x.reshape(-1, x.shape[-1]):
            deviation = row - row.mean()
            rows.append(self.gamma * deviation / torch.sqrt((deviation**2).mean() + self.epsilon) + self.beta)
        return torch.stack(rows).view(x.shape)


def get_subsequent_mask(seq):
    N, K = seq.shape
    mask = torch.zeros(N, K, K, dtype=torch.bool)
    for i in range(K):
        for j in range(i + 1, K):
            mask[:, i, j] = True
    return mask


def position_encoding_simple(K, M):
    y = torch.zeros(1, K, M)
    for n in range(K):
        y[0, n, :] = n / K
    return y


def position_encoding_sinusoid(K, M):
    y = torch.zeros(1, K, M)
    for p in range(K):
        for place in range(M):
            angle = p / 10000 ** ((place - place % 2) / M)
            y[0, p, place] = math.cos(angle) if place % 2 else math.sin(angle)
    return y
