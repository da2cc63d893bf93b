def norms(X):
    out = X.clone()
    out.mul_(X)
    total = torch.zeros(len(X), dtype=X.dtype)
    total.add_(out.sum(1)).sqrt_()
    return total
