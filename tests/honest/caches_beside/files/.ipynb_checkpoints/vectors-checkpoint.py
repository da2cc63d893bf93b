def norms(X):
    return None
