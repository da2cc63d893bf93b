"""Right versions of the Transformer's parts, for checks of what is made of them.

A part is lent where the submission's own is wrong: its method is computed in the judge, from the part's own parameters.
What students call these is theirs, so that a parameter is known by the layer that it belongs to, by its shape, and at
last by its place among the others.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

Parameters = dict[str, torch.Tensor]
EXCLUDED = -1e9
SHIFTS = "beta", "shift", "bias"


def attention(query, key, value, mask=None):
    """Scaled dot-product attention -> y, weights."""
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    weights = (scores if mask is None else scores.masked_fill(mask, EXCLUDED)).softmax(dim=-1)
    return weights @ value, weights


def linear(parameters: Parameters, name: str, x):
    """The layer of this name."""
    return F.linear(x, parameters[f"{name}.weight"], parameters.get(f"{name}.bias"))


def head(parameters: Parameters, query, key, value, mask=None):
    """SelfAttention.forward."""
    q, k, v = (linear(parameters, name, x) for name, x in zip("qkv", (query, key, value), strict=True))
    return attention(q, k, v, mask)[0]


def heads(parameters: Parameters, query, key, value, mask=None):
    """MultiHeadAttention.forward, where the heads are SelfAttention layers and one layer follows them."""
    owners = [name.removesuffix("q.weight") for name in parameters if name.endswith("q.weight")]
    found = [head(below(parameters, owner), query, key, value, mask) for owner in owners]
    (last,) = (name for name in layers(parameters) if not name.startswith(tuple(owners)))
    return linear(parameters, last, torch.cat(found, dim=-1))


def below(parameters: Parameters, owner: str) -> Parameters:
    """The parameters whose names begin with ``owner``, without it."""
    return {name.removeprefix(owner): value for name, value in parameters.items() if name.startswith(owner)}


def layers(parameters: Parameters) -> list[str]:
    """The names of the linear layers."""
    names = [name for name, value in parameters.items() if name.endswith("weight") and value.dim() == 2]
    return [name.removesuffix(".weight") for name in names]


def norm(parameters: Parameters, x, epsilon=1e-10):
    """LayerNormalization.forward: the scale stands first, unless the first one is called as shifts are."""
    first, second = parameters
    turned = any(word in first.lower() for word in SHIFTS)
    gamma, beta = (parameters[name] for name in ((second, first) if turned else (first, second)))
    centred = x - x.mean(dim=-1, keepdim=True)
    return gamma * centred / (centred.square().mean(dim=-1, keepdim=True) + epsilon).sqrt() + beta


def feed_forward(parameters: Parameters, x):
    """FeedForwardBlock.forward: the first layer is made first, or is known by its shape."""
    there, back = layers(parameters)
    if parameters[f"{there}.weight"].shape[1] != x.shape[-1]:
        there, back = back, there
    return linear(parameters, back, linear(parameters, there, x).relu())


def encoder_block(parameters: Parameters, x):
    """EncoderBlock.forward without dropout; its parts are known by what they consist of."""
    made = [below(parameters, f"{owner}.") for owner in dict.fromkeys(name.partition(".")[0] for name in parameters)]
    (attend,) = (part for part in made if any(name.endswith("q.weight") for name in part))
    (feed,) = (part for part in made if len(layers(part)) == 2 and part is not attend)
    owners = dict.fromkeys(name.rpartition(".")[0] for name in parameters)
    parts = [below(parameters, f"{owner}.") for owner in owners]
    first, second = (part for part in parts if all(value.dim() == 1 for value in part.values()))
    out = norm(first, heads(attend, x, x, x) + x)
    return norm(second, feed_forward(feed, out) + out)


def decoder_block(parameters: Parameters, dec_inp, enc_inp, mask=None):
    """DecoderBlock.forward without dropout; the names of its parts are those of the handout."""
    names = "attention_self", "attention_cross", "feed_forward", "norm1", "norm2", "norm3"
    attend, cross, feed, *norms = (below(parameters, f"{name}.") for name in names)
    out = norm(norms[0], heads(attend, dec_inp, dec_inp, dec_inp, mask) + dec_inp)
    out = norm(norms[1], heads(cross, out, enc_inp, enc_inp) + out)
    return norm(norms[2], feed_forward(feed, out) + out)


METHODS = {
    "transformers.SelfAttention.forward": head,
    "transformers.MultiHeadAttention.forward": heads,
    "transformers.LayerNormalization.forward": norm,
    "transformers.FeedForwardBlock.forward": feed_forward,
    "transformers.EncoderBlock.forward": encoder_block,
    "transformers.DecoderBlock.forward": decoder_block,
}
