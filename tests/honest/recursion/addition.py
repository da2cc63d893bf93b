import sys

sys.setrecursionlimit(10_000)


def total(x):
    return x[0] + total(x[1:]) if len(x) else torch.zeros((), dtype=x.dtype)


def norms(X):
    return torch.stack([total(row * row) for row in X]).sqrt()
