"""Wrong: torch's convolution under another name."""

import torch.nn.functional as plain


def solve(x, w):
    return plain.conv2d(x, w)
