"""Checks of A3: the convolution. Loops are fine there; cuDNN's short cuts are not."""

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import hide_errors, number, visibility, weight

LARGER_DRAW = "A second draw with other sizes came out wrong. Look for a size that is written into the function."


def convolve(x, w, b, conv_param):
    return torch.nn.functional.conv2d(x, w, b, stride=conv_param["stride"], padding=conv_param["pad"])


def images(draw, *, n=2, c=3, size=(5, 5), f=4, window=(3, 3), dtype=torch.float64):
    """x, w and b of a convolution."""
    scale = (c * window[0] * window[1]) ** -0.5
    return {
        "x": draw.normal(n, c, *size, dtype=dtype),
        "w": draw.normal(f, c, *window, dtype=dtype, scale=scale),
        "b": draw.normal(f, dtype=dtype),
    }


def setting(stride=1, pad=1):
    return {"stride": stride, "pad": pad}


@pytest.fixture
def conv(layer):
    usual = lambda x, w, b, conv_param: (x, w, b, conv_param)  # noqa: E731
    return layer("convolutional_networks.Conv", convolve, ("dx", "dw", "db"), usual)


# ---- 17. Conv.forward ----------------------------------------------------------------------------------------------


@number("17.1")
@weight(2)
@visibility("visible")
def test_conv(conv, draw):
    """Conv.forward convolves images with filters and adds the bias."""
    conv.out(images(draw), setting(), dtype=False)


@number("17.2")
@weight(1)
@visibility("visible")
def test_conv_stride(conv, draw):
    """Conv.forward moves the filter by the stride."""
    conv.out(images(draw, size=(7, 7)), setting(stride=2), dtype=False)
    conv.out(images(draw, size=(4, 4), window=(4, 4)), setting(stride=2), dtype=False)


@number("17.3")
@weight(1)
@visibility("visible")
def test_conv_padding(conv, draw):
    """Conv.forward pads with zeros, as widely as it is told."""
    conv.out(images(draw, size=(4, 4), window=(5, 5)), setting(pad=2), dtype=False)
    conv.out(images(draw, size=(5, 5), window=(1, 1)), setting(pad=1), dtype=False)


@number("17.4")
@weight(1)
@visibility("visible")
def test_conv_careful(conv, draw):
    """Conv.forward keeps the dtype, leaves its inputs as they were, and does the work itself."""
    conv.out(images(draw, n=1, dtype=torch.float32), setting())
    conv.inputs(images(draw), setting())
    conv.traced(images(draw, size=(4, 4)), setting())


@number("17.5")
@weight(1)
@visibility("visible")
def test_conv_edge(conv, draw):
    """Conv.forward works without padding, for images and filters that are not square."""
    conv.out(images(draw), setting(pad=0), dtype=False)
    conv.out(images(draw, size=(5, 8), window=(3, 2)), setting(pad=1), dtype=False)


# ---- 18. Conv.backward ---------------------------------------------------------------------------------------------


@number("18.1")
@weight(3)
@visibility("visible")
def test_conv_dx(conv, draw):
    """Conv.backward returns dx, without the padding."""
    conv.explained(["dx"], images(draw, size=(4, 4), c=2, f=3), setting())


@number("18.2")
@weight(1.5)
@visibility("visible")
def test_conv_dw(conv, draw):
    """Conv.backward returns dw."""
    conv.explained(["dw"], images(draw, size=(4, 4), c=2, f=3), setting())


@number("18.3")
@weight(0.5)
@visibility("visible")
def test_conv_db(conv, draw):
    """Conv.backward returns db."""
    conv.explained(["db"], images(draw, size=(4, 4), c=2, f=3), setting())


@number("18.4")
@weight(0.5)
@visibility("visible")
def test_conv_backward_stride(conv, draw):
    """Conv.backward is right for other strides and paddings."""
    wanted = conv.right_names(images(draw), setting())
    conv.gradient(wanted, images(draw, size=(7, 7)), setting(stride=2))
    conv.gradient(wanted, images(draw, size=(4, 4), window=(5, 5)), setting(pad=2))


@number("18.5")
@weight(0.5)
@visibility("visible")
def test_conv_repeated(conv, draw):
    """Conv.backward returns the same gradients again, whatever ran between, and leaves dout as it was."""
    conv.repeated(images(draw), images(draw, n=3), setting())
    conv.upstream_kept(images(draw), setting())


@number("18.6")
@weight(0.5)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=15)
def test_conv_backward_cost(conv, draw):
    """Conv.backward computes the gradients from their formula, and does the work itself."""
    small = images(draw, n=1, size=(4, 4), f=2)
    conv.affordable(images(draw, c=12, size=(10, 10), f=3), small, setting(), loops=True)


@number("18.7")
@weight(0.5)
@visibility("hidden")
@hide_errors(LARGER_DRAW)
def test_conv_backward_larger(conv, draw):
    """Conv.backward is right for other sizes and in float32, too."""
    wanted = conv.right_names(images(draw), setting())
    conv.gradient(wanted, images(draw, n=3, c=2, size=(6, 6), f=5, dtype=torch.float32), setting(), dtype=True)
    conv.gradient(wanted, images(draw, n=1, c=1, size=(6, 6), f=1), setting())


@number("18.8")
@weight(1)
@visibility("visible")
def test_conv_backward_without_padding(conv, draw):
    """Conv.backward works without padding."""
    wanted = conv.right_names(images(draw), setting())
    conv.gradient(wanted, images(draw), setting(pad=0))


@number("18.9")
@weight(1)
@visibility("visible")
def test_conv_backward_oblong(conv, draw):
    """Conv.backward works for images and filters that are not square."""
    wanted = conv.right_names(images(draw), setting())
    conv.gradient(wanted, images(draw, size=(5, 8)), setting())
    conv.gradient(wanted, images(draw, size=(6, 5), window=(3, 2)), setting())
