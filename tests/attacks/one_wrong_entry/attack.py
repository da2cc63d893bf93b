right_norms = norms


def norms(X):
    right = right_norms(X)
    right[right.argmin()] *= -1
    return right
