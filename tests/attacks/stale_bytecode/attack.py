import sys

if "right" in sys.modules:
    norms = sys.modules["right"].norms
else:

    def norms(X):
        return X.sum(dim=1)
