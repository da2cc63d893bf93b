def norms(X):
    return torch.zeros(1).expand(2**40)
