"""Right where one loop is wanted: it hides in map."""

import torch


def solve(x, y):
    return torch.stack(list(map(lambda row: ((row - y) ** 2).sum(1), x)))  # noqa: C417
