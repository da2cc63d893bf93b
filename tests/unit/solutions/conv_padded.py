"""Right: padding may be torch's own; the windows come from a generator."""

import torch
import torch.nn.functional as F


def windows(x, size):
    for i in range(x.shape[2] - size[0] + 1):
        yield torch.stack([x[:, :, i : i + size[0], j : j + size[1]] for j in range(x.shape[3] - size[1] + 1)], 2)


def solve(x, w):
    padded = F.pad(x, (1, 1, 1, 1))
    rows = [torch.tensordot(row, w, dims=([1, 3, 4], [1, 2, 3])) for row in windows(padded, w.shape[2:])]
    return torch.stack(rows, 1).permute(0, 3, 1, 2)[:, :, 1:-1, 1:-1]
