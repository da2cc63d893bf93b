"""Sums along a series of numbers."""

import torch


def running_sum(x: torch.Tensor) -> torch.Tensor:
    """x (N,) -> s (N,) with s[i] = x[0] + ... + x[i], int64 for integers."""
    # [task] Keep a total, and write it down after each entry.
    sums = torch.zeros_like(x)
    total = 0
    for i in range(x.shape[0]):
        total = total + x[i]
        sums[i] = total
    return sums
    # [end]


def moving_mean(x: torch.Tensor, width: int) -> torch.Tensor:
    """x (N,), width w -> means (N - w + 1,) of w neighbours each."""
    # [task] Slice x at every place, and take the mean of the slice.
    return torch.stack([x[i : i + width].mean() for i in range(x.shape[0] - width + 1)])
    # [end]
