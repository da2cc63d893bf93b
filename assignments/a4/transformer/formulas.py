"""Right formulas of the Transformer, and what else its checks share."""

import torch
from torch.nn import functional as F

from grader.contract.verdict import CheckFailed

# Part of the work may be done in float32, such as a root of a tensor; mistakes are larger by orders of magnitude.
CLOSE = {"rtol": 1e-5, "atol": 1e-5, "dtype": False}
OTHER_DRAW = "A second draw with other sizes came out wrong. Look for a size that is written into the class."


def future(N, K):
    return torch.ones(K, K, dtype=torch.bool).triu(1).expand(N, K, K)


def attend(query, key, value, mask=None):
    """Attention by torch's own hand; no row of the mask is True throughout."""
    return F.scaled_dot_product_attention(query, key, value, None if mask is None else ~mask)


def weights_of(query, key, mask=None):
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    return (scores if mask is None else scores.masked_fill(mask, float("-inf"))).softmax(dim=-1)


def drawn(draw, N, K, L, M, D):
    """query (N, K, M), key (N, L, M), value (N, L, D)."""
    return draw.normal(N, K, M), draw.normal(N, L, M), draw.normal(N, L, D)


def some_mask(draw, N, K, L):
    """About half of the keys are hidden, and in every row at least one is not, and one is."""
    mask = draw.uniform(N, K, L) < 0.5
    rows = torch.arange(K)
    mask[:, rows, rows % L] = False
    mask[:, rows, (rows + 1) % L] = True
    return mask


def pair(got):
    if type(got) not in (tuple, list) or len(got) != 2:
        raise CheckFailed("The function should return two things: the output y, and the softmaxed weights.")
    return got[0], got[1]
