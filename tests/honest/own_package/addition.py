from mylib import square
from mylib.maths import root


def norms(X):
    return root(square(X).sum(dim=1))
