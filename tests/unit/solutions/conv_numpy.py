"""Right: numpy does the work, in a function inside the function."""

import numpy as np
import torch


def solve(x, w):
    images, filters = x.numpy(), w.numpy()

    def pixel(i, j):
        window = images[:, None, :, i : i + filters.shape[2], j : j + filters.shape[3]]
        return (window * filters[None]).sum(axis=(2, 3, 4))

    OH, OW = images.shape[2] - filters.shape[2] + 1, images.shape[3] - filters.shape[3] + 1
    return torch.from_numpy(
        np.array([[pixel(i, j) for j in range(OW)] for i in range(OH)]).transpose(2, 3, 0, 1).copy()
    )
