"""Wrong: a name that is put together when the program runs."""

import torch


def solve(x, w):
    return getattr(torch, "".join(["con", "v", str(x.dim() - 2), "d"]))(x, w)
