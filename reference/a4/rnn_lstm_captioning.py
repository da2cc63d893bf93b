"""Captions for images: a recurrent network reads the picture and writes one word after the other.

Three networks, each an answer to what the one before it cannot do. The plain RNN carries everything that it remembers
through one tanh per step. The LSTM adds a cell state that gates write to, erase and read. The attention LSTM looks at
the image again before every word, and chooses where. The plain RNN's gradients are written out by hand, so that it is
seen once how a gradient travels back through time; from the LSTM on, autograd does that.

Letters: N captions, T steps, D input features, H hidden units, V words, K x K the grid of image features (4 x 4).
"""

import math

import torch
from captioning_helpers import imagenet_trunk
from torch import nn
from torch.nn import functional as F


class ImageEncoder(nn.Module):
    """Images (N, 3, 112, 112), uint8 or floats in 0 ... 1 -> features (N, 400, 4, 4).

    With `pretrained`, the trunk is the RegNet-X 400MF that torchvision trained on ImageNet, where torchvision and its
    weights are on this machine: nothing is downloaded. Otherwise it is a small network of our own, untrained, which
    learns together with the captions.
    """

    out_channels = 400

    def __init__(self, pretrained=True, verbose=True):
        super().__init__()
        trunk = imagenet_trunk() if pretrained else None
        if pretrained and trunk is None and verbose:
            print("ImageEncoder: torchvision's weights are not on this machine; the encoder starts untrained.")
        self.trunk = self._small_trunk() if trunk is None else trunk
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1))

    @classmethod
    def _small_trunk(cls):
        """Five times conv - batch norm - ReLU, each halving height and width: 112, 56, 28, 14, 7, 4."""
        channels, layers = (3, 32, 64, 128, 256, cls.out_channels), []
        for i in range(5):
            conv = nn.Conv2d(channels[i], channels[i + 1], 3, stride=2, padding=1, bias=False)
            layers += [conv, nn.BatchNorm2d(channels[i + 1]), nn.ReLU()]
        return nn.Sequential(*layers)

    def forward(self, images):
        if images.dtype == torch.uint8:
            images = images.to(self.mean.dtype) / 255
        return self.trunk((images - self.mean) / self.std)


# ---- the plain RNN: forward and backward by hand -------------------------------------------------------------------


def rnn_step_forward(x, prev_h, Wx, Wh, b):
    """One step, h' = tanh(x Wx + h Wh + b).

    x (N, D), prev_h (N, H), Wx (D, H), Wh (H, H), b (H,) -> next_h (N, H), cache.
    """
    # [task] Compute next_h. Keep in the cache what rnn_step_backward will need.
    next_h = torch.tanh(x @ Wx + prev_h @ Wh + b)
    return next_h, (x, prev_h, Wx, Wh, next_h)
    # [end]


def rnn_step_backward(dnext_h, cache):
    """dnext_h (N, H) -> dx (N, D), dprev_h (N, H), dWx (D, H), dWh (H, H), db (H,)."""
    # [task] Compute the gradients of the loss with respect to x, prev_h, Wx, Wh and b. The derivative of tanh can be
    # written in terms of its output.

    x, prev_h, Wx, Wh, next_h = cache
    da = dnext_h * (1 - next_h * next_h)  # tanh' = 1 - tanh^2
    return da @ Wx.t(), da @ Wh.t(), x.t() @ da, prev_h.t() @ da, da.sum(dim=0)
    # [end]


def rnn_forward(x, h0, Wx, Wh, b):
    """T steps, one after the other. x (N, T, D), h0 (N, H), Wx (D, H), Wh (H, H), b (H,) -> h (N, T, H), cache.

    h[:, t] is the state after word t.
    """
    # [task] Compute the states of all steps. Do not write into a tensor that was handed in. Keep in the cache what
    # rnn_backward will need.

    # What the inputs contribute does not depend on the states: one product serves all steps.
    a = x.transpose(0, 1) @ Wx + b  # (T, N, H)
    h, states = h0, []
    for a_t in a.unbind():
        h = torch.tanh(torch.addmm(a_t, h, Wh))
        states.append(h)
    h = torch.stack(states, dim=1)
    return h, (x, h0, Wx, Wh, h)
    # [end]


def rnn_backward(dh, cache):
    """dh (N, T, H), the gradient that each state gets from its own output -> dx (N, T, D), dh0, dWx, dWh, db.

    A state reaches the loss in two ways, through its own output and through the next state; both gradients add up.
    """
    # [task] Go backwards through the steps, and compute the gradients of the loss with respect to x, h0, Wx, Wh and b.
    x, h0, Wx, Wh, h = cache
    da = torch.empty_like(h)
    dnext = torch.zeros_like(h0)  # from the step after
    for t in reversed(range(h.shape[1])):
        da[:, t] = (dh[:, t] + dnext) * (1 - h[:, t] * h[:, t])
        dnext = da[:, t] @ Wh.t()

    # All steps share their weights, so that the sum over steps and captions is one product.
    before = torch.cat([h0.unsqueeze(1), h[:, :-1]], dim=1)  # the state that each step began with
    dWx = torch.einsum("ntd,nth->dh", x, da)
    dWh = torch.einsum("ntg,nth->gh", before, da)
    return da @ Wx.t(), dnext, dWx, dWh, da.sum(dim=(0, 1))
    # [end]


class RNN(nn.Module):
    """The functions above with parameters Wx (D, H), Wh (H, H), b (H,)."""

    def __init__(self, input_dim, hidden_dim):
        super().__init__()
        self.Wx = nn.Parameter(torch.randn(input_dim, hidden_dim) / math.sqrt(input_dim))
        self.Wh = nn.Parameter(torch.randn(hidden_dim, hidden_dim) / math.sqrt(hidden_dim))
        self.b = nn.Parameter(torch.zeros(hidden_dim))

    def forward(self, x, h0):
        """x (N, T, D), h0 (N, H) -> h (N, T, H)."""
        return rnn_forward(x, h0, self.Wx, self.Wh, self.b)[0]

    def step_forward(self, x, prev_h):
        """x (N, D), prev_h (N, H) -> next_h (N, H)."""
        return rnn_step_forward(x, prev_h, self.Wx, self.Wh, self.b)[0]


# ---- words ---------------------------------------------------------------------------------------------------------


class WordEmbedding(nn.Module):
    """A vector for every word: the rows of W_embed (V, D)."""

    def __init__(self, vocab_size, embed_size):
        super().__init__()
        self.W_embed = nn.Parameter(torch.randn(vocab_size, embed_size) / math.sqrt(vocab_size))

    def forward(self, x):
        """x (N, T) int64 -> out (N, T, D), with out[n, t] the row of word x[n, t]. x may have any other shape."""
        # [task] Look the words up. The solution is one line.
        return self.W_embed[x]
        # [end]


def temporal_softmax_loss(x, y, ignore_index=None):
    """Cross-entropy of the right words, summed over the steps of a caption and averaged over the captions. -> 0-dim

    x (N, T, V) scores, y (N, T) int64. Words equal to ignore_index, the padding behind short captions, cost nothing;
    the sum is divided by N all the same, and not by the number of words that count.
    """
    # [task] Compute the loss. torch.nn.functional.cross_entropy may be used.
    N, T, V = x.shape
    ignored = {} if ignore_index is None else {"ignore_index": ignore_index}
    return F.cross_entropy(x.reshape(N * T, V), y.reshape(N * T), reduction="sum", **ignored) / N
    # [end]


# ---- LSTM ----------------------------------------------------------------------------------------------------------


# [solution]
def _lstm_gates(a, prev_c):
    """What all LSTM cells do with their four sums, whatever went into these. a (N, 4H), prev_c (N, H) -> next_h, next_c

    a holds, side by side, the input gate i (what to write), the forget gate f (what to keep), the output gate o (what
    to show) and the candidate g. Source: Hochreiter and Schmidhuber (1997); Gers, Schmidhuber and Cummins (2000).
    """
    i, f, o, g = a.chunk(4, dim=1)
    next_c = f.sigmoid() * prev_c + i.sigmoid() * g.tanh()
    next_h = o.sigmoid() * next_c.tanh()
    return next_h, next_c


# [end]


class LSTM(nn.Module):
    """An LSTM layer. Parameters: Wx (D, 4H), Wh (H, 4H), b (4H,), the gates side by side in the order i, f, o, g.

    a = x Wx + h Wh + b; i, f, o = sigmoid of their parts of a, g = tanh of its part; c' = f c + i g; h' = o tanh(c').
    """

    def __init__(self, input_dim, hidden_dim):
        super().__init__()
        self.Wx = nn.Parameter(torch.randn(input_dim, 4 * hidden_dim) / math.sqrt(input_dim))
        self.Wh = nn.Parameter(torch.randn(hidden_dim, 4 * hidden_dim) / math.sqrt(hidden_dim))
        self.b = nn.Parameter(torch.zeros(4 * hidden_dim))

    def step_forward(self, x, prev_h, prev_c):
        """x (N, D), prev_h, prev_c (N, H) -> next_h, next_c (N, H)."""
        # [task] Compute the next hidden state and the next cell state.
        return _lstm_gates(x @ self.Wx + prev_h @ self.Wh + self.b, prev_c)
        # [end]

    def forward(self, x, h0):
        """x (N, T, D), h0 (N, H) -> h (N, T, H), h[:, t] being the state after word t. The cell state starts at 0."""
        # [task] Compute the hidden states of all steps.
        a = x.transpose(0, 1) @ self.Wx + self.b  # (T, N, 4H), as in rnn_forward
        h, c, states = h0, torch.zeros_like(h0), []
        for a_t in a.unbind():
            h, c = _lstm_gates(torch.addmm(a_t, h, self.Wh), c)
            states.append(h)
        return torch.stack(states, dim=1)
        # [end]


# ---- attention -----------------------------------------------------------------------------------------------------


def dot_product_attention(prev_h, A):
    """Look at the cells of the grid A that are most like the state prev_h.

    prev_h (N, H), A (N, H, K, K) -> attn (N, H), the average of the cells under the weights; weights (N, K, K), the
    softmax over all cells of the dot products prev_h . A[:, :, p, q] / sqrt(H).
    """
    # [task] Compute the attention and its weights.
    N, H, K, L = A.shape
    cells = A.reshape(N, H, K * L)
    scores = torch.einsum("nh,nhk->nk", prev_h, cells) / math.sqrt(H)
    weights = scores.softmax(dim=1)
    attn = torch.einsum("nhk,nk->nh", cells, weights)
    return attn, weights.view(N, K, L)
    # [end]


class AttentionLSTM(nn.Module):
    """An LSTM whose every step also gets what attention sees: a = x Wx + h Wh + attn Wattn + b.

    Parameters: Wx (D, 4H), Wh (H, 4H), Wattn (H, 4H), b (4H,), gates in the order i, f, o, g.
    """

    def __init__(self, input_dim, hidden_dim):
        super().__init__()
        self.Wx = nn.Parameter(torch.randn(input_dim, 4 * hidden_dim) / math.sqrt(input_dim))
        self.Wh = nn.Parameter(torch.randn(hidden_dim, 4 * hidden_dim) / math.sqrt(hidden_dim))
        self.Wattn = nn.Parameter(torch.randn(hidden_dim, 4 * hidden_dim) / math.sqrt(hidden_dim))
        self.b = nn.Parameter(torch.zeros(4 * hidden_dim))

    def step_forward(self, x, prev_h, prev_c, attn):
        """x (N, D), prev_h, prev_c, attn (N, H) -> next_h, next_c (N, H)."""
        # [task] Compute the next hidden state and the next cell state.
        return _lstm_gates(x @ self.Wx + prev_h @ self.Wh + attn @ self.Wattn + self.b, prev_c)
        # [end]

    def forward(self, x, A):
        """x (N, T, D), A (N, H, K, K) -> h (N, T, H). Hidden and cell state start as the mean of A over its cells."""
        # [task] Compute the hidden states of all steps; before each, look at the image with the state so far.
        a = x.transpose(0, 1) @ self.Wx + self.b  # (T, N, 4H)
        h = c = A.mean(dim=(2, 3))
        W, states = torch.cat([self.Wh, self.Wattn]), []  # one product for state and attention
        for a_t in a.unbind():
            attn, _ = dot_product_attention(h, A)
            h, c = _lstm_gates(torch.addmm(a_t, torch.cat([h, attn], dim=1), W), c)
            states.append(h)
        return torch.stack(states, dim=1)
        # [end]


# ---- captions ------------------------------------------------------------------------------------------------------


class CaptioningRNN(nn.Module):
    """Image -> caption: the image sets the state that the network starts from, and every word predicts the next.

    word_to_idx: word -> its number; `<NULL>` (padding) is there, `<START>` and `<END>` may be missing. input_dim: the
    channels of the image features. cell_type: "rnn", "lstm" or "attn". ignore_index: the word that costs nothing.
    """

    def __init__(
        self,
        word_to_idx,
        input_dim=512,
        wordvec_dim=128,
        hidden_dim=128,
        cell_type="rnn",
        image_encoder_pretrained=True,
        ignore_index=None,
    ):
        super().__init__()
        if cell_type not in ("rnn", "lstm", "attn"):
            raise ValueError(f"The cell types are 'rnn', 'lstm' and 'attn'; got {cell_type!r}.")
        self.cell_type = cell_type
        self.word_to_idx = word_to_idx
        self.idx_to_word = {i: word for word, i in word_to_idx.items()}
        self.ignore_index = ignore_index
        self._null = word_to_idx["<NULL>"]
        self._start = word_to_idx.get("<START>")
        self._end = word_to_idx.get("<END>")
        vocab_size = len(word_to_idx)
        # [task] Make the parts: an ImageEncoder, pretrained or not as image_encoder_pretrained says; a layer from
        # input_dim image features to hidden_dim; a WordEmbedding; the RNN, LSTM or AttentionLSTM that cell_type asks
        # for; a layer from the hidden state to a score for each of the vocab_size words.

        self.image_encoder = ImageEncoder(pretrained=image_encoder_pretrained)
        self.project = nn.Linear(input_dim, hidden_dim)
        self.embed = WordEmbedding(vocab_size, wordvec_dim)
        cells = {"rnn": RNN, "lstm": LSTM, "attn": AttentionLSTM}
        self.cell = cells[cell_type](wordvec_dim, hidden_dim)
        self.score = nn.Linear(hidden_dim, vocab_size)
        # [end]

    # [solution]
    def _look(self, images):
        """Images (N, 3, 112, 112) -> the grid A (N, H, 4, 4) of projected features, and its mean (N, H)."""
        features = self.image_encoder(images)  # (N, C, 4, 4)
        A = self.project(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).contiguous()
        return A, A.mean(dim=(2, 3))

    # [end]

    def forward(self, images, captions):
        """The loss of the captions under the network. images (N, 3, 112, 112), captions (N, T) int64 -> 0-dim

        Reading words 0 ... T - 2 of a caption, the network has to predict the words 1 ... T - 1.
        """
        # [task] Encode the images, and project them: averaged over the grid as first hidden state of RNN and LSTM, or
        # as the grid that attention looks at. Embed all words but the last, run the recurrent network, compute scores,
        # and return the temporal_softmax_loss of all words but the first, with self.ignore_index.

        A, h0 = self._look(images)
        words = self.embed(captions[:, :-1])
        h = self.cell(words, A if self.cell_type == "attn" else h0)
        return temporal_softmax_loss(self.score(h), captions[:, 1:], self.ignore_index)
        # [end]

    @torch.no_grad()
    def sample(self, images, max_length=15):
        """The most likely word at every step, fed back as the next input. images (N, 3, 112, 112)

        -> captions (N, max_length) int64; with attention also the weights (N, max_length, 4, 4). The first input is
        `<START>`, which is not part of the caption; nothing stops at `<END>`.
        """
        # [task] Start as forward does, from the word <START>. At each step take the word with the largest score, keep
        # it as a word of the caption, and use it as the next input. With attention, keep the weights of every step.

        A, h = self._look(images)
        c = h if self.cell_type == "attn" else torch.zeros_like(h)
        word = torch.full((len(h),), self._start, dtype=torch.int64, device=h.device)
        captions, looks = [], []
        for _ in range(max_length):
            x = self.embed(word)
            if self.cell_type == "rnn":
                h = self.cell.step_forward(x, h)
            elif self.cell_type == "lstm":
                h, c = self.cell.step_forward(x, h, c)
            else:
                attn, weights = dot_product_attention(h, A)
                h, c = self.cell.step_forward(x, h, c, attn)
                looks.append(weights)
            word = self.score(h).argmax(dim=1)
            captions.append(word)
        captions = torch.stack(captions, dim=1)
        return (captions, torch.stack(looks, dim=1)) if looks else captions
        # [end]
