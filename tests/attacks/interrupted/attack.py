def norms(X):
    raise KeyboardInterrupt
