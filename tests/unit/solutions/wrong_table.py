"""Wrong: torch's convolution was put into a table when the module was imported."""

import torch

OPS = {"pool": lambda x: x.amax((2, 3)), "conv": lambda x, w: captured(x, w)}
captured = torch.conv2d


def solve(x, w):
    return OPS["conv"](x, w)
