def norms(X):
    return X.new_zeros(0)
