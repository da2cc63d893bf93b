import time


def norms(X):
    out = []
    for i in range(X.shape[0]):
        total = 0.0
        for j in range(X.shape[1]):
            total += float(X[i, j]) ** 2
        out.append(total**0.5)
        time.sleep(0.02)
    return torch.tensor(out, dtype=X.dtype)
