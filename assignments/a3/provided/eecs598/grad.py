"""Numeric gradients to hold the analytic ones against."""

import random

import torch


def compute_numeric_gradient(f, x, dLdf=None, h=1e-7):
    """Central differences, entry by entry: (f(x + h) - f(x - h)) / 2h, contracted with dLdf. -> tensor like x.

    `f` takes a tensor like x and returns a number or a tensor; `dLdf` has the shape of f(x) and defaults to ones.
    The entries of x itself are moved while f is called, because f may read x from a network, and are put back
    afterwards. Use float64: in float32 the rounding of f drowns the difference.
    """
    fx = f(x)
    if dLdf is None:
        dLdf = torch.ones_like(torch.as_tensor(fx))
    dx = torch.zeros_like(x)
    flat_x, flat_dx = _flat_alias(x), dx.reshape(-1)
    for i in range(flat_x.numel()):
        old = flat_x[i].item()
        flat_x[i] = old + h
        f_plus = torch.as_tensor(f(x)).clone()
        flat_x[i] = old - h
        f_minus = torch.as_tensor(f(x)).clone()
        flat_x[i] = old
        flat_dx[i] = ((f_plus - f_minus) * dLdf).sum() / (2 * h)
    return dx


def rel_error(x, y, eps=1e-10):
    """The largest difference over the largest size: max |x - y| / max(|x| + |y|), the latter at least eps. -> float."""
    difference = float((x - y).abs().max())
    size = float((x.abs() + y.abs()).max())
    return difference / max(size, eps)


def grad_check_sparse(f, x, analytic_grad, num_checks=10, h=1e-7):
    """Compare `analytic_grad` with central differences of the scalar function f at a few random entries; print them."""
    for _ in range(num_checks):
        index = tuple(random.randrange(n) for n in x.shape)  # noqa: S311 (no secret hangs on it)
        old = x[index].item()
        x[index] = old + h
        f_plus = float(f(x))
        x[index] = old - h
        f_minus = float(f(x))
        x[index] = old
        numeric, analytic = (f_plus - f_minus) / (2 * h), float(analytic_grad[index])
        error = abs(numeric - analytic) / max(abs(numeric) + abs(analytic), 1e-10)
        print(f"numeric {numeric:f}  analytic {analytic:f}  relative error {error:e}")


def _flat_alias(x):
    """x as a vector that shares its memory, whatever its strides are; ValueError where there is no such vector."""
    if x.is_contiguous():
        return x.view(-1)
    raise ValueError(f"compute_numeric_gradient needs a contiguous tensor; this one has strides {tuple(x.stride())}.")
