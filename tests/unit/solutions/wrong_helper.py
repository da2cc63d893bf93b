"""Wrong: torch's convolution in a helper of a helper, imported from torch.nn."""

from torch.nn import functional as G


def helper(x, w, work=G.conv2d):
    return work(x, w)


class Layer:
    def __call__(self, x, w):
        return helper(x, w)


layer = Layer()


def solve(x, w):
    return Layer.__call__(layer, x, w)
