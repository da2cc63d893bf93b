"""When two runs of a check brought the same answers, and when that could be chance."""

from __future__ import annotations

import pytest
import torch

from grader.judge.advice.answers import Likeness, places_that_differ, repaired, same, say_little, say_something
from grader.judge.players import RAISED

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


# ---- what a variant explains ---------------------------------------------------------------------------------------

RIGHT = (1.25, X)


def likeness(heard: object, said: object, right: object = RIGHT) -> tuple[bool, Likeness]:
    found = Likeness()
    return found.takes((0,), heard, said, right), found


def test_a_variant_that_answers_alike_explains_what_is_wrong() -> None:
    taken, found = likeness((2.5, X), (2.5, X))
    assert taken
    assert list(found.shared) == [(0, 0)]
    assert found.is_whole


def test_a_variant_that_is_right_elsewhere_explains_a_part() -> None:
    taken, found = likeness((2.5, 3 * X), (2.5, X))
    assert taken
    assert (list(found.shared), found.unexplained) == ([(0, 0)], [(0, 1)])
    assert not found.is_whole


def test_a_variant_that_is_wrong_where_the_submission_is_right_is_contradicted() -> None:
    taken, found = likeness((2.5, X), (2.5, 3 * X))
    assert not taken
    assert found.contradicted


def test_one_right_entry_among_wrong_ones_contradicts() -> None:
    mine, its = 3 * X, 5 * X
    mine[0, 0] = X[0, 0]
    taken, found = likeness((2.5, mine), (2.5, its))
    assert not taken
    assert found.contradicted


def test_two_mistakes_may_meet_in_one_answer_if_another_shows_the_variants() -> None:
    taken, found = likeness((2.5, 3 * X), (2.5, 5 * X))
    assert taken
    assert found.mixed == [(0, 1)]
    assert not likeness((2.5, 3 * X), (1.25, 5 * X))[0]


def test_dicts_are_compared_key_by_key() -> None:
    _, found = likeness({"W": 2 * X, "b": 2.5}, {"W": X, "b": 2.5}, {"W": X, "b": 1.25})
    assert (list(found.shared), found.unexplained) == ([(0, "b")], [(0, "W")])


def test_wrong_answers_are_located_and_put_right() -> None:
    heard = [(2.5, X), {"W": 3 * X}]
    right = [(1.25, X), {"W": X}]
    places = places_that_differ(heard, right)
    assert places == [(0, 0), (1, "W")]
    assert same(repaired((0,), heard[0], right[0], places), right[0])
    assert same(repaired((1,), heard[1], right[1], places[:1]), heard[1])


def test_zeros_infinities_and_errors_say_nothing() -> None:
    assert not say_something([torch.zeros(3), float("nan"), float("inf"), RAISED, None])
    assert say_something([{"W": X}])
