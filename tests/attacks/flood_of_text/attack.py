def norms(X):
    raise ValueError("x" * (1 << 26))
