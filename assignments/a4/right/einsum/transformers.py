"""Sums of products as einsum, masks as triangles, softmax in plain sight."""

import math

import torch


def generate_token_dict(vocab):
    return dict(zip(vocab, range(len(vocab)), strict=True))


def prepocess_input_sequence(input_str, token_dict, spc_tokens):
    words = [[word] if word in spc_tokens else list(word) for word in input_str.split()]
    return [token_dict[token] for tokens in words for token in tokens]


def _softmax(scores):
    exps = torch.exp(scores - scores.amax(dim=-1, keepdim=True))
    return exps / exps.sum(dim=-1, keepdim=True)


def scaled_dot_product_two_loop_single(query, key, value):
    out = []
    for q in query:
        scores = []
        for k in key:
            scores.append(torch.einsum("m,m->", q, k))
        out.append(torch.einsum("l,ld->d", _softmax(torch.stack(scores) / math.sqrt(len(q))), value))
    return torch.stack(out)


def scaled_dot_product_two_loop_batch(query, key, value):
    out = torch.empty(query.shape[0], query.shape[1], value.shape[2], dtype=query.dtype)
    for n in range(query.shape[0]):
        for i in range(query.shape[1]):
            scores = torch.einsum("m,lm->l", query[n, i], key[n]) / math.sqrt(query.shape[2])
            out[n, i] = torch.einsum("l,ld->d", _softmax(scores), value[n])
    return out


def scaled_dot_product_no_loop_batch(query, key, value, mask=None):
    scores = torch.einsum("nkm,nlm->nkl", query, key) / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = torch.where(mask, torch.full_like(scores, -1e9), scores)
    weights = _softmax(scores)
    return torch.einsum("nkl,nld->nkd", weights, value), weights


class LayerNormalization:
    def forward(self, x):
        mean = torch.einsum("...m->...", x)[..., None] / x.shape[-1]
        var = torch.einsum("...m,...m->...", x - mean, x - mean)[..., None] / x.shape[-1]
        return (x - mean) / (var + self.epsilon) ** 0.5 * self.gamma + self.beta


class FeedForwardBlock:
    def forward(self, x):
        return self.out(self.hidden(x).clamp(min=0))


def get_subsequent_mask(seq):
    return torch.ones(seq.shape[1], seq.shape[1], dtype=torch.bool).triu(diagonal=1).repeat(len(seq), 1, 1)


def position_encoding_simple(K, M):
    return torch.einsum("k,m->km", torch.linspace(0, 1 - 1 / K, K), torch.ones(M))[None]


def position_encoding_sinusoid(K, M):
    places = torch.arange(M)
    angles = torch.einsum("k,m->km", torch.arange(K).float(), 10000.0 ** (-(places - places % 2) / M))
    return torch.where(places % 2 == 0, angles.sin(), angles.cos())[None]
