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
    # Number the words of vocab from 0, in their order.
    raise NotImplementedError("generate_token_dict: Number the words of vocab from 0, in their order.")


def prepocess_input_sequence(input_str, token_dict, spc_tokens):
    """An expression -> the list of its tokens' numbers.

    input_str: words with spaces between them, such as "BOS POSITIVE 33 add NEGATIVE 09 EOS". A word of spc_tokens is
    one token; any other is a number, each digit of which is a token of its own.
    """
    # Look every special word up in token_dict as a whole, and every number digit by digit. Return the list of
    # numbers found.
    raise NotImplementedError(
        "prepocess_input_sequence: Look every special word up in token_dict as a whole, and every number digit by "
        "digit. Return the list of numbers found."
    )


# ---- attention -----------------------------------------------------------------------------------------------------


def scaled_dot_product_two_loop_single(query, key, value):
    """Attention of one sequence, query by query and key by key. query, key, value (K, M) -> y (K, M).

    A score is the product of a query and a key, divided by sqrt(M) so that its size does not depend on M.
    """
    # In two nested loops, compute the score of every query and key. Turn the scores of each query into weights
    # with a softmax, and take the mean of the values with these weights.
    raise NotImplementedError(
        "scaled_dot_product_two_loop_single: In two nested loops, compute the score of every query and key. Turn the "
        "scores of each query into weights with a softmax, and take the mean of the values with these weights."
    )


def scaled_dot_product_two_loop_batch(query, key, value):
    """Attention of N sequences, one query of one sequence at a time. query, key, value (N, K, M) -> y (N, K, M)."""
    # With exactly two loops, over the sequences and over the queries of each, compute what
    # scaled_dot_product_two_loop_single does for every sequence.
    raise NotImplementedError(
        "scaled_dot_product_two_loop_batch: With exactly two loops, over the sequences and over the queries of each, "
        "compute what scaled_dot_product_two_loop_single does for every sequence."
    )


def scaled_dot_product_no_loop_batch(query, key, value, mask=None):
    """Attention of N sequences at once.

    query (N, K, M), key (N, L, M), value (N, L, D), mask (N, K, L) or None -> y (N, K, D), weights (N, K, L).
    Where the mask is True, the query does not see the key: its score becomes -1e9, and its weight 0.
    """
    # Compute the same without any loop, divide by the root of the queries' size, and apply the mask where there
    # is one. Return the output and the softmaxed weights.
    raise NotImplementedError(
        "scaled_dot_product_no_loop_batch: Compute the same without any loop, divide by the root of the queries' size, "
        "and apply the mask where there is one. Return the output and the softmaxed weights."
    )


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
        # Make self.q and self.k nn.Linear layers from dim_in to dim_q, and self.v one from dim_in to dim_v.
        # Draw the weights of each uniformly between -c and c, with c = sqrt(6 / (D_in + D_out)) of that layer.
        raise NotImplementedError(
            "SelfAttention.__init__: Make self.q and self.k nn.Linear layers from dim_in to dim_q, and self.v one from "
            "dim_in to dim_v. Draw the weights of each uniformly between -c and c, with c = sqrt(6 / (D_in + D_out)) "
            "of that layer."
        )

    def forward(self, query, key, value, mask=None):
        """query (N, K, dim_in), key and value (N, L, dim_in), mask (N, K, L) or None -> y (N, K, dim_v)."""
        # Apply self.q, self.k and self.v to the inputs, and scaled_dot_product_no_loop_batch to the results.
        # Keep its weights in self.weights_softmax.
        raise NotImplementedError(
            "SelfAttention.forward: Apply self.q, self.k and self.v to the inputs, and "
            "scaled_dot_product_no_loop_batch to the results. Keep its weights in self.weights_softmax."
        )


class MultiHeadAttention(nn.Module):
    """Several heads side by side on the same inputs; a linear layer makes one output of what they found."""

    def __init__(self, num_heads, dim_in, dim_out):
        """dim_in: size of the inputs and of the output. dim_out: size of each head's queries, keys and values."""
        super().__init__()
        # Make an nn.ModuleList of num_heads SelfAttention layers, each from dim_in to dim_out, and an nn.Linear
        # from all heads' outputs, side by side, back to dim_in. Draw its weights as in SelfAttention.
        raise NotImplementedError(
            "MultiHeadAttention.__init__: Make an nn.ModuleList of num_heads SelfAttention layers, each from dim_in to "
            "dim_out, and an nn.Linear from all heads' outputs, side by side, back to dim_in. Draw its weights as in "
            "SelfAttention."
        )

    def forward(self, query, key, value, mask=None):
        """query (N, K, M), key and value (N, L, M), mask (N, K, L) or None -> y (N, K, M), with M = dim_in."""
        # Give the inputs and the mask to every head, concatenate the outputs of the heads along the last axis,
        # and apply the last linear layer.
        raise NotImplementedError(
            "MultiHeadAttention.forward: Give the inputs and the mask to every head, concatenate the outputs of the "
            "heads along the last axis, and apply the last linear layer."
        )


# ---- blocks --------------------------------------------------------------------------------------------------------


class LayerNormalization(nn.Module):
    """Each token's M numbers get the mean 0 and the variance 1; then gamma scales and beta shifts them.

    Source: Ba, Kiros and Hinton, Layer Normalization (arXiv 1607.06450, 2016).
    """

    def __init__(self, emb_dim, epsilon=1e-10):
        super().__init__()
        self.epsilon = epsilon
        # Make self.gamma and self.beta nn.Parameters with emb_dim entries: gamma of ones, beta of zeros.
        raise NotImplementedError(
            "LayerNormalization.__init__: Make self.gamma and self.beta nn.Parameters with emb_dim entries: gamma of "
            "ones, beta of zeros."
        )

    def forward(self, x):
        """x (N, K, M) or (N, M) -> y of the same shape. epsilon is added to the variance, which may be 0."""
        # Normalise x along its last axis with its mean and its variance (the mean of the squared deviations,
        # not divided by M - 1), without torch.std. Then scale with gamma and shift by beta.
        raise NotImplementedError(
            "LayerNormalization.forward: Normalise x along its last axis with its mean and its variance (the mean of "
            "the squared deviations, not divided by M - 1), without torch.std. Then scale with gamma and shift by "
            "beta."
        )


class FeedForwardBlock(nn.Module):
    """linear - ReLU - linear, applied to every token on its own."""

    def __init__(self, inp_dim, hidden_dim_feedforward):
        super().__init__()
        # Make two nn.Linear layers, from inp_dim to hidden_dim_feedforward and back. Draw their weights as in
        # SelfAttention.
        raise NotImplementedError(
            "FeedForwardBlock.__init__: Make two nn.Linear layers, from inp_dim to hidden_dim_feedforward and back. "
            "Draw their weights as in SelfAttention."
        )

    def forward(self, x):
        """x (N, K, M) -> y (N, K, M)."""
        # Apply the first layer, a ReLU, and the second layer.
        raise NotImplementedError("FeedForwardBlock.forward: Apply the first layer, a ReLU, and the second layer.")


class EncoderBlock(nn.Module):
    """Tokens look at each other, then each is worked on alone:

    attention -> add the input -> norm -> dropout -> feed forward -> add its input -> norm -> dropout.
    """

    def __init__(self, num_heads, emb_dim, feedforward_dim, dropout):
        """Raises ValueError if emb_dim is not a multiple of num_heads."""
        super().__init__()
        # Raise a ValueError if num_heads does not divide emb_dim. Make a MultiHeadAttention whose heads' outputs
        # have, side by side, the size emb_dim, a FeedForwardBlock, two LayerNormalizations and an nn.Dropout.
        raise NotImplementedError(
            "EncoderBlock.__init__: Raise a ValueError if num_heads does not divide emb_dim. Make a MultiHeadAttention "
            "whose heads' outputs have, side by side, the size emb_dim, a FeedForwardBlock, two LayerNormalizations "
            "and an nn.Dropout."
        )

    def forward(self, x):
        """x (N, K, M) -> y (N, K, M)."""
        # Take the way that the docstring of the class shows: add what went into the attention, or into the feed
        # forward block, to what came out of it, normalise the sum, and apply dropout.
        raise NotImplementedError(
            "EncoderBlock.forward: Take the way that the docstring of the class shows: add what went into the "
            "attention, or into the feed forward block, to what came out of it, normalise the sum, and apply dropout."
        )


def get_subsequent_mask(seq):
    """seq (N, K) -> mask (N, K, K), bool: True where the key comes after the query, whatever the tokens are."""
    # Return the mask that hides the future: entry [n, i, j] is True for j > i and False elsewhere.
    raise NotImplementedError(
        "get_subsequent_mask: Return the mask that hides the future: entry [n, i, j] is True for j > i and False "
        "elsewhere."
    )


class DecoderBlock(nn.Module):
    """What was said so far looks at itself, then at the encoder's output, then each token is worked on alone:

    masked attention -> add the input -> norm -> dropout -> cross attention, whose keys and values come from the
    encoder -> add its input -> norm -> dropout -> feed forward -> add its input -> norm -> dropout.
    """

    def __init__(self, num_heads, emb_dim, feedforward_dim, dropout):
        """Raises ValueError if emb_dim is not a multiple of num_heads."""
        super().__init__()
        # Raise a ValueError if num_heads does not divide emb_dim. Make the layers self.attention_self,
        # self.attention_cross, self.feed_forward, self.norm1, self.norm2, self.norm3 and self.dropout, with the sizes
        # that they have in EncoderBlock.
        raise NotImplementedError(
            "DecoderBlock.__init__: Raise a ValueError if num_heads does not divide emb_dim. Make the layers "
            "self.attention_self, self.attention_cross, self.feed_forward, self.norm1, self.norm2, self.norm3 and "
            "self.dropout, with the sizes that they have in EncoderBlock."
        )

    def forward(self, dec_inp, enc_inp, mask=None):
        """dec_inp (N, O, M), enc_inp (N, K, M), mask (N, O, O) or None -> y (N, O, M)."""
        # Take the way that the docstring of the class shows. The mask belongs to the first attention only.
        raise NotImplementedError(
            "DecoderBlock.forward: Take the way that the docstring of the class shows. The mask belongs to the first "
            "attention only."
        )


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
    # Return a tensor of shape (1, K, M) whose entries [0, n, :] are n / K, with n from 0.
    raise NotImplementedError(
        "position_encoding_simple: Return a tensor of shape (1, K, M) whose entries [0, n, :] are n / K, with n from 0."
    )


def position_encoding_sinusoid(K, M):
    """-> y (1, K, M): sines in the even places, cosines in the odd ones, of ever longer waves.

    y[0, p, 2i] = sin(p / 10000^(2i / M)) and y[0, p, 2i + 1] = cos(p / 10000^(2i / M)). M may be odd.
    """
    # Return a tensor of shape (1, K, M) with these sines and cosines.
    raise NotImplementedError(
        "position_encoding_sinusoid: Return a tensor of shape (1, K, M) with these sines and cosines."
    )


# ---- the whole -----------------------------------------------------------------------------------------------------


class Transformer(nn.Module):
    """Reads a question, and predicts every word of an answer from the question and the words before it."""

    def __init__(self, num_heads, emb_dim, feedforward_dim, dropout, num_enc_layers, num_dec_layers, vocab_len):
        super().__init__()
        self.emb_layer = None
        # Make self.emb_layer an nn.Embedding that gives every word of the vocabulary emb_dim numbers.
        raise NotImplementedError(
            "Transformer.__init__: Make self.emb_layer an nn.Embedding that gives every word of the vocabulary emb_dim "
            "numbers."
        )
        self.encoder = Encoder(num_heads, emb_dim, feedforward_dim, num_enc_layers, dropout)
        self.decoder = Decoder(num_heads, emb_dim, feedforward_dim, num_dec_layers, dropout, vocab_len)

    def forward(self, ques_b, ques_pos, ans_b, ans_pos):
        """Questions and answers -> scores (N (O - 1), V) of the answers' words from the second on.

        ques_b (N, K), ans_b (N, O): int64 words; ques_pos (N, K, M), ans_pos (N, O, M): their position encodings.
        The last word of an answer is predicted, and never shown.
        """
        q_emb_inp = self.emb_layer(ques_b) + ques_pos
        a_emb_inp = self.emb_layer(ans_b[:, :-1]) + ans_pos[:, :-1]
        # Send q_emb_inp through the encoder, and a_emb_inp through the decoder with the encoder's output and the
        # mask that hides the future. Return the decoder's scores with one row for each word.
        raise NotImplementedError(
            "Transformer.forward: Send q_emb_inp through the encoder, and a_emb_inp through the decoder with the "
            "encoder's output and the mask that hides the future. Return the decoder's scores with one row for each "
            "word."
        )


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
