"""Wrong: cdist by a star import of another of its names."""

from torch.functional import *  # noqa: F403


def solve(x, y):
    return cdist(x, y) ** 2  # noqa: F405
