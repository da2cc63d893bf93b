right_norms = norms


def norms(X):
    return right_norms(X) * 1.001
