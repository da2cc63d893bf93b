"""Sums along a series of numbers."""

import torch


def running_sum(x: torch.Tensor) -> torch.Tensor:
    """x (N,) -> s (N,) with s[i] = x[0] + ... + x[i], int64 for integers."""
    # Keep a total, and write it down after each entry.
    raise NotImplementedError("running_sum: Keep a total, and write it down after each entry.")


def moving_mean(x: torch.Tensor, width: int) -> torch.Tensor:
    """x (N,), width w -> means (N - w + 1,) of w neighbours each."""
    # Slice x at every place, and take the mean of the slice.
    raise NotImplementedError("moving_mean: Slice x at every place, and take the mean of the slice.")
