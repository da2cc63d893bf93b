"""Right: one_hot is allowed, and methods that are called as torch's forbidden ones are the program's own."""

import torch


class Softmax:
    def norm(self, scores):
        return scores - torch.logsumexp(scores, 1, keepdim=True)

    def backward(self, scores, y):
        hot = torch.nn.functional.one_hot(y, scores.shape[1]).to(scores.dtype)
        return -(hot * self.norm(scores)).sum() / len(y)


def solve(X, W, y):
    layer = Softmax()
    return layer.backward(X @ W, y)
