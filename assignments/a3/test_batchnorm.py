"""Checks of A3: batch normalisation, of rows and of images."""

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import hide_errors, number, visibility, weight

from grader.contract.verdict import CheckFailed

LARGER_DRAW = "A second draw with other sizes came out wrong. Look for a size that is written into the function."
NAMES = ("dx", "dgamma", "dbeta")
# In numbers of this size eps does not show: whether a backward pass heeds it is a question of its own.
LARGE = 300.0


def moments(x):
    """Mean and biased variance of every feature, or of every channel of images."""
    rows = x if x.dim() == 2 else x.transpose(1, -1).reshape(-1, x.shape[1])
    return rows.mean(dim=0), rows.var(dim=0, unbiased=False)


def normalise(x, gamma, beta, bn_param):
    mean, var = moments(x)
    if bn_param["mode"] == "test":
        mean, var = bn_param["running_mean"], bn_param["running_var"]
    shape = (1, -1, *[1] * (x.dim() - 2))
    mean, var, gamma, beta = (value.view(shape) for value in (mean, var, gamma, beta))
    return gamma * (x - mean) / torch.sqrt(var + bn_param.get("eps", 1e-5)) + beta


def batch(draw, *shape, dtype=torch.float64, size=1.0):
    """x whose features differ in mean and deviation, gamma and beta."""
    c = shape[1]
    wide = (1, c, *[1] * (len(shape) - 2))
    mean, spread = draw.uniform(*wide, low=-3.0, high=5.0), draw.uniform(*wide, low=0.5, high=3.0)
    return {
        "x": (size * (mean + spread * draw.normal(*shape))).to(dtype),
        "gamma": draw.uniform(c, low=0.5, high=2.0, dtype=dtype),
        "beta": draw.normal(c, dtype=dtype),
    }


def training(**more):
    return {"mode": "train", **more}


def resting(draw, c, dtype=torch.float64):
    return {
        "mode": "test",
        "running_mean": draw.normal(c, dtype=dtype),
        "running_var": draw.uniform(c, low=0.5, high=4.0, dtype=dtype),
    }


@pytest.fixture
def norm(layer):
    return layer("convolutional_networks.BatchNorm", normalise, NAMES)


@pytest.fixture
def alternative(layer):
    return layer("convolutional_networks.BatchNorm", normalise, NAMES, backward="backward_alt")


@pytest.fixture
def spatial(layer):
    return layer("convolutional_networks.SpatialBatchNorm", normalise, NAMES)


def check_running(norm, draw, expect, shape, **settings):
    """The running averages after each of some batches."""
    momentum = settings.get("momentum", 0.9)
    sent, mean, var = training(**settings), torch.zeros(shape[1]), torch.zeros(shape[1])
    for count in range(1, 5):
        at = batch(draw, *shape)
        now_mean, now_var = moments(at["x"])
        mean, var = momentum * mean + (1 - momentum) * now_mean, momentum * var + (1 - momentum) * now_var
        got, after = norm.forward.observed(*(value.clone() for value in at.values()), sent)
        if type(got) not in (tuple, list) or len(got) != 2:
            raise CheckFailed("The function should return two things, out and a cache.")
        sent = after[3]
        if type(sent) is not dict or any(sent.get(name) is None for name in ("running_mean", "running_var")):
            raise CheckFailed("After a forward pass in training, bn_param should hold running_mean and running_var.")
        batches = f"after {count} batch{'es' * (count > 1)}"
        expect(sent["running_mean"], f"running_mean {batches}").matches(mean, dtype=False)
        expect(sent["running_var"], f"running_var {batches}").matches(var, dtype=False, sizes={"N": shape[0]})


def check_test_mode(norm, draw, expect, *shape):
    """Running averages are used, and stay as they are."""
    at, settings = batch(draw, *shape), resting(draw, shape[1])
    norm.out(at, settings, dtype=False)
    _, after = norm.forward.observed(*(value.clone() for value in at.values()), dict(settings))
    for name in ("running_mean", "running_var"):
        now = after[3].get(name) if type(after[3]) is dict else None
        expect(now, name).is_unchanged_from(settings[name])


# ---- 28. BatchNorm.forward -----------------------------------------------------------------------------------------


@number("28.1")
@weight(2)
@visibility("visible")
def test_norm(norm, draw):
    """BatchNorm.forward gives every feature the mean beta and the deviation gamma in training."""
    norm.out(batch(draw, 7, 4), training(), dtype=False, sizes={"N": 7})


@number("28.2")
@weight(1.5)
@visibility("visible")
def test_running(norm, draw, expect):
    """BatchNorm.forward keeps running averages of mean and biased variance in bn_param."""
    check_running(norm, draw, expect, (6, 4))
    check_running(norm, draw, expect, (5, 3), momentum=0.7)


@number("28.3")
@weight(1.5)
@visibility("visible")
def test_norm_rests(norm, draw, expect):
    """BatchNorm.forward normalises with the running averages at test time, and leaves them as they are."""
    check_test_mode(norm, draw, expect, 5, 4)


@number("28.4")
@weight(1)
@visibility("visible")
def test_norm_careful(norm, draw):
    """BatchNorm.forward keeps the dtype, leaves x, gamma and beta as they were, and does the work itself."""
    norm.out(batch(draw, 6, 3, dtype=torch.float32), training())
    norm.inputs(batch(draw, 6, 3), training())
    norm.traced(batch(draw, 6, 3), training())


@number("28.5")
@weight(1)
@visibility("visible")
def test_norm_eps(norm, draw):
    """BatchNorm.forward adds eps to the variance, so that a feature that never changes stays finite."""
    norm.out(batch(draw, 5, 3), training(eps=0.5), dtype=False)
    at = batch(draw, 5, 3)
    at["x"][:, 1] = 1.5
    norm.out(at, training(), dtype=False, rtol=1e-6, atol=1e-6)


# ---- 29. BatchNorm.backward ----------------------------------------------------------------------------------------


def check_repeated(norm, draw, *shape):
    norm.repeated(batch(draw, *shape), batch(draw, *shape), training())
    norm.upstream_kept(batch(draw, *shape), training())


def check_dx(norm, draw):
    """dx, for numbers of a usual size or at least for large ones."""
    try:
        norm.explained(["dx"], batch(draw, 6, 3), training())
    except CheckFailed as failure:
        try:
            norm.gradient(["dx"], batch(draw, 6, 3, size=LARGE), training())
        except CheckFailed:
            raise failure from None


def check_larger(norm, draw):
    try:
        norm.out(batch(draw, 6, 3), training(), dtype=False)
        size = LARGE
    except CheckFailed:
        # What is wrong in forward was paid for there, and follows into backward.
        size = 1.0
    wanted = norm.right_names(batch(draw, 6, 3, size=size), training())
    norm.gradient(wanted, batch(draw, 31, 11, dtype=torch.float32), training(), dtype=True)
    norm.gradient(wanted, batch(draw, 9, 5), training(eps=0.3))


@number("29.1")
@weight(3)
@visibility("visible")
def test_norm_dx(norm, draw):
    """BatchNorm.backward returns dx: through x itself, through the mean, and through the variance."""
    check_dx(norm, draw)


@number("29.2")
@weight(1)
@visibility("visible")
def test_norm_dgamma(norm, draw):
    """BatchNorm.backward returns dgamma and dbeta."""
    norm.explained(["dgamma", "dbeta"], batch(draw, 6, 3), training())


@number("29.3")
@weight(0.5)
@visibility("visible")
def test_norm_repeated(norm, draw):
    """BatchNorm.backward returns the same gradients again, whatever ran between, and leaves dout as it was."""
    check_repeated(norm, draw, 6, 3)


@number("29.4")
@weight(1)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=4)
def test_norm_backward_cost(norm, draw):
    """BatchNorm.backward computes the gradients from their formula, and does the work itself."""
    norm.affordable(batch(draw, 64, 100), batch(draw, 6, 3), training())


@number("29.5")
@weight(0.5)
@visibility("hidden")
@hide_errors(LARGER_DRAW)
def test_norm_backward_larger(norm, draw):
    """BatchNorm.backward is right for other sizes, another eps and in float32, too."""
    check_larger(norm, draw)


# ---- 30. BatchNorm.backward_alt ------------------------------------------------------------------------------------


@number("30.1")
@weight(2.5)
@visibility("visible")
def test_alternative_dx(alternative, draw):
    """BatchNorm.backward_alt returns dx from the simplified formula."""
    check_dx(alternative, draw)


@number("30.2")
@weight(0.5)
@visibility("visible")
def test_alternative_dgamma(alternative, draw):
    """BatchNorm.backward_alt returns dgamma and dbeta."""
    alternative.explained(["dgamma", "dbeta"], batch(draw, 6, 3), training())


@number("30.3")
@weight(0.5)
@visibility("visible")
def test_alternative_repeated(alternative, draw):
    """BatchNorm.backward_alt returns the same gradients again, whatever ran between, and leaves dout as it was."""
    check_repeated(alternative, draw, 6, 3)


@number("30.4")
@weight(1)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=4)
def test_alternative_cost(alternative, draw):
    """BatchNorm.backward_alt computes the gradients from their formula, and does the work itself."""
    alternative.affordable(batch(draw, 64, 100), batch(draw, 6, 3), training())


@number("30.5")
@weight(0.5)
@visibility("hidden")
@hide_errors(LARGER_DRAW)
def test_alternative_larger(alternative, draw):
    """BatchNorm.backward_alt is right for other sizes, another eps and in float32, too."""
    check_larger(alternative, draw)


# ---- 31. SpatialBatchNorm.forward ----------------------------------------------------------------------------------


@number("31.1")
@weight(1.5)
@visibility("visible")
def test_spatial(spatial, draw):
    """SpatialBatchNorm.forward normalises every channel over all images and pixels."""
    spatial.out(batch(draw, 3, 4, 5, 5), training(), dtype=False)


@number("31.2")
@weight(0.5)
@visibility("visible")
def test_spatial_running(spatial, draw, expect):
    """SpatialBatchNorm.forward keeps running averages in bn_param."""
    check_running(spatial, draw, expect, (2, 3, 4, 4))


@number("31.3")
@weight(0.5)
@visibility("visible")
def test_spatial_rests(spatial, draw, expect):
    """SpatialBatchNorm.forward normalises with the running averages at test time, and leaves them as they are."""
    check_test_mode(spatial, draw, expect, 2, 3, 4, 4)


@number("31.4")
@weight(0.5)
@visibility("visible")
def test_spatial_careful(spatial, draw):
    """SpatialBatchNorm.forward keeps the dtype, leaves its inputs as they were, and does the work itself."""
    spatial.out(batch(draw, 2, 3, 4, 4, dtype=torch.float32), training())
    spatial.inputs(batch(draw, 2, 3, 4, 4), training())
    spatial.traced(batch(draw, 2, 3, 4, 4), training())


@number("31.5")
@weight(1)
@visibility("visible")
def test_spatial_edge(spatial, draw):
    """SpatialBatchNorm.forward works for images that are not square."""
    spatial.out(batch(draw, 3, 2, 4, 6), training(), dtype=False)


# ---- 32. SpatialBatchNorm.backward ---------------------------------------------------------------------------------


@number("32.1")
@weight(1.5)
@visibility("visible")
def test_spatial_dx(spatial, draw):
    """SpatialBatchNorm.backward returns dx."""
    spatial.explained(["dx"], batch(draw, 2, 3, 3, 3), training())


@number("32.2")
@weight(1)
@visibility("visible")
def test_spatial_dgamma(spatial, draw):
    """SpatialBatchNorm.backward returns dgamma and dbeta."""
    spatial.explained(["dgamma", "dbeta"], batch(draw, 2, 3, 3, 3), training())


@number("32.3")
@weight(0.5)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=4)
def test_spatial_backward_cost(spatial, draw):
    """SpatialBatchNorm.backward computes the gradients from their formula, and does the work itself."""
    check_repeated(spatial, draw, 2, 3, 4, 4)
    spatial.affordable(batch(draw, 8, 5, 12, 12), batch(draw, 2, 3, 3, 3), training())


@number("32.4")
@weight(1)
@visibility("visible")
def test_spatial_backward_edge(spatial, draw):
    """SpatialBatchNorm.backward works for images that are not square."""
    wanted = spatial.right_names(batch(draw, 2, 3, 4, 4), training())
    spatial.gradient(wanted, batch(draw, 3, 2, 4, 6), training())
