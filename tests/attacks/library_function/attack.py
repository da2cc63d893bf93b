from torch import linalg as arithmetic


def norms(X):
    return arithmetic.norm(X, dim=1)
