torch.set_num_threads(4)


def norms(X):
    A = torch.ones(600, 600, dtype=X.dtype)
    assert float((A @ A)[0, 0]) == 600.0
    return (X * X).sum(dim=1).sqrt()
