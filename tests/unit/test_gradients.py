"""Gradient checks: each known mistake is caught and explained, and every right formulation passes."""

import math
from collections.abc import Callable

import pytest
import torch

from grader.contract.verdict import CheckFailed, Explanation
from grader.judge.draw import Draw
from grader.judge.gradients import Gradients

REG = 0.3
SMALL, LARGE, SQUARE = (4, 5, 3), (9, 40, 10), (6, 6, 6)


@pytest.fixture
def draw() -> Draw:
    return Draw(b"secret", "ada", "gradients")


class Problem:
    """A regularised softmax loss over scores ``X @ W``, in float64 or with float32 accumulators."""

    def __init__(self, draw: Draw, size: tuple[int, int, int]) -> None:
        self.n = size[0]
        self.W, self.X, self.y = draw.linear_problem(*size)

    def softmax(self, W: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logp = (self.X @ W).log_softmax(1)
        rows = torch.arange(self.n)
        loss = -logp[rows, self.y].mean() + REG * (W * W).sum()
        dscores = logp.exp()
        dscores[rows, self.y] -= 1
        return loss, self.X.T @ dscores / self.n + 2 * REG * W

    def accumulating(self, W: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        loss, dW = torch.zeros(()), torch.zeros(W.shape)
        for x, label in zip(self.X, self.y.tolist(), strict=True):
            logp = (x @ W).log_softmax(0)
            dscores = logp.exp()
            dscores[label] -= 1
            loss -= logp[label].float()
            dW += torch.outer(x, dscores)
        return loss.double() / self.n + REG * (W * W).sum(), dW.double() / self.n + 2 * REG * W

    def hinge(self, W: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        scores = self.X @ W
        rows = torch.arange(self.n)
        margins = (scores - scores[rows, self.y][:, None] + 1).clamp(min=0)
        margins[rows, self.y] = 0
        dscores = (margins > 0).double()
        dscores[rows, self.y] = -dscores.sum(1)
        return margins.sum() / self.n, self.X.T @ dscores / self.n


def loss_failure(draw: Draw, f: Callable, at: dict, **options) -> Explanation:
    with pytest.raises(CheckFailed) as caught:
        Gradients(draw).loss(f, at=at, **options)
    return caught.value.explanation


def spoilt(problem: Problem, mistake: Callable) -> Callable:
    """The right loss with a spoilt gradient."""

    def f(W: torch.Tensor):
        loss, dW = problem.softmax(W)
        return loss, {"W": mistake(dW, W)}

    return f


# ---- what passes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["entries", "directions"])
@pytest.mark.parametrize("with_exact", [True, False])
def test_right_gradients_pass(draw, size, with_exact):
    problem = Problem(draw, size)
    gradients = Gradients(draw)
    exact = {"W": problem.softmax(problem.W)[1]} if with_exact else None
    gradients.loss(problem.softmax, at={"W": problem.W}, exact=exact)
    assert gradients.notes == []
    assert gradients.calls == 16 + 2 * (15 if size == SMALL else 3)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["entries", "directions"])
def test_float32_accumulators_pass_with_notes(draw, size):
    problem = Problem(draw, size)
    gradients = Gradients(draw)
    gradients.loss(problem.accumulating, at={"W": problem.W}, exact={"W": problem.softmax(problem.W)[1]})
    assert any("dW is right, but only to about seven digits" in note for note in gradients.notes)
    assert any("measured only roughly" in note for note in gradients.notes)


def test_float32_work_throughout_passes_without_dtype(draw):
    problem = Problem(draw, SMALL)
    problem.X = problem.X.float()
    f = lambda W: problem.softmax(W.float())  # noqa: E731
    Gradients(draw).loss(f, at={"W": problem.W}, dtype=False)
    assert "float64" in loss_failure(draw, f, {"W": problem.W}).message


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["entries", "directions"])
def test_kinks_nearby_do_not_disturb(draw, size):
    problem = Problem(draw, size)
    gradients = Gradients(draw)
    gradients.loss(problem.hinge, at={"W": problem.W}, exact={"W": problem.hinge(problem.W)[1]})
    assert gradients.notes == []


@pytest.mark.parametrize("distance", [0.0, 1e-8, 2e-6, 4e-6])
def test_a_kink_within_reach_of_the_step_is_skipped_or_stepped_over(draw, distance):
    x = draw.normal(9)
    x[4] = distance
    gradients = Gradients(draw)
    gradients.loss(lambda x: (x.clamp(min=0).sum(), (x > 0).double()), at={"x": x})
    assert gradients.notes == []


def test_many_kinks_are_told(draw):
    gradients = Gradients(draw)
    zeros = torch.zeros(3, 3, dtype=torch.float64)
    gradients.loss(lambda x: (x.clamp(min=0).sum(), torch.zeros_like(x)), at={"x": zeros})
    assert gradients.notes == ["dx: 9 of 9 slopes lie at kinks and could not be measured."]


def test_a_kink_excuses_only_what_lies_between_its_slopes(draw):
    zeros = torch.zeros(3, 3, dtype=torch.float64)
    loss_failure(draw, lambda x: (x.clamp(min=0).sum(), torch.full_like(x, 1.1)), {"x": zeros})


def test_several_arguments_as_dict_or_in_order(draw):
    at = {"W": draw.normal(4, 3), "b": draw.normal(3)}
    right = lambda W, b: ((W * W).sum() * b.sum(), {"W": 2 * W * b.sum(), "b": (W * W).sum().expand(3)})  # noqa: E731
    Gradients(draw).loss(right, at=at)
    Gradients(draw).loss(lambda W, b: (right(W, b)[0], *right(W, b)[1].values()), at=at)
    said = loss_failure(draw, lambda W, b: (right(W, b)[0], right(W, b)[1]["W"], 2 * b), at, names=("dW1", "db1"))
    assert "db1: 3 of 3 entries" in said.message


# ---- mistakes ------------------------------------------------------------------------------------------------------


def flip_smallest(dW: torch.Tensor, W: torch.Tensor) -> torch.Tensor:
    flat = dW.flatten().clone()
    flat[flat.abs().argmin()] *= -1
    return flat.reshape(dW.shape)


def raise_one_entry(dW: torch.Tensor, W: torch.Tensor) -> torch.Tensor:
    raised = dW.clone()
    raised[1, 2] += 0.1 * dW.abs().mean()
    return raised


MISTAKES = {
    "times N": lambda dW, W: dW * 9,
    "half": lambda dW, W: dW / 2,
    "one percent": lambda dW, W: dW * 1.01,
    "no regulariser": lambda dW, W: dW - 2 * REG * W,
    "regulariser halved": lambda dW, W: dW - REG * W,
    "only the first row": lambda dW, W: torch.cat([dW[:1], torch.zeros_like(dW[1:])]),
    "zero": lambda dW, W: torch.zeros_like(dW),
    "negative": lambda dW, W: -dW,
    "one entry a tenth too large": raise_one_entry,
}  # fmt: skip


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["entries", "directions"])
@pytest.mark.parametrize("with_exact", [True, False])
@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_caught(draw, size, with_exact, mistake):
    problem = Problem(draw, size)
    exact = {"W": problem.softmax(problem.W)[1]} if with_exact else None
    said = loss_failure(draw, spoilt(problem, mistake), {"W": problem.W}, exact=exact)
    assert said.message.startswith("dW")
    assert said.difference


def test_a_flipped_small_entry_is_caught_and_named(draw):
    problem = Problem(draw, LARGE)
    exact = {"W": problem.softmax(problem.W)[1]}
    said = loss_failure(draw, spoilt(problem, flip_smallest), {"W": problem.W}, exact=exact)
    assert said.message == "dW: 1 of 400 entries is wrong."
    index = [int(i) for i in torch.unravel_index(exact["W"].abs().argmin(), exact["W"].shape)]
    assert f"dW[{index[0]}, {index[1]}]" in said.difference
    problem = Problem(draw, SMALL)
    said = loss_failure(draw, spoilt(problem, flip_smallest), {"W": problem.W})
    assert said.message == "dW: 1 of 15 entries differs from the slope of your own loss."


@pytest.mark.parametrize("with_exact", [True, False])
def test_a_transpose_of_equal_shape_is_caught_and_named(draw, with_exact):
    problem = Problem(draw, SQUARE)
    exact = {"W": problem.softmax(problem.W)[1]} if with_exact else None
    said = loss_failure(draw, spoilt(problem, lambda dW, W: dW.T.clone()), {"W": problem.W}, exact=exact)
    assert "transpose" in said.hint


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["entries", "directions"])
def test_a_factor_is_named_with_the_size_that_it_is(draw, size):
    problem = Problem(draw, size)
    wrong = spoilt(problem, lambda dW, W: dW * problem.n)
    said = loss_failure(draw, wrong, {"W": problem.W}, sizes={"N": problem.n})
    assert f"It is {problem.n} times what is expected everywhere. N is {problem.n}" in said.hint


def test_a_factor_is_caught_through_float32_rounding(draw):
    problem = Problem(draw, SMALL)

    def f(W):
        loss, dW = problem.accumulating(W)
        return loss, 1.1 * dW

    loss_failure(draw, f, {"W": problem.W})


def test_a_wrong_loss_is_blamed_where_the_gradient_fits_it(draw):
    problem = Problem(draw, SMALL)
    exact = {"W": problem.softmax(problem.W)[1]}

    def doubled(W):
        loss, dW = problem.softmax(W)
        return 2 * loss, 2 * dW

    said = loss_failure(draw, doubled, {"W": problem.W}, exact=exact)
    assert said.message == "dW is right for your loss, but the loss itself is wrong: look there first."
    said = loss_failure(draw, lambda W: (2 * problem.softmax(W)[0], exact["W"]), {"W": problem.W}, exact=exact)
    assert said.message == "dW is right, but it is not the gradient of your loss: the loss is wrong."


def test_a_gradient_beyond_the_reach_of_differences_does_not_acquit_itself(draw):
    """Differences cannot see an entry of 1e-12; the exact gradient can, and the loss is not to blame."""
    x = draw.normal(6)
    slopes = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 1e-9], dtype=torch.float64)
    wrong = slopes * torch.tensor([1, 1, 1, 1, 1, -1])
    said = loss_failure(draw, lambda x: ((x * slopes).sum(), wrong), {"x": x}, exact={"x": slopes})
    assert said.message == "dx: 1 of 6 entries is wrong."


# ---- gates ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "returned None: did you forget to return?"),
        (1.0, "returned the float 1.0, but should return the loss and its gradients"),
        ((math.nan, torch.ones(3)), "loss is nan, but should be finite"),
        ((torch.ones(3), torch.ones(3)), "loss has shape (3,)"),
        ((1j, torch.ones(3)), "loss is the complex 1j"),
        ((1.0, None), "dx is None"),
        ((1.0, {"y": 1}), "should have the keys 'x', but lacks 'x'"),
        ((1.0, torch.ones(3, 1)), "dx has shape (3, 1), but should have shape (3,)"),
        ((1.0, torch.ones(3)), "dx has the dtype float32, but should have float64"),
        ((1.0, torch.ones(3, dtype=torch.int64)), "should be a floating-point tensor"),
        ((1.0, torch.full((3,), math.inf, dtype=torch.float64)), "dx should be finite"),
        ((1.0, torch.ones(3), torch.ones(3)), "There should be 1 gradients (dx), but 2 came."),
        (("a", "b"), "loss is the str 'a'"),
    ],
)
def test_odd_answers_are_failed_checks(draw, answer, words):
    assert words in loss_failure(draw, lambda x: answer, {"x": torch.ones(3, dtype=torch.float64)}).message


def test_inputs_that_are_not_float64_are_mistakes_of_the_check(draw):
    with pytest.raises(TypeError, match="float64"):
        Gradients(draw).loss(lambda x: (x.sum(), x), at={"x": torch.ones(3)})
    with pytest.raises(ValueError, match="at least one"):
        Gradients(draw).loss(lambda: (0.0, 0.0), at={})
    with pytest.raises(ValueError, match="exact gradient of x"):
        x = draw.normal(3)
        Gradients(draw).loss(lambda x: (x.sum(), torch.ones_like(x)), at={"x": x}, exact={"x": x[:2]})


def test_a_gradient_that_changes_from_run_to_run_is_named(draw):
    runs = []

    def f(x):
        runs.append(1)
        return x.sum(), torch.ones_like(x) * len(runs)

    assert "returned two different dx" in loss_failure(draw, f, {"x": draw.normal(3)}).message


def test_arguments_changed_in_place_do_not_spoil_the_next_call(draw):
    def f(x):
        total = x.sum()
        x += 5
        return total, torch.ones_like(x)

    Gradients(draw).loss(f, at={"x": draw.normal(3)})


# ---- layers --------------------------------------------------------------------------------------------------------


def forward(x, w, b):
    return (x @ w + b).clamp(min=0), (x, w, b)


def backward(dout, cache):
    x, w, b = cache
    dout = dout * ((x @ w + b) > 0)
    return {"x": dout @ w.T, "w": x.T @ dout, "b": dout.sum(0)}


@pytest.fixture(params=[SMALL, LARGE], ids=["entries", "directions"])
def point(draw, request) -> dict[str, torch.Tensor]:
    n, d, m = request.param
    return {"x": draw.normal(n, d), "w": draw.normal(d, m), "b": draw.normal(m)}


def layer_failure(draw: Draw, point: dict, forward: Callable, backward: Callable, **options) -> Explanation:
    with pytest.raises(CheckFailed) as caught:
        Gradients(draw).layer(forward, backward, at=point, **options)
    return caught.value.explanation


def exact_for(point: dict) -> Callable:
    return lambda dout: backward(dout, forward(**point)[1])


@pytest.mark.parametrize("with_exact", [True, False])
def test_a_right_layer_passes(draw, point, with_exact):
    gradients = Gradients(draw)
    in_order = lambda dout, cache: tuple(backward(dout, cache).values())  # noqa: E731
    gradients.layer(forward, in_order, at=point, exact=exact_for(point) if with_exact else None)
    assert gradients.notes == []


@pytest.mark.parametrize("with_exact", [True, False])
@pytest.mark.parametrize("name", ["x", "w", "b"])
@pytest.mark.parametrize("mistake", [lambda g: 2 * g, torch.zeros_like, lambda g: g.flip(0)])
def test_a_wrong_layer_is_caught_per_argument(draw, point, with_exact, name, mistake):
    def wrong(dout, cache):
        gradients = backward(dout, cache)
        return {**gradients, name: mistake(gradients[name])}

    said = layer_failure(draw, point, forward, wrong, exact=exact_for(point) if with_exact else None)
    assert said.message.startswith(f"d{name}")


def test_a_missing_mask_is_caught(draw, point):
    def unmasked(dout, cache):
        x, w, _ = cache
        return dout @ w.T, x.T @ dout, dout.sum(0)

    layer_failure(draw, point, forward, unmasked)


def test_a_forward_pass_is_blamed_where_the_backward_pass_fits_it(draw, point):
    def tripled(x, w, b):
        out, cache = forward(x, w, b)
        return 3 * out, cache

    def fitting(dout, cache):
        return backward(3 * dout, cache)

    said = layer_failure(draw, point, tripled, fitting, exact=exact_for(point))
    assert "is right for your forward pass, but the forward pass itself is wrong" in said.message


def test_a_gradient_that_ignores_the_upstream_one_is_named(draw, point):
    def deaf(dout, cache):
        return {**backward(dout, cache), "b": torch.ones_like(cache[2])}

    assert "db should be zero for an upstream gradient of zeros" in layer_failure(draw, point, forward, deaf).message


def test_a_kept_buffer_is_named(draw, point):
    buffers = {name: torch.zeros_like(x) for name, x in point.items()}

    def reusing(dout, cache):
        for name, gradient in backward(dout, cache).items():
            buffers[name].copy_(gradient)
        return buffers

    assert "writes again into dx" in layer_failure(draw, point, forward, reusing).message


def test_a_spoilt_cache_is_named(draw, point):
    def spoiling(dout, cache):
        gradients = backward(dout, cache)
        cache[0].mul_(2)
        return gradients

    said = layer_failure(draw, point, forward, spoiling)
    assert (
        said.message.endswith("with the same dout and cache, returned another dw.")
        or "returned another dx" in said.message
    )
    assert "cache" in said.hint


def test_odd_layers_are_failed_checks(draw, point):
    assert "returned None" in layer_failure(draw, point, lambda **_: None, backward).message
    assert "returned 3 elements" in layer_failure(draw, point, lambda x, **_: (x, x, x), backward).message
    assert "keys" in layer_failure(draw, point, forward, lambda dout, cache: {}).message
    assert "gradients are None" in layer_failure(draw, point, forward, lambda dout, cache: None).message
    noisy = lambda x, **_: (x + torch.rand(()), None)  # noqa: E731
    assert "returned two different out" in layer_failure(draw, point, noisy, backward).message
