import time


def norms(X):
    time.sleep(1000)
    return X.sum(dim=1)
