def norms(X):
    torch.ones(3000, 3000).matrix_power(10**9)
    return X.sum(dim=1)
