def norms(X):
    return torch.ｌinalg.norm(X, dim=1)
