"""Inputs are cut down as long as the answers differ; what cannot be used, or not be shown, is not shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import pytest
import torch

from grader.judge.advice.answers import Place
from grader.judge.advice.examples import in_words, shown
from grader.judge.advice.requests import alone
from grader.judge.advice.script import Script
from grader.judge.advice.smallest import FEW, Smaller
from grader.judge.objects import Held
from grader.judge.players import RAISED
from grader.judge.student import RemoteObject

N, D, C = 7, 6, 4


def call(path: str, *args: Any, **kwargs: Any) -> tuple[dict[str, Any], Any]:
    return {"op": "call", "path": path}, [list(args), kwargs]


def played_by(*functions: Callable[..., object]) -> Callable[[Script], Sequence[object]]:
    """Answers by one function for each call."""

    def answer(function: Callable[..., object], args: list[Any], kwargs: dict[str, Any]) -> object:
        try:
            return function(*args, **kwargs)
        except IndexError:
            return RAISED

    def play(script: Script) -> list[object]:
        calls = [values for message, values in script.requests if message["op"] == "call"]
        return [answer(function, *values) for function, values in zip(functions, calls, strict=False)]

    return play


def loss(W: torch.Tensor, X: torch.Tensor, y: torch.Tensor, reg: float) -> tuple[torch.Tensor, torch.Tensor]:
    scores = X @ W
    return -scores.log_softmax(1)[torch.arange(len(y)), y].mean() + reg * (W * W).sum(), W


def summed(W: torch.Tensor, X: torch.Tensor, y: torch.Tensor, reg: float) -> tuple[torch.Tensor, torch.Tensor]:
    mean, dW = loss(W, X, y, reg)
    return mean * len(y), dW


@pytest.fixture
def problem() -> Script:
    generator = torch.Generator().manual_seed(3)
    W, X = torch.randn(D, C, generator=generator).double(), torch.randn(N, D, generator=generator).double()
    return Script(0, (call("m.loss", W, X, torch.arange(N) % C, reg=0.0),), True)


def found(script: Script, right: Callable[..., object], wrong: Callable[..., object], place: Place = (0, 0)) -> str:
    smaller = Smaller(script, place, played_by(right), played_by(wrong))
    cut = smaller.smallest()
    example = smaller.tried(cut) if cut is not None else None
    return "" if example is None else in_words(example, lambda path: right)


def test_axes_of_one_size_are_cut_together(problem: Script) -> None:
    lines = found(problem, loss, summed).splitlines()
    # Two rows are the fewest of which the sum is not the mean; a second class is needed for a loss that is not 0.
    assert lines[1].startswith("loss(W = [[")
    assert "y = [0, 1], reg = 0)" in lines[1]
    assert lines[2].startswith("Result 1 should be ")


def test_what_is_right_has_no_example(problem: Script) -> None:
    assert found(problem, loss, loss) == ""


def test_what_the_reference_cannot_use_is_not_shown(problem: Script) -> None:
    @wraps(loss)
    def picky(*args: Any, **kwargs: Any) -> object:
        return loss(*args, **kwargs) if len(args[1]) == N else (torch.tensor(float("nan")), args[0])

    assert "y = [0, 1, 2, 3, 0, 1, 2]" in found(problem, picky, summed)


def test_large_inputs_are_not_shown(problem: Script) -> None:
    def only_large(*args: Any, **kwargs: Any) -> object:
        return summed(*args, **kwargs) if args[1].numel() > FEW else loss(*args, **kwargs)

    assert found(problem, loss, only_large) == ""


def test_an_answer_of_another_shape_is_not_shown(problem: Script) -> None:
    assert found(problem, loss, lambda *args, **kwargs: (torch.zeros(2), args[0])) == ""


def test_dout_keeps_the_shape_of_out() -> None:
    x, w = torch.ones(4, 3).double(), torch.ones(3, 5).double()
    script = Script(0, (call("m.f", x, w), call("m.b", torch.ones(4, 5).double(), x)), True)
    shapes: list[torch.Size] = []

    def backward(dout: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        shapes.append(dout.shape)
        return dout.sum()

    def forward(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return (x @ w).repeat(1, 2)[:, :5]  # its second size does not follow from that of w

    wrong = played_by(forward, lambda dout, x: 2 * dout.sum())
    cut = Smaller(script, (1,), played_by(forward, backward), wrong).smallest()
    assert cut is not None
    assert shapes[-1] in (torch.Size([1, 2]), torch.Size([1, 5]))


def test_a_call_is_taken_with_what_it_is_handed() -> None:
    x = torch.ones(2)
    script = Script(0, (call("m.other", x), call("m.f", x), call("m.b", x, Held(5, "tuple"))), True)
    remote: Any = RemoteObject(None, Held(5, "tuple"))  # type: ignore[arg-type]
    taken = alone(script, [x, (x, remote), x], (2, 0))
    assert taken is not None
    assert [message["path"] for message, _ in taken[0].requests] == ["m.f", "m.b"]
    assert taken[2] == (1, 0)


@pytest.mark.parametrize("operation", ["get", "set"])
def test_what_takes_more_than_calls_is_not_shown(operation: str) -> None:
    requests = (({"op": operation, "h": 1, "attribute": "W"}, torch.ones(2)), ({"op": "call", "h": 1}, [[], {}]))
    assert alone(Script(0, requests, True), [torch.ones(2)] * (2 - (operation == "set")), (0,)) is None


def test_values_are_shown_as_they_can_be_typed() -> None:
    assert shown(torch.tensor([[0.5, -1.0, -0.0]]).double()) == "[[0.5, -1, 0]]"
    assert shown({"mode": "train", "eps": 1e-5}) == "{'mode': 'train', 'eps': 1e-05}"
    assert shown((True, None, 3)) == "[True, None, 3]"
