def squares(row):
    for entry in row:
        yield entry * entry


def norms(X):
    return torch.stack([sum(squares(row)) for row in X]).sqrt()
