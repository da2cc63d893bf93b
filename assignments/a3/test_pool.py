"""Checks of A3: max pooling. The drawn images hold no number twice, so that every window has one largest pixel."""

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import hide_errors, number, visibility, weight

LARGER_DRAW = "A second draw with other sizes came out wrong. Look for a size that is written into the function."


def largest(x, pool_param):
    window = (pool_param["pool_height"], pool_param["pool_width"])
    return torch.nn.functional.max_pool2d(x, window, stride=pool_param["stride"])


def images(draw, n=2, c=3, size=(6, 6), dtype=torch.float64):
    """Distinct pixels of both signs, at a distance from each other."""
    count = n * c * size[0] * size[1]
    values = (draw.permutation(count).double() + draw.uniform(count, high=0.5)) / count - 0.6
    return {"x": values.view(n, c, *size).to(dtype)}


def setting(height=2, width=2, stride=2):
    return {"pool_height": height, "pool_width": width, "stride": stride}


@pytest.fixture
def pool(layer):
    return layer("convolutional_networks.MaxPool", largest, ("dx",), lambda x, pool_param: (x, pool_param))


# ---- 19. MaxPool.forward -------------------------------------------------------------------------------------------


@number("19.1")
@weight(2)
@visibility("visible")
def test_pool(pool, draw):
    """MaxPool.forward takes the largest pixel of every window."""
    pool.out(images(draw), setting(), dtype=False)
    pool.out(images(draw), setting(3, 3, 3), dtype=False)


@number("19.2")
@weight(1)
@visibility("visible")
def test_pool_careful(pool, draw):
    """MaxPool.forward keeps the dtype, leaves x as it was, and does the work itself."""
    pool.out(images(draw, n=1, dtype=torch.float32), setting())
    pool.inputs(images(draw), setting())
    pool.traced(images(draw, size=(4, 4)), setting())


@number("19.3")
@weight(1)
@visibility("visible")
def test_pool_edge(pool, draw):
    """MaxPool.forward works for windows that overlap, and for images and windows that are not square."""
    pool.out(images(draw, size=(7, 7)), setting(3, 3, 2), dtype=False)
    pool.out(images(draw, size=(4, 8)), setting(), dtype=False)
    pool.out(images(draw, size=(6, 8)), setting(2, 4, 2), dtype=False)


# ---- 20. MaxPool.backward ------------------------------------------------------------------------------------------


@number("20.1")
@weight(2.5)
@visibility("visible")
def test_pool_dx(pool, draw):
    """MaxPool.backward hands the gradient of a window to its largest pixel."""
    pool.explained(["dx"], images(draw, size=(4, 4)), setting())
    pool.gradient(["dx"], images(draw), setting(3, 3, 3))


@number("20.2")
@weight(0.5)
@visibility("visible")
def test_pool_repeated(pool, draw):
    """MaxPool.backward returns the same gradient again, whatever ran between, and leaves dout as it was."""
    pool.repeated(images(draw), images(draw, n=3), setting())
    pool.upstream_kept(images(draw), setting())


@number("20.3")
@weight(1)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=8)
def test_pool_backward_cost(pool, draw):
    """MaxPool.backward finds the gradient from the windows, and does the work itself."""
    pool.affordable(images(draw, n=4, c=6, size=(12, 12)), images(draw, n=1, size=(4, 4)), setting(), loops=True)


@number("20.4")
@weight(0.5)
@visibility("hidden")
@hide_errors(LARGER_DRAW)
def test_pool_backward_larger(pool, draw):
    """MaxPool.backward is right for other sizes and in float32, too."""
    wanted = pool.right_names(images(draw), setting())
    pool.gradient(wanted, images(draw, n=3, c=2, size=(8, 8), dtype=torch.float32), setting(), dtype=True)
    pool.gradient(wanted, images(draw, n=1, c=1, size=(8, 8)), setting(4, 4, 4))


@number("20.5")
@weight(1)
@visibility("visible")
def test_pool_overlapping(pool, draw):
    """MaxPool.backward adds up where windows overlap and one pixel is the largest of several."""
    wanted = pool.right_names(images(draw), setting())
    pool.gradient(wanted, images(draw, size=(7, 7)), setting(3, 3, 2))
    pool.gradient(wanted, images(draw, size=(5, 5)), setting(3, 3, 1))


@number("20.6")
@weight(0.5)
@visibility("visible")
def test_pool_oblong(pool, draw):
    """MaxPool.backward works for images and windows that are not square."""
    wanted = pool.right_names(images(draw), setting())
    pool.gradient(wanted, images(draw, size=(4, 8)), setting())
    pool.gradient(wanted, images(draw, size=(5, 6)), setting(2, 3, 3))
