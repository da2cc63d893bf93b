"""Checks of A3: dropout. Only the share, the scale and the repeatability of a mask are asked about, not its draws."""

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, visibility, weight

from grader.contract.verdict import CheckFailed, Explanation


class Dropping:
    """The submission's dropout, called on x of one kind."""

    def __init__(self, student, expect, draw):
        self.layer = student.fully_connected_networks.Dropout
        self.expect, self.draw = expect, draw

    def x(self, *shape, dtype=torch.float64):
        """Numbers between 1 and 2: an output of 0 was dropped."""
        return self.draw.uniform(*shape, low=1.0, high=2.0, dtype=dtype)

    def run(self, x, p=0.4, mode="train", **more):
        """The output, of the right shape and finite, and the cache."""
        got = self.layer.forward.holding(x.clone(), {"p": p, "mode": mode, **more})
        if type(got) is not tuple or len(got) != 2:
            raise CheckFailed("The function should return two things, out and a cache.")
        self.expect(got[0], "out").has_shape(*x.shape).is_finite()
        return torch.as_tensor(got[0]).double(), got[1]

    def thinned(self, x, p=0.4, **more):
        """The factor of every entry, and the cache; fails where nothing, or everything, was dropped."""
        out, cache = self.run(x, p, **more)
        if (out == 0).all() or not (out == 0).any():
            some = "everything" if (out == 0).all() else "nothing"
            raise CheckFailed(f"In training {some} was dropped of {x.numel()} numbers, with p = {p}.")
        return out / x.double(), cache


@pytest.fixture
def dropping(student, expect, draw):
    return Dropping(student, expect, draw)


# ---- 5. Dropout.forward --------------------------------------------------------------------------------------------


@number("5.1")
@weight(2)
@visibility("visible")
def test_share(dropping):
    """Dropout.forward drops each number with probability p in training."""
    for p in (0.2, 0.5, 0.75):
        factor, _ = dropping.thinned(dropping.x(100, 200), p)
        share = float((factor == 0).double().mean())
        if abs(share - p) > 0.03:
            message = "The wrong share of the numbers is dropped: p is the probability of dropping, not of keeping."
            raise CheckFailed(Explanation(message, f"about {p}", f"{share:.3f}"))


@number("5.2")
@weight(1.5)
@visibility("visible")
def test_scale(dropping, expect):
    """Dropout.forward divides what it keeps by 1 - p, so that the mean stays the same."""
    for p in (0.2, 0.75):
        factor, _ = dropping.thinned(dropping.x(30, 40), p)
        kept = factor[factor != 0]
        expect(kept, "out / x where x was kept").matches(torch.full_like(kept, 1 / (1 - p)), rtol=1e-5, dtype=False)


@number("5.3")
@weight(1)
@visibility("visible")
def test_rests(dropping, expect):
    """Dropout.forward returns x itself at test time, and leaves x as it was in both modes."""
    x = dropping.x(5, 6)
    out, _ = dropping.run(x, mode="test")
    expect(out, "out").matches(x, dtype=False)
    for mode in ("train", "test"):
        _, after = dropping.layer.forward.observed(x.clone(), {"p": 0.4, "mode": mode})
        expect(after[0], "x").is_unchanged_from(x)


@number("5.4")
@weight(0.5)
@visibility("visible")
def test_seed(dropping):
    """Dropout.forward drops the same numbers again where dropout_param has the same seed."""
    x, seed = dropping.x(20, 30), dropping.draw.seed()
    masks = [dropping.thinned(x, seed=one)[0] != 0 for one in (seed, seed, seed + 1)]
    if not torch.equal(masks[0], masks[1]):
        raise CheckFailed("Two calls with the same seed dropped different numbers.")
    if torch.equal(masks[0], masks[2]):
        raise CheckFailed("Two calls with different seeds dropped the same numbers.")


@number("5.5")
@weight(0.5)
@visibility("visible")
def test_fresh(dropping):
    """Dropout.forward drops other numbers in every call, each independently of its neighbours."""
    x = dropping.x(40, 50)
    masks = [dropping.thinned(x)[0] != 0 for _ in range(2)]
    if torch.equal(*masks):
        raise CheckFailed("Two calls without a seed dropped the same numbers.")
    if any((mask == line).all() for mask in masks for line in (mask[:1], mask[:, :1])):
        raise CheckFailed("All rows, or all columns, lost the same numbers: draw one number for every entry of x.")


@number("5.6")
@weight(0.5)
@visibility("visible")
def test_dtype(dropping, expect):
    """Dropout.forward keeps the dtype of x, and works for x of any shape."""
    for dtype, shape in ((torch.float32, (30, 40)), (torch.float64, (4, 3, 8, 8))):
        x = dropping.x(*shape, dtype=dtype)
        dropping.thinned(x)
        for mode in ("train", "test"):
            got = dropping.layer.forward.holding(x.clone(), {"p": 0.4, "mode": mode})[0]
            if not torch.is_tensor(got) or got.dtype != dtype:
                raise CheckFailed(f"out should be a tensor of dtype {dtype}, like x, in the mode {mode!r}.")


# ---- 6. Dropout.backward -------------------------------------------------------------------------------------------


@number("6.1")
@weight(2)
@visibility("visible")
def test_backward(dropping, expect):
    """Dropout.backward sends the gradient through the mask of its own forward pass, scale included."""
    for p in (0.3, 0.6):
        factor, cache = dropping.thinned(dropping.x(8, 9), p)
        dout = dropping.draw.normal(8, 9)
        expect(dropping.layer.backward(dout, cache), "dx").matches(dout * factor, rtol=1e-6, atol=1e-6, dtype=False)


@number("6.2")
@weight(1)
@visibility("visible")
def test_backward_rests(dropping, expect):
    """Dropout.backward returns dout itself at test time."""
    x, dout = dropping.x(5, 6), dropping.draw.normal(5, 6)
    _, cache = dropping.thinned(x)
    expect(dropping.layer.backward(dout, cache), "dx").has_shape(5, 6)
    out, cache = dropping.run(x, mode="test")
    expect(dropping.layer.backward(dout, cache), "dx").matches(dout * out / x, rtol=1e-6, atol=1e-6, dtype=False)


@number("6.3")
@weight(0.5)
@visibility("visible")
def test_backward_repeated(dropping, expect):
    """Dropout.backward uses the mask of its cache, whatever ran between, and leaves dout as it was."""
    passes = [dropping.thinned(dropping.x(6, 7)) for _ in range(2)]
    dout = dropping.draw.normal(6, 7)
    for index in (0, 1, 0):
        factor, cache = passes[index]
        dx, after = dropping.layer.backward.observed(dout.clone(), cache)
        expect(dx, "dx").matches(dout * factor, rtol=1e-6, atol=1e-6, dtype=False)
        expect(after[0], "dout").is_unchanged_from(dout)


@number("6.4")
@weight(0.5)
@visibility("visible")
def test_backward_dtype(dropping, expect):
    """Dropout.backward keeps the dtype in float32."""
    x = dropping.x(6, 7, dtype=torch.float32)
    factor, cache = dropping.thinned(x)
    dout = dropping.draw.normal(6, 7, dtype=torch.float32)
    expect(dropping.layer.backward(dout, cache), "dx").matches(dout * factor.float(), rtol=1e-5, atol=1e-5)
