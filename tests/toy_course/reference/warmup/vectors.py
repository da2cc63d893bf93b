"""Vectors: products and lengths."""

import torch


def dot(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Inner product of x (N,) and y (N,), a scalar tensor of their dtype; 0 where N is 0."""
    # [task] Multiply the entries, and add the products up.
    return (x * y).sum()
    # [end]


def norms(X: torch.Tensor) -> torch.Tensor:
    """Euclidean length of every row of X (N, D): a tensor (N,)."""
    # [task] Square the entries, add them up along each row, and take the root.
    return (X * X).sum(dim=1).sqrt()
    # [end]


def unit(x: torch.Tensor) -> torch.Tensor:
    """x (N,) divided by its Euclidean length."""
    # [task] Divide x by the root of its inner product with itself.
    return x / torch.sqrt(dot(x, x))
    # [end]
