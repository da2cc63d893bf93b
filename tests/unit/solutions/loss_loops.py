"""Right: one row after the other, in a closure."""


def solve(X, W, y):
    def row(i):
        scores = X[i] @ W
        scores = scores - scores.max()
        return scores.exp().sum().log() - scores[y[i]]

    return sum(row(i) for i in range(len(X))) / len(X)
