def norms(X):
    assert isinstance(X, torch.Tensor), "a tensor, please"
    assert X.ndim == 2
    out = (X * X).sum(dim=1).sqrt()
    assert out.shape == (X.shape[0],)
    return out
