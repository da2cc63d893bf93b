"""The Transformer: sequence to sequence with attention alone.

Attention compares every query with all keys and returns the mean of the values, weighted by how well their keys fit.
Everything else puts this one operation to work: several heads look for several things at once, residual connections
and layer normalisation let blocks be stacked, a mask keeps the decoder from seeing what it has yet to say, and position
encodings tell tokens apart that stand in different places. Gradients come from autograd.
Source: Vaswani et al., Attention Is All You Need (NeurIPS 2017).

Letters: N sequences of K tokens (O in the answer), M numbers for each token, V words in the vocabulary.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

EXCLUDED = -1e9  # the score of a key that a mask excludes: its softmax is 0


# ---- words and numbers ---------------------------------------------------------------------------------------------


def generate_token_dict(vocab):
    """The list of words -> {word: its place in the list}."""
    # [task] Number the words of vocab from 0, in their order.
    return {word: number for number, word in enumerate(vocab)}
    # [end]


def prepocess_input_sequence(input_str, token_dict, spc_tokens):
    """An expression -> the list of its tokens' numbers.

    input_str: words with spaces between them, such as "BOS POSITIVE 33 add NEGATIVE 09 EOS". A word of spc_tokens is
    one token; any other is a number, each digit of which is a token of its own.
    """
    # [task] Look every special word up in token_dict as a whole, and every number digit by digit. Return the list of
    # numbers found.

    tokens = []
    for word in input_str.split():
        tokens += [word] if word in spc_tokens else list(word)
    return [token_dict[token] for token in tokens]
    # [end]


# ---- attention -----------------------------------------------------------------------------------------------------


def scaled_dot_product_two_loop_single(query, key, value):
    """Attention of one sequence, query by query and key by key. query, key, value (K, M) -> y (K, M).

    A score is the product of a query and a key, divided by sqrt(M) so that its size does not depend on M.
    """
    # [task] In two nested loops, compute the score of every query and key. Turn the scores of each query into weights
    # with a softmax, and take the mean of the values with these weights.

    M = query.shape[1]
    rows = []
    for q in query:
        scores = []
        for k in key:
            scores.append(torch.dot(q, k) / math.sqrt(M))
        weights = torch.stack(scores).softmax(dim=0)  # one for each key
        rows.append(weights @ value)
    return torch.stack(rows)
    # [end]


def scaled_dot_product_two_loop_batch(query, key, value):
    """Attention of N sequences, one query of one sequence at a time. query, key, value (N, K, M) -> y (N, K, M)."""
    # [task] With exactly two loops, over the sequences and over the queries of each, compute what
    # scaled_dot_product_two_loop_single does for every sequence.

    N, K, M = query.shape
    rows = []
    for n in range(N):
        for i in range(K):
            scores = key[n] @ query[n, i] / math.sqrt(M)
            rows.append(scores.softmax(dim=0) @ value[n])
    return torch.stack(rows).view(N, K, -1)
    # [end]


def scaled_dot_product_no_loop_batch(query, key, value, mask=None):
    """Attention of N sequences at once.

    query (N, K, M), key (N, L, M), value (N, L, D), mask (N, K, L) or None -> y (N, K, D), weights (N, K, L).
    Where the mask is True, the query does not see the key: its score becomes -1e9, and its weight 0.
    """
    # [task] Compute the same without any loop, divide by the root of the queries' size, and apply the mask where there
    # is one. Return the output and the softmaxed weights.

    M = query.shape[-1]
    scores = (query / math.sqrt(M)) @ key.transpose(1, 2)  # the smaller factor is divided, not the product
    if mask is not None:
        scores = scores.masked_fill(mask, EXCLUDED)
    weights = scores.softmax(dim=-1)
    return weights @ value, weights
    # [end]


# [solution]
def uniform_linear(D_in, D_out):
    """A linear layer whose weights are uniform between -c and c, c = sqrt(6 / (D_in + D_out)).

    Signals then keep their size on the way forward, and gradients on the way back. Source: Glorot and Bengio,
    Understanding the difficulty of training deep feedforward neural networks (AISTATS 2010).
    """
    layer = nn.Linear(D_in, D_out)
    c = math.sqrt(6 / (D_in + D_out))
    nn.init.uniform_(layer.weight, -c, c)
    return layer


# [end]


class SelfAttention(nn.Module):
    """One head: queries, keys and values are linear functions of the three inputs.

    `q`, `k`, `v`: the linear layers. `weights_softmax`: the weights (N, K, L) of the last call, for pictures.
    """

    def __init__(self, dim_in, dim_q, dim_v):
        super().__init__()
        self.q = None
        self.k = None
        self.v = None
        self.weights_softmax = None
        # [task] Make self.q and self.k nn.Linear layers from dim_in to dim_q, and self.v one from dim_in to dim_v.
        # Draw the weights of each uniformly between -c and c, with c = sqrt(6 / (D_in + D_out)) of that layer.

        self.q = uniform_linear(dim_in, dim_q)
        self.k = uniform_linear(dim_in, dim_q)
        self.v = uniform_linear(dim_in, dim_v)
        # [end]

    def forward(self, query, key, value, mask=None):
        """query (N, K, dim_in), key and value (N, L, dim_in), mask (N, K, L) or None -> y (N, K, dim_v)."""
        # [task] Apply self.q, self.k and self.v to the inputs, and scaled_dot_product_no_loop_batch to the results.
        # Keep its weights in self.weights_softmax.

        y, self.weights_softmax = scaled_dot_product_no_loop_batch(self.q(query), self.k(key), self.v(value), mask)
        return y
        # [end]


class MultiHeadAttention(nn.Module):
    """Several heads side by side on the same inputs; a linear layer makes one output of what they found."""

    def __init__(self, num_heads, dim_in, dim_out):
        """dim_in: size of the inputs and of the output. dim_out: size of each head's queries, keys and values."""
        super().__init__()
        # [task] Make an nn.ModuleList of num_heads SelfAttention layers, each from dim_in to dim_out, and an nn.Linear
        # from all heads' outputs, side by side, back to dim_in. Draw its weights as in SelfAttention.

        self.heads = nn.ModuleList(SelfAttention(dim_in, dim_out, dim_out) for _ in range(num_heads))
        self.out = uniform_linear(num_heads * dim_out, dim_in)
        # [end]

    def forward(self, query, key, value, mask=None):
        """query (N, K, M), key and value (N, L, M), mask (N, K, L) or None -> y (N, K, M), with M = dim_in."""
        # [task] Give the inputs and the mask to every head, concatenate the outputs of the heads along the last axis,
        # and apply the last linear layer.

        q = self.all_heads([head.q for head in self.heads], query)
        k = self.all_heads([head.k for head in self.heads], key)
        v = self.all_heads([head.v for head in self.heads], value)
        if mask is not None:
            mask = mask.repeat_interleave(len(self.heads), dim=0)
        y, weights = scaled_dot_product_no_loop_batch(q, k, v, mask)
        for h, head in enumerate(self.heads):
            head.weights_softmax = weights[h :: len(self.heads)]
        return self.out(y.unflatten(0, (-1, len(self.heads))).transpose(1, 2).flatten(2))
        # [end]

    # [solution]
    @staticmethod
    def all_heads(layers, x):
        """One layer of each head, all in one product: x (N, K, M) -> (N H, K, D), head by head in each sequence."""
        W, b = torch.cat([layer.weight for layer in layers]), torch.cat([layer.bias for layer in layers])
        y = F.linear(x, W, b)  # (N, K, H D)
        return y.unflatten(2, (len(layers), -1)).transpose(1, 2).flatten(0, 1)

    # [end]


# ---- blocks --------------------------------------------------------------------------------------------------------


class LayerNormalization(nn.Module):
    """Each token's M numbers get the mean 0 and the variance 1; then gamma scales and beta shifts them.

    Source: Ba, Kiros and Hinton, Layer Normalization (arXiv 1607.06450, 2016).
    """

    def __init__(self, emb_dim, epsilon=1e-10):
        super().__init__()
        self.epsilon = epsilon
        # [task] Make self.gamma and self.beta nn.Parameters with emb_dim entries: gamma of ones, beta of zeros.
        self.gamma = nn.Parameter(torch.ones(emb_dim))
        self.beta = nn.Parameter(torch.zeros(emb_dim))
        # [end]

    def forward(self, x):
        """x (N, K, M) or (N, M) -> y of the same shape. epsilon is added to the variance, which may be 0."""
        # [task] Normalise x along its last axis with its mean and its variance (the mean of the squared deviations,
        # not divided by M - 1), without torch.std. Then scale with gamma and shift by beta.

        centred = x - x.mean(dim=-1, keepdim=True)
        var = centred.square().mean(dim=-1, keepdim=True)
        return torch.addcmul(self.beta, self.gamma, centred * (var + self.epsilon).rsqrt())  # gamma * ... + beta
        # [end]


class FeedForwardBlock(nn.Module):
    """linear - ReLU - linear, applied to every token on its own."""

    def __init__(self, inp_dim, hidden_dim_feedforward):
        super().__init__()
        # [task] Make two nn.Linear layers, from inp_dim to hidden_dim_feedforward and back. Draw their weights as in
        # SelfAttention.

        self.hidden = uniform_linear(inp_dim, hidden_dim_feedforward)
        self.out = uniform_linear(hidden_dim_feedforward, inp_dim)
        # [end]

    def forward(self, x):
        """x (N, K, M) -> y (N, K, M)."""
        # [task] Apply the first layer, a ReLU, and the second layer.
        return self.out(F.relu(self.hidden(x)))
        # [end]


class EncoderBlock(nn.Module):
    """Tokens look at each other, then each is worked on alone:

    attention -> add the input -> norm -> dropout -> feed forward -> add its input -> norm -> dropout.
    """

    def __init__(self, num_heads, emb_dim, feedforward_dim, dropout):
        """Raises ValueError if emb_dim is not a multiple of num_heads."""
        super().__init__()
        # [task] Raise a ValueError if num_heads does not divide emb_dim. Make a MultiHeadAttention whose heads' outputs
        # have, side by side, the size emb_dim, a FeedForwardBlock, two LayerNormalizations and an nn.Dropout.

        self.attention = MultiHeadAttention(num_heads, emb_dim, size_of_head(emb_dim, num_heads))
        self.feed_forward = FeedForwardBlock(emb_dim, feedforward_dim)
        self.norm1 = LayerNormalization(emb_dim)
        self.norm2 = LayerNormalization(emb_dim)
        self.dropout = nn.Dropout(dropout)
        # [end]

    def forward(self, x):
        """x (N, K, M) -> y (N, K, M)."""
        # [task] Take the way that the docstring of the class shows: add what went into the attention, or into the feed
        # forward block, to what came out of it, normalise the sum, and apply dropout.

        out = self.dropout(self.norm1(self.attention(x, x, x) + x))
        return self.dropout(self.norm2(self.feed_forward(out) + out))
        # [end]


# [solution]
def size_of_head(emb_dim, num_heads):
    """The size of each of num_heads equal parts of emb_dim. Raises ValueError where they are not equal."""
    if emb_dim % num_heads != 0:
        raise ValueError(f"emb_dim must be a multiple of num_heads; got {emb_dim} and {num_heads}.")
    return emb_dim // num_heads


# [end]


def get_subsequent_mask(seq):
    """seq (N, K) -> mask (N, K, K), bool: True where the key comes after the query, whatever the tokens are."""
    # [task] Return the mask that hides the future: entry [n, i, j] is True for j > i and False elsewhere.
    N, K = seq.shape
    places = torch.arange(K, device=seq.device)
    return (places > places[:, None]).expand(N, K, K)
    # [end]


class DecoderBlock(nn.Module):
    """What was said so far looks at itself, then at the encoder's output, then each token is worked on alone:

    masked attention -> add the input -> norm -> dropout -> cross attention, whose keys and values come from the
    encoder -> add its input -> norm -> dropout -> feed forward -> add its input -> norm -> dropout.
    """

    def __init__(self, num_heads, emb_dim, feedforward_dim, dropout):
        """Raises ValueError if emb_dim is not a multiple of num_heads."""
        super().__init__()
        # [task] Raise a ValueError if num_heads does not divide emb_dim. Make the layers self.attention_self,
        # self.attention_cross, self.feed_forward, self.norm1, self.norm2, self.norm3 and self.dropout, with the sizes
        # that they have in EncoderBlock.

        D = size_of_head(emb_dim, num_heads)
        self.attention_self = MultiHeadAttention(num_heads, emb_dim, D)
        self.attention_cross = MultiHeadAttention(num_heads, emb_dim, D)
        self.feed_forward = FeedForwardBlock(emb_dim, feedforward_dim)
        self.norm1 = LayerNormalization(emb_dim)
        self.norm2 = LayerNormalization(emb_dim)
        self.norm3 = LayerNormalization(emb_dim)
        self.dropout = nn.Dropout(dropout)
        # [end]

    def forward(self, dec_inp, enc_inp, mask=None):
        """dec_inp (N, O, M), enc_inp (N, K, M), mask (N, O, O) or None -> y (N, O, M)."""
        # [task] Take the way that the docstring of the class shows. The mask belongs to the first attention only.
        out = self.dropout(self.norm1(self.attention_self(dec_inp, dec_inp, dec_inp, mask) + dec_inp))
        out = self.dropout(self.norm2(self.attention_cross(out, enc_inp, enc_inp) + out))
        return self.dropout(self.norm3(self.feed_forward(out) + out))
        # [end]


class Encoder(nn.Module):
    """num_layers encoder blocks, one after the other."""

    def __init__(self, num_heads, emb_dim, feedforward_dim, num_layers, dropout):
        super().__init__()
        blocks = (EncoderBlock(num_heads, emb_dim, feedforward_dim, dropout) for _ in range(num_layers))
        self.layers = nn.ModuleList(blocks)

    def forward(self, src_seq):
        """src_seq (N, K, M) -> (N, K, M)."""
        for layer in self.layers:
            src_seq = layer(src_seq)
        return src_seq


class Decoder(nn.Module):
    """num_layers decoder blocks, and a linear layer that gives every word of the vocabulary a score."""

    def __init__(self, num_heads, emb_dim, feedforward_dim, num_layers, dropout, vocab_len):
        super().__init__()
        blocks = (DecoderBlock(num_heads, emb_dim, feedforward_dim, dropout) for _ in range(num_layers))
        self.layers = nn.ModuleList(blocks)
        self.proj_to_vocab = nn.Linear(emb_dim, vocab_len)
        c = math.sqrt(6 / (emb_dim + vocab_len))
        nn.init.uniform_(self.proj_to_vocab.weight, -c, c)

    def forward(self, target_seq, enc_out, mask):
        """target_seq (N, O, M), enc_out (N, K, M), mask (N, O, O) or None -> scores (N, O, V)."""
        out = target_seq
        for layer in self.layers:
            out = layer(out, enc_out, mask)
        return self.proj_to_vocab(out)


# ---- places --------------------------------------------------------------------------------------------------------


def position_encoding_simple(K, M):
    """-> y (1, K, M): the place of a token as a part of the whole, n / K, in all of its M numbers."""
    # [task] Return a tensor of shape (1, K, M) whose entries [0, n, :] are n / K, with n from 0.
    return (torch.arange(K) / K).view(1, K, 1).repeat(1, 1, M)
    # [end]


def position_encoding_sinusoid(K, M):
    """-> y (1, K, M): sines in the even places, cosines in the odd ones, of ever longer waves.

    y[0, p, 2i] = sin(p / 10000^(2i / M)) and y[0, p, 2i + 1] = cos(p / 10000^(2i / M)). M may be odd.
    """
    # [task] Return a tensor of shape (1, K, M) with these sines and cosines.
    evens = torch.arange(0, M, 2)  # 2i
    angles = torch.arange(K)[:, None] / 10000 ** (evens / M)  # (K, M / 2)
    y = torch.empty(1, K, M)
    y[0, :, 0::2] = angles.sin()
    y[0, :, 1::2] = angles[:, : M // 2].cos()
    return y
    # [end]


# ---- the whole -----------------------------------------------------------------------------------------------------


class Transformer(nn.Module):
    """Reads a question, and predicts every word of an answer from the question and the words before it."""

    def __init__(self, num_heads, emb_dim, feedforward_dim, dropout, num_enc_layers, num_dec_layers, vocab_len):
        super().__init__()
        self.emb_layer = None
        # [task] Make self.emb_layer an nn.Embedding that gives every word of the vocabulary emb_dim numbers.
        self.emb_layer = nn.Embedding(vocab_len, emb_dim)
        # [end]
        self.encoder = Encoder(num_heads, emb_dim, feedforward_dim, num_enc_layers, dropout)
        self.decoder = Decoder(num_heads, emb_dim, feedforward_dim, num_dec_layers, dropout, vocab_len)

    def forward(self, ques_b, ques_pos, ans_b, ans_pos):
        """Questions and answers -> scores (N (O - 1), V) of the answers' words from the second on.

        ques_b (N, K), ans_b (N, O): int64 words; ques_pos (N, K, M), ans_pos (N, O, M): their position encodings.
        The last word of an answer is predicted, and never shown.
        """
        q_emb_inp = self.emb_layer(ques_b) + ques_pos
        a_emb_inp = self.emb_layer(ans_b[:, :-1]) + ans_pos[:, :-1]
        # [task] Send q_emb_inp through the encoder, and a_emb_inp through the decoder with the encoder's output and the
        # mask that hides the future. Return the decoder's scores with one row for each word.

        enc_out = self.encoder(q_emb_inp)
        scores = self.decoder(a_emb_inp, enc_out, get_subsequent_mask(ans_b[:, :-1]))
        return scores.flatten(0, 1)
        # [end]


class AddSubDataset(torch.utils.data.Dataset):
    """Expressions and their results as numbers: (question (K,), its places (K, M), answer (O,), its places (O, M))."""

    def __init__(self, input_seqs, target_seqs, convert_str_to_tokens, special_tokens, emb_dim, pos_encode):
        """input_seqs, target_seqs: lists of strings; pos_encode(K, M) -> (1, K, M), such as those above."""
        self.input_seqs = input_seqs
        self.target_seqs = target_seqs
        self.convert_str_to_tokens = convert_str_to_tokens
        self.special_tokens = special_tokens
        self.emb_dim = emb_dim
        self.pos_encode = pos_encode

    def preprocess(self, inp):
        """A string as a list of tokens' numbers."""
        return prepocess_input_sequence(inp, self.convert_str_to_tokens, self.special_tokens)

    def __getitem__(self, idx):
        item = []
        for seqs in (self.input_seqs, self.target_seqs):
            tokens = torch.tensor(self.preprocess(seqs[idx]))
            item += [tokens, self.pos_encode(len(tokens), self.emb_dim)[0]]
        return tuple(item)

    def __len__(self):
        return len(self.input_seqs)
