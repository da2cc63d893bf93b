"""A Transformer in another style: other names of parameters, functional forms, einsum, torch.where."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def generate_token_dict(vocab):
    token_dict = {}
    for i in range(len(vocab)):
        token_dict[vocab[i]] = i
    return token_dict


def prepocess_input_sequence(input_str, token_dict, spc_tokens):
    out = []
    for part in input_str.split(" "):
        if part in spc_tokens:
            out.append(token_dict[part])
        else:
            for digit in part:
                out.append(token_dict[digit])
    return out


def scaled_dot_product_two_loop_single(query, key, value):
    K, M = query.shape
    scores = torch.zeros(K, K, dtype=query.dtype)
    i = 0
    while i < K:
        for j, k in enumerate(key):
            scores[i, j] = (query[i] * k).sum() / M**0.5
        i += 1
    return torch.softmax(scores, dim=1).mm(value)


def scaled_dot_product_two_loop_batch(query, key, value):
    M = query.shape[2]
    return torch.stack(
        [
            torch.stack([torch.softmax(q @ keys.T / math.sqrt(M), -1) @ values for q in queries])
            for queries, keys, values in zip(query, key, value, strict=True)
        ]
    )


def scaled_dot_product_no_loop_batch(query, key, value, mask=None):
    scores = torch.einsum("nkm,nlm->nkl", query, key) / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = torch.where(mask, torch.tensor(-1e9, dtype=scores.dtype), scores)
    e = torch.exp(scores - scores.max(dim=-1, keepdim=True).values)
    weights = e / e.sum(dim=-1, keepdim=True)
    return torch.einsum("nkl,nld->nkd", weights, value), weights


class SelfAttention(nn.Module):
    def __init__(self, dim_in, dim_q, dim_v):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(dim_in, dim_q), nn.Linear(dim_in, dim_q), nn.Linear(dim_in, dim_v)
        self.weights_softmax = None
        for layer in (self.q, self.k, self.v):
            nn.init.xavier_uniform_(layer.weight)

    def forward(self, query, key, value, mask=None):
        y, self.weights_softmax = scaled_dot_product_no_loop_batch(self.q(query), self.k(key), self.v(value), mask=mask)
        return y


class MultiHeadAttention(nn.Module):
    def __init__(self, num_heads, dim_in, dim_out):
        super().__init__()
        self.names = []
        for h in range(num_heads):
            setattr(self, f"eye{h}", SelfAttention(dim_in, dim_out, dim_out))
            self.names.append(f"eye{h}")
        self.mix = nn.Linear(num_heads * dim_out, dim_in)
        nn.init.xavier_uniform_(self.mix.weight)

    def forward(self, query, key, value, mask=None):
        seen = [getattr(self, name)(query, key, value, mask) for name in self.names]
        return F.linear(torch.cat(seen, dim=2), self.mix.weight, self.mix.bias)


class LayerNormalization(nn.Module):
    def __init__(self, emb_dim, epsilon=1e-10):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(emb_dim))
        self.scale = nn.Parameter(torch.ones(emb_dim))
        self.epsilon = epsilon

    def forward(self, x):
        mean = torch.mean(x, -1, keepdim=True)
        var = torch.var(x, -1, unbiased=False, keepdim=True)
        return (x - mean) / torch.sqrt(var + self.epsilon) * self.scale + self.shift


class FeedForwardBlock(nn.Module):
    def __init__(self, inp_dim, hidden_dim_feedforward):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(inp_dim, hidden_dim_feedforward), nn.ReLU(), nn.Linear(hidden_dim_feedforward, inp_dim)
        )
        for layer in self.layers[::2]:
            nn.init.xavier_uniform_(layer.weight)

    def forward(self, x):
        return self.layers(x)


class EncoderBlock(nn.Module):
    def __init__(self, num_heads, emb_dim, feedforward_dim, dropout):
        super().__init__()
        if emb_dim % num_heads:
            raise ValueError("emb_dim is no multiple of num_heads")
        self.MultiHeadBlock = MultiHeadAttention(num_heads, emb_dim, emb_dim // num_heads)
        self.norms = nn.ModuleList([LayerNormalization(emb_dim), LayerNormalization(emb_dim)])
        self.ffn = FeedForwardBlock(emb_dim, feedforward_dim)
        self.p = dropout

    def forward(self, x):
        x = self.norms[0](x + self.MultiHeadBlock(x, x, x))
        x = F.dropout(x, self.p, self.training)
        x = self.norms[1](x + self.ffn(x))
        return F.dropout(x, self.p, self.training)


def get_subsequent_mask(seq):
    N, K = seq.shape
    return torch.triu(torch.ones((1, K, K), dtype=torch.bool), diagonal=1).repeat(N, 1, 1)


class DecoderBlock(nn.Module):
    def __init__(self, num_heads, emb_dim, feedforward_dim, dropout):
        super().__init__()
        if emb_dim % num_heads != 0:
            raise ValueError("emb_dim is no multiple of num_heads")
        size = emb_dim // num_heads
        self.norm1, self.norm2, self.norm3 = (LayerNormalization(emb_dim) for _ in range(3))
        self.feed_forward = FeedForwardBlock(emb_dim, feedforward_dim)
        self.attention_cross = MultiHeadAttention(num_heads, emb_dim, size)
        self.attention_self = MultiHeadAttention(num_heads, emb_dim, size)
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, dec_inp, enc_inp, mask=None):
        out = self.attention_self(dec_inp, dec_inp, dec_inp, mask)
        first = self.dropout(self.norm1(out + dec_inp))
        out = self.attention_cross(first, enc_inp, enc_inp)
        second = self.dropout(self.norm2(out + first))
        return self.dropout(self.norm3(self.feed_forward(second) + second))


class Encoder(nn.Module):
    def __init__(self, num_heads, emb_dim, feedforward_dim, num_layers, dropout):
        super().__init__()
        self.layers = nn.ModuleList(
            [EncoderBlock(num_heads, emb_dim, feedforward_dim, dropout) for _ in range(num_layers)]
        )

    def forward(self, src_seq):
        for layer in self.layers:
            src_seq = layer(src_seq)
        return src_seq


class Decoder(nn.Module):
    def __init__(self, num_heads, emb_dim, feedforward_dim, num_layers, dropout, vocab_len):
        super().__init__()
        self.layers = nn.ModuleList(
            [DecoderBlock(num_heads, emb_dim, feedforward_dim, dropout) for _ in range(num_layers)]
        )
        self.proj_to_vocab = nn.Linear(emb_dim, vocab_len)

    def forward(self, target_seq, enc_out, mask):
        out = target_seq
        for layer in self.layers:
            out = layer(out, enc_out, mask)
        return self.proj_to_vocab(out)


def position_encoding_simple(K, M):
    y = torch.zeros(1, K, M)
    for n in range(K):
        y[0, n, :] = n / K
    return y


def position_encoding_sinusoid(K, M):
    y = torch.zeros(1, K, M)
    for p in range(K):
        for j in range(M):
            angle = p / 10000 ** (math.floor(2 * (j // 2) / M))
            y[0, p, j] = math.cos(angle) if j % 2 else math.sin(angle)
    return y


class Transformer(nn.Module):
    def __init__(self, num_heads, emb_dim, feedforward_dim, dropout, num_enc_layers, num_dec_layers, vocab_len):
        super().__init__()
        self.emb_layer = nn.Embedding(vocab_len, emb_dim)
        self.encoder = Encoder(num_heads, emb_dim, feedforward_dim, num_enc_layers, dropout)
        self.decoder = Decoder(num_heads, emb_dim, feedforward_dim, num_dec_layers, dropout, vocab_len)

    def forward(self, ques_b, ques_pos, ans_b, ans_pos):
        q_emb_inp = self.emb_layer(ques_b) + ques_pos
        a_emb_inp = self.emb_layer(ans_b[:, :-1]) + ans_pos[:, :-1]
        scores = self.decoder(a_emb_inp, self.encoder(q_emb_inp), get_subsequent_mask(ans_b[:, :-1]))
        return scores.reshape(-1, scores.shape[2])
