def norms(X):
    return torch.empty(len(X), dtype=X.dtype)
