"""Checks of A3: the linear layer and the ReLU."""

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import hide_errors, number, visibility, weight

LARGER_DRAW = "A second draw with other sizes came out wrong. Look for a size that is written into the function."


def linear(x, w, b):
    return x.reshape(x.shape[0], -1) @ w + b


def relu(x):
    return x.clamp(min=0)


def rows(draw, *, n=4, dims=(5,), m=3, dtype=torch.float64):
    """x, w and b of a linear layer."""
    d = torch.Size(dims).numel()
    w = draw.normal(d, m, dtype=dtype, scale=d**-0.5)
    return {"x": draw.normal(n, *dims, dtype=dtype), "w": w, "b": draw.normal(m, dtype=dtype)}


def signed(draw, *shape, dtype=torch.float64):
    """Numbers of both signs, none so close to 0 that rounding decides."""
    x = draw.normal(*shape, dtype=dtype)
    return {"x": x + 0.05 * x.sign()}


@pytest.fixture
def linear_layer(layer):
    usual = lambda x, w, b: (x, w, b)  # noqa: E731
    return layer("fully_connected_networks.Linear", linear, ("dx", "dw", "db"), usual)


@pytest.fixture
def relu_layer(layer):
    return layer("fully_connected_networks.ReLU", relu, ("dx",), lambda x: x)


# ---- 1. Linear.forward ---------------------------------------------------------------------------------------------


@number("1.1")
@weight(2)
@visibility("visible")
def test_linear_rows(linear_layer, draw):
    """Linear.forward multiplies rows by w and adds b."""
    linear_layer.out(rows(draw), dtype=False)


@number("1.2")
@weight(1)
@visibility("visible")
def test_linear_images(linear_layer, draw):
    """Linear.forward flattens examples of any shape, such as images."""
    linear_layer.out(rows(draw, dims=(2, 3, 4)), dtype=False)


@number("1.3")
@weight(0.5)
@visibility("visible")
def test_linear_small(linear_layer, draw):
    """Linear.forward works in float32, with a single example, and without functions that are not allowed."""
    linear_layer.out(rows(draw, n=1, dims=(3, 2), dtype=torch.float32))
    linear_layer.traced(rows(draw))


@number("1.4")
@weight(0.5)
@visibility("visible")
def test_linear_inputs(linear_layer, draw):
    """Linear.forward leaves x, w and b as they were."""
    linear_layer.inputs(rows(draw, dims=(2, 3)))


# ---- 2. Linear.backward --------------------------------------------------------------------------------------------


@number("2.1")
@weight(2)
@visibility("visible")
def test_linear_dx(linear_layer, draw):
    """Linear.backward returns dx, in the shape of x."""
    linear_layer.explained(["dx"], rows(draw, dims=(2, 3)))


@number("2.2")
@weight(1.5)
@visibility("visible")
def test_linear_dw(linear_layer, draw):
    """Linear.backward returns dw."""
    linear_layer.explained(["dw"], rows(draw, dims=(2, 3)))


@number("2.3")
@weight(1)
@visibility("visible")
def test_linear_db(linear_layer, draw):
    """Linear.backward returns db."""
    linear_layer.explained(["db"], rows(draw, dims=(2, 3)))


@number("2.4")
@weight(0.5)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=4)
def test_linear_backward_cost(linear_layer, draw):
    """Linear.backward computes the gradients from their formula, fast enough for images."""
    linear_layer.affordable(rows(draw, n=16, dims=(3, 16, 16), m=40), rows(draw))


@number("2.5")
@weight(0.5)
@visibility("visible")
def test_linear_repeated(linear_layer, draw):
    """Linear.backward returns the same gradients again, whatever ran between, and leaves dout as it was."""
    linear_layer.repeated(rows(draw, dims=(2, 3)), rows(draw, n=6))
    linear_layer.upstream_kept(rows(draw))


@number("2.6")
@weight(0.5)
@visibility("hidden")
@hide_errors(LARGER_DRAW)
def test_linear_backward_larger(linear_layer, draw):
    """Linear.backward is right for other sizes and in float32, too."""
    wanted = linear_layer.right_names(rows(draw))
    linear_layer.gradient(wanted, rows(draw, n=17, dims=(3, 4, 5), m=13, dtype=torch.float32), dtype=True)
    linear_layer.gradient(wanted, rows(draw, n=1, dims=(7,), m=1))


# ---- 3. ReLU.forward -----------------------------------------------------------------------------------------------


@number("3.1")
@weight(1.5)
@visibility("visible")
def test_relu(relu_layer, draw):
    """ReLU.forward keeps what is positive and replaces the rest by 0, for x of any shape."""
    for shape in ((4, 6), (2, 3, 4, 5)):
        relu_layer.out(signed(draw, *shape), dtype=False)


@number("3.2")
@weight(1)
@visibility("visible")
def test_relu_inputs(relu_layer, draw):
    """ReLU.forward leaves x as it was."""
    relu_layer.inputs(signed(draw, 4, 6))


@number("3.3")
@weight(0.5)
@visibility("visible")
def test_relu_small(relu_layer, draw):
    """ReLU.forward keeps the dtype, and works without torch.nn."""
    relu_layer.out(signed(draw, 5, 3, dtype=torch.float32))
    relu_layer.traced(signed(draw, 5, 3))


# ---- 4. ReLU.backward ----------------------------------------------------------------------------------------------


@number("4.1")
@weight(1.5)
@visibility("visible")
def test_relu_dx(relu_layer, draw):
    """ReLU.backward lets the gradient pass where x was positive."""
    for shape in ((4, 6), (2, 3, 4, 5)):
        relu_layer.gradient(["dx"], signed(draw, *shape))


@number("4.2")
@weight(0.5)
@visibility("visible")
def test_relu_repeated(relu_layer, draw):
    """ReLU.backward returns the same gradient again, whatever ran between."""
    relu_layer.repeated(signed(draw, 4, 6), signed(draw, 3, 5))


@number("4.3")
@weight(0.5)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=4)
def test_relu_backward_cost(relu_layer, draw):
    """ReLU.backward keeps the dtype, and computes the gradient from its formula, fast enough for images."""
    relu_layer.gradient(["dx"], signed(draw, 5, 3, dtype=torch.float32), dtype=True)
    relu_layer.affordable(signed(draw, 20, 3, 32, 32), signed(draw, 3, 4))


@number("4.4")
@weight(0.5)
@visibility("visible")
def test_relu_upstream(relu_layer, draw):
    """ReLU.backward leaves dout as it was."""
    relu_layer.upstream_kept(signed(draw, 4, 6))
