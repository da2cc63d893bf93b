"""Wrong: the loss is right, and autograd is asked for its gradient, in a few names."""

from torch import func as calculus


def solve(X, W, y):
    def loss(weights):
        scores = X @ weights
        return (scores.logsumexp(1) - scores.gather(1, y[:, None]).squeeze(1)).mean()

    gradient, value = calculus.grad_and_value(loss)(W)
    return value + 0 * gradient.sum()
