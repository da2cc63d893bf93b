import warnings

import numpy as np

np.seterr(all="raise")
warnings.simplefilter("always")


def norms(X):
    warnings.warn("this is slow", DeprecationWarning)
    return (X * X).sum(dim=1).sqrt()
