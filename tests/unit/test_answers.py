"""When two runs of a check brought the same answers, and when that could be chance."""

from __future__ import annotations

import pytest
import torch

from grader.judge.answers import same, say_little

X = torch.tensor([[1.0, 2.5], [3.0, -4.0]], dtype=torch.float64)
NAN = torch.tensor([1.0, float("nan")])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([], []),
        ([X], [X + 1e-9]),
        ([NAN], [NAN.clone()]),
        ([(X, 1.5)], [(X.clone(), 1.5)]),
        ([{"W": X, "b": 3}], [{"W": X.clone(), "b": 3}]),
        (["abc", None, True], ["abc", None, True]),
        ([object()], [object()]),
        ([2.5], [torch.tensor(2.5)]),
        ([(X, 1.5)], [[X, 1.5]]),
    ],
)
def test_the_same(one: list[object], other: list[object]) -> None:
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([X], []),
        ([X], [X + 1e-3]),
        ([X], [-X]),
        ([X], [X.float()]),
        ([X], [X.flatten()]),
        ([NAN], [torch.tensor([float("nan"), 1.0])]),
        ([(X, 1.5)], [(X, 2.5)]),
        ([{"W": X}], [{"V": X}]),
        ([{"W": X}], [{"W": 2 * X}]),
        (["abc"], ["abd"]),
        ([None], [X]),
        ([3], [4]),
        ([3], [3.0]),
        ([X], [X.numpy().astype("float32")]),
    ],
)
def test_not_the_same(one: list[object], other: list[object]) -> None:
    assert not same(one, other)


@pytest.mark.parametrize("answers", [[], [3], [True, None], [torch.arange(8)], [{"k": [1, 2]}], ["text"]])
def test_few_whole_numbers_say_little(answers: list[object]) -> None:
    assert say_little(answers)


@pytest.mark.parametrize("answers", [[2.5], [X], [torch.arange(9)], [{"loss": (1, 0.5)}]])
def test_fractions_and_many_numbers_say_much(answers: list[object]) -> None:
    assert not say_little(answers)
