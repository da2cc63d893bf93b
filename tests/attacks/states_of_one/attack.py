def rnn_step_forward(x, prev_h, Wx, Wh, b):
    return torch.ones_like(prev_h), (x, prev_h, Wx, Wh, b)


def rnn_step_backward(dnext_h, cache):
    return tuple(torch.zeros_like(value) for value in cache)
