"""Right: the squares of a difference by one matrix product; the helper is a lambda, and a name is that of a module."""

import torch.nn.functional as F  # noqa: F401

squares = lambda rows: (rows * rows).sum(1)  # noqa: E731


def solve(x, y):
    N, F = len(x), len(y)  # noqa: F811
    return (squares(x).view(N, 1) + squares(y).view(1, F) - 2 * x @ y.t()).clamp(min=0)
