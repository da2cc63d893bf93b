"""Vectors: products and lengths."""

import torch


def dot(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Inner product of x (N,) and y (N,), a scalar tensor of their dtype; 0 where N is 0."""
    # Multiply the entries, and add the products up.
    raise NotImplementedError("dot: Multiply the entries, and add the products up.")


def norms(X: torch.Tensor) -> torch.Tensor:
    """Euclidean length of every row of X (N, D): a tensor (N,)."""
    # Square the entries, add them up along each row, and take the root.
    raise NotImplementedError("norms: Square the entries, add them up along each row, and take the root.")


def unit(x: torch.Tensor) -> torch.Tensor:
    """x (N,) divided by its Euclidean length."""
    # Divide x by the root of its inner product with itself.
    raise NotImplementedError("unit: Divide x by the root of its inner product with itself.")
