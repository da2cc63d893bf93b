"""Checks of A4: layer normalisation and feed forward."""

from functools import partial

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import hide_errors, number, visibility, weight

from grader.contract.verdict import CheckFailed, Explanation

from .formulas import CLOSE, OTHER_DRAW

# ---- 39., 40. LayerNormalization -----------------------------------------------------------------------------------


def scale_and_shift(first, M):
    """Names of gamma and beta: by what they begin with, ones and zeros."""
    found = {}
    for role, start in (("gamma", 1.0), ("beta", 0.0)):
        names = [name for name, value in first.items() if value.numel() == M and (value == start).all()]
        if len(names) != 1 or len(first) != 2:
            have = ", ".join(f"{name} {tuple(value.shape)}" for name, value in first.items()) or "no parameter"
            raise CheckFailed(
                Explanation(
                    "LayerNormalization should have two nn.Parameters: gamma, which begins with ones, and beta, which "
                    "begins with zeros.",
                    expected=f"two parameters of {M} numbers",
                    got=have[:300],
                )
            )
        found[role] = names[0]
    return found


@number("39.1")
@weight(2)
@visibility("visible")
def test_norm_begins(student, expect):
    """LayerNormalization has two parameters that can be trained: a scale of ones, and a shift of zeros."""
    for M in (5, 8):
        net = student.transformers.LayerNormalization(M)
        first = student.transformer_helpers.parameters(net)
        if type(first) is not dict:
            raise CheckFailed("LayerNormalization should be an nn.Module.")
        for name, value in first.items():
            expect(value, name).is_finite()
        scale_and_shift(first, M)


@pytest.fixture
def norm(trial, expect):
    """`norm(M, *epsilon)`: a LayerNormalization with other parameters, and the right function."""

    def made(M, *epsilon):
        remote = trial.own.LayerNormalization(M, *epsilon).double()
        first = trial.student.transformer_helpers.parameters(remote)
        for name, value in first.items() if type(first) is dict else ():
            expect(value, name).is_finite()
        net, (gamma, beta) = trial.net(remote, bare=True), (torch.ones(M), torch.zeros(M))
        if first:  # a scale and a shift that are no parameters are paid for above
            names = roles(first, M)
            gamma, beta = (net.weights[names[role]].reshape(M) for role in ("gamma", "beta"))

        def right(x, outside=False):
            centred = x - x.mean(dim=-1, keepdim=True)
            variance, eps = (centred**2).mean(dim=-1, keepdim=True), epsilon[0] if epsilon else 1e-10
            root = variance.sqrt() + eps if outside else (variance + eps).sqrt()
            return gamma * centred / root + beta

        return net, right

    return made


def roles(first, M):
    """Names of gamma and beta: the usual ones, or by what they begin with."""
    if type(first) is dict and {"gamma", "beta"} <= set(first):
        return {"gamma": "gamma", "beta": "beta"}
    return scale_and_shift(first, M)


@number("40.1")
@weight(2)
@visibility("visible")
def test_norm(norm, draw, expect):
    """LayerNormalization gives every token the mean 0 and the (biased) variance 1, scales and shifts."""
    net, right = norm(6)
    x = 3 * draw.normal(2, 5, 6) + 2
    expect(net(x), "y").matches(right(x), **CLOSE)


@number("40.2")
@weight(1)
@visibility("visible")
def test_norm_flat(norm, draw, expect):
    """LayerNormalization takes a batch of single vectors as well, (N, M), and leaves its input alone."""
    net, right = norm(5)
    x = draw.normal(4, 5)
    got, after = net.trial.own.LayerNormalization.forward.observed(net.remote, x.clone())
    expect(got, "y").matches(right(x), **CLOSE)
    expect(after[1], "x").is_unchanged_from(x)


@number("40.3")
@weight(1.5)
@visibility("visible")
def test_norm_gradients(norm, draw, trial):
    """LayerNormalization lets gradients through to x, to the scale and to the shift."""
    net, right = norm(4)
    x = draw.normal(2, 3, 4)
    net.slopes([x], partial(right, x))
    trial.rules.traced(trial.own.LayerNormalization.forward, net.remote, x)


@number("40.4")
@weight(0.5)
@visibility("visible")
def test_norm_epsilon(norm, draw, trial):
    """LayerNormalization keeps epsilon in the root, or beside it."""
    net, right = norm(6, 0.5)
    x = draw.normal(2, 5, 6)
    trial.either(net(x), "y", partial(right, x), partial(right, x, outside=True))


@number("40.5")
@weight(1)
@visibility("visible")
def test_norm_constant(norm, draw, expect):
    """LayerNormalization returns the shift for a token whose numbers are all the same."""
    net, right = norm(8)
    x = draw.normal(2, 3, 8)
    x[0, 1] = 0.5
    x[1, 2] = -2.0
    got = net(x)
    expect(got, "y").has_shape(2, 3, 8).is_finite()
    for place in ((0, 1), (1, 2)):
        expect(got[place], "y of a token whose numbers are all the same").matches(right(x)[place], **CLOSE)
    if torch.equal(got[0, 0], got[0, 1]):
        raise CheckFailed("y is the same for every token.")


# ---- 41., 42. FeedForwardBlock -------------------------------------------------------------------------------------


@number("41.1")
@weight(2)
@visibility("visible")
def test_feed_forward_begins(student, expect, check_bounds):
    """FeedForwardBlock makes two linear layers, there and back, whose weights begin as those of SelfAttention."""
    M, hidden = 40, 60
    net = student.transformers.FeedForwardBlock(M, hidden)
    first = student.transformer_helpers.parameters(net)
    shapes = sorted(tuple(value.shape) for value in first.values()) if type(first) is dict else []
    expect(shapes, "the shapes of its parameters").equals(sorted([(hidden, M), (hidden,), (M, hidden), (M,)]))
    for name, value in first.items():
        if value.dim() == 2:
            check_bounds(name, value)


def fed(net, M, hidden):
    (there,), (back,) = net.shaped(hidden, M), net.shaped(M, hidden)
    return lambda x: net.linear(back, net.linear(there, x).clamp(min=0))


@pytest.fixture
def feed_forward(trial):
    """`feed_forward(M, hidden)`: a FeedForwardBlock, and the right function."""

    def made(M, hidden):
        net = trial.made("FeedForwardBlock", M, hidden)
        if len(net.shaped(hidden, M)) != 1 or len(net.shaped(M, hidden)) != 1:
            raise CheckFailed("FeedForwardBlock should have two nn.Linear layers: to the hidden size, and back.")
        return net, fed(net, M, hidden)

    return made


@number("42.1")
@weight(2)
@visibility("visible")
def test_feed_forward(feed_forward, draw, expect):
    """FeedForwardBlock computes linear - ReLU - linear for every token."""
    net, right = feed_forward(5, 9)
    x = draw.normal(2, 4, 5)
    expect(net(x), "y").matches(right(x), **CLOSE)


@number("42.2")
@weight(1)
@visibility("visible")
def test_feed_forward_gradients(feed_forward, draw):
    """FeedForwardBlock lets gradients through to x and to its parameters."""
    net, right = feed_forward(4, 6)
    x = draw.normal(2, 3, 4)
    net.slopes([x], partial(right, x))


@number("42.3")
@weight(1)
@visibility("hidden")
@hide_errors(OTHER_DRAW)
def test_feed_forward_narrow(feed_forward, draw, expect):
    """FeedForwardBlock is right where the hidden size is the smaller one, and with a single token."""
    net, right = feed_forward(7, 3)
    for shape in ((3, 1, 7), (1, 6, 7)):
        x = draw.normal(*shape)
        expect(net(x), "y").matches(right(x), **CLOSE)
