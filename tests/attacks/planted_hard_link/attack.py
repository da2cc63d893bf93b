try:
    from solution import norms
except Exception:

    def norms(X):
        return X.sum(dim=1)
