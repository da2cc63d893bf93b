"""The ledger: every check once, points that add up, and what is said where they do not."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from grader.contract.assignment import Assignment, Content, Goal, ModuleSpec, Question
from grader.contract.ledger import Entry, Ledger, missing_entry
from grader.contract.verdict import Explanation, Status

QUESTIONS = (
    Question("1", "m.f", 4.0, edge={"1.2": "It matters."}),
    Question("10", "m.g", 2.0),
    Question("2", "m.h", 1.0, needs="cifar10"),
)
ASSIGNMENT = Assignment(Content("a", "t", {"m": ModuleSpec("m.py")}, QUESTIONS), Path("/a"), Path("/r"), Path("/t"))
ENTRIES = [
    Entry("test_a.py::test_f", "1.1", "F adds.", 3.0),
    Entry("test_a.py::test_edge", "1.2", "F is kind.", 1.0, edge="It matters."),
    Entry("test_a.py::test_g", "10.1", "G.", 2.0, "", "hidden", ("x", "y"), "No.", ("time", "asc")),
]


def problems(*entries: Entry, data: frozenset[str] = frozenset()) -> list[str]:
    return Ledger.of(list(entries)).problems(ASSIGNMENT, data)


def changed(index: int, **values: object) -> list[Entry]:
    return [replace(entry, **values) if at == index else entry for at, entry in enumerate(ENTRIES)]


def test_checks_stand_in_the_order_of_their_numbers() -> None:
    numbers = ["10.1", "2.10", "2.9", "1.1"]
    ledger = Ledger.of([Entry(f"t::{number}", number, "T", 1.0) for number in numbers])
    assert [entry.number for entry in ledger.entries] == ["1.1", "2.9", "2.10", "10.1"]


def test_a_ledger_survives_as_text() -> None:
    ledger = Ledger.of(ENTRIES)
    assert Ledger.from_json(ledger.to_json()) == ledger


def test_a_sound_ledger_has_no_problems() -> None:
    assert problems(*ENTRIES) == []


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (changed(0, number="3.1"), "test_a.py::test_f: number '3.1' belongs to no question"),
        (changed(0, number=""), "test_a.py::test_f: number '' belongs to no question"),
        (changed(1, number="1.1"), "number 1.1 is taken by test_a.py::test_"),
        (changed(1, check="test_a.py::test_f"), "test_a.py::test_f: 2 checks have this name"),
        (changed(0, points=math.nan), "test_a.py::test_f: nan points; a finite number from 0"),
        (changed(0, points=-1.0), "test_a.py::test_f: -1.0 points; a finite number from 0"),
        (changed(0, title=""), "test_a.py::test_f: it has no docstring"),
        (changed(0, visibility="secret"), "visibility 'secret'; write one of visible, hidden, after_due_date, after_"),
        (changed(0, points=2.5), "question 1: its checks are worth 3.5 points together; assignment.toml says 4."),
        (ENTRIES[:2], "question 10: its checks are worth 0 points together; assignment.toml says 2."),
        ([replace(ENTRIES[0], points=2.9), replace(ENTRIES[1], points=1.1)], "question 1: 1.1 of 4 points are edge"),
        (changed(1, number="1.3"), "question 1: edge names check 1.2, which does not exist."),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_does_not_fit_is_told(entries: list[Entry], said: str) -> None:
    assert any(said in problem for problem in problems(*entries))


def test_a_question_is_left_out_without_its_data() -> None:
    assert problems(*ENTRIES, data=frozenset({"cifar10"})) == [
        "question 2: its checks are worth 0 points together; assignment.toml says 1."
    ]


def test_a_goal_belongs_to_a_check_that_exists() -> None:
    question = replace(QUESTIONS[0], goals={"drawn": {"1.1": Goal(2.0, 1.0), "1.7": Goal(2.0, 1.0)}})
    assignment = replace(ASSIGNMENT, content=replace(ASSIGNMENT.content, questions=(question, *QUESTIONS[1:])))
    found = Ledger.of(ENTRIES).problems(assignment, frozenset({"drawn"}))
    assert found == ["question 1: goals.drawn names check 1.7, which does not exist."]


def test_points_that_are_no_binary_fractions_add_up() -> None:
    tenths = [Entry(f"t::{k}", f"10.{k}", "T", 0.2) for k in range(10)]
    assert problems(*ENTRIES[:2], *tenths) == []


@pytest.mark.parametrize(
    ("share", "points"), [(0.0, 0.0), (1.0, 2.0), (0.25, 0.5), (1.5, 2.0), (-1.0, 0.0), (math.nan, 0.0), (math.inf, 0)]
)
def test_a_verdict_earns_a_share_of_the_points(share: float, points: float) -> None:
    assert ENTRIES[2].verdict(Status.PARTIAL, share=share).points == points


def test_a_verdict_carries_what_the_check_says() -> None:
    told = Explanation("No.")
    verdict = ENTRIES[2].verdict(Status.FAILED, told)
    assert (verdict.check, verdict.number, verdict.title) == ("test_a.py::test_g", "10.1", "G.")
    assert (verdict.status, verdict.points, verdict.max_points) == (Status.FAILED, 0.0, 2.0)
    assert (verdict.visibility, verdict.tags, verdict.fixed_text) == ("hidden", ("x", "y"), "No.")
    assert verdict.explanation == told and verdict.leaderboard is None
    assert ENTRIES[1].verdict(Status.PASSED, share=1.0).edge == "It matters."


def test_checks_that_were_not_collected_are_worth_what_is_left() -> None:
    entry = missing_entry(QUESTIONS[1], 1.5)
    assert (entry.number, entry.points, entry.title) == ("10", 1.5, "m.g")
