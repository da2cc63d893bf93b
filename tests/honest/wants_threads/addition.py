torch.set_num_threads(4)


def norms(X):
    torch.set_num_threads(2)
    return (X * X).sum(dim=1).sqrt()
