def norms(X):
    Σ = (X * X).sum(dim=1)
    länge = Σ.sqrt()
    return länge
