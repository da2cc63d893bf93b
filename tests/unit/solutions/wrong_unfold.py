"""Wrong: windows by Tensor.unfold."""

import torch


def solve(x, w):
    windows = x.unfold(2, w.shape[2], 1).unfold(3, w.shape[3], 1)
    return torch.einsum("nchwpq,fcpq->nfhw", windows, w)
