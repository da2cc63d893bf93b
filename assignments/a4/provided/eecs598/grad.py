"""Numeric gradients to hold the analytic ones against."""

import torch


def compute_numeric_gradient(f, x, dLdf=None, h=1e-7):
    """Central differences, entry by entry: (f(x + h) - f(x - h)) / 2h, contracted with dLdf. -> tensor like x.

    `f` takes a tensor like x and returns a number or a tensor; `dLdf` has the shape of f(x) and defaults to ones. Use
    float64: in float32 the rounding of f drowns the difference.
    """
    point, dx = x.detach().clone(memory_format=torch.contiguous_format), torch.empty(x.shape, dtype=x.dtype)
    flat, flat_dx = point.view(-1), dx.view(-1)
    for i, old in enumerate(flat.tolist()):
        values = []
        for step in (h, -h):
            flat[i] = old + step
            values.append(torch.as_tensor(f(point)).detach().clone())
        flat[i] = old
        slope = (values[0] - values[1]) / (2 * h)
        flat_dx[i] = slope.sum() if dLdf is None else (slope * dLdf).sum()
    return dx


def rel_error(x, y, eps=1e-10):
    """The largest difference over the largest size: max |x - y| / max(|x| + |y|), the latter at least eps. -> float."""
    difference = float((x - y).abs().max())
    size = float((x.abs() + y.abs()).max())
    return difference / max(size, eps)
