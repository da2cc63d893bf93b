"""Right where one loop is wanted: numpy walks through the rows."""

import numpy as np
import torch


def solve(x, y):
    distances = np.vectorize(lambda i: ((x[int(i)] - y) ** 2).sum(1).numpy(), signature="()->(n)")
    return torch.from_numpy(distances(np.arange(len(x))))
