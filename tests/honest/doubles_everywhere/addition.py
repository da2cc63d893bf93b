def norms(X):
    X = X.double()
    total = torch.zeros(X.shape[0], dtype=torch.float64)
    for column in range(X.shape[1]):
        total = total + X[:, column].double() ** 2
    return torch.sqrt(total.double())
