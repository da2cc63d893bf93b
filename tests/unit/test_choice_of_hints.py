"""Which chaff's hint is given, and what that may cost; the runs themselves are made up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from grader.contract.verdict import Explanation, Status, Verdict
from grader.judge import hints as module
from grader.judge.chaffs import Chaff
from grader.judge.fixtures import Part
from grader.judge.hints import HintBudget, Hints, with_hint
from grader.judge.players import Answered

SUBMISSION: Any = object()
FAILED = Verdict("t.py::t", "1.1", "title", Status.FAILED, 0.0, 1.0, explanation=Explanation("Wrong."))
FRACTION = Answered((2.5,))


class Stage:
    """Stands for the judge's own runs of chaffs: ``alike(name, draw)`` says whether one answers as was expected."""

    def __init__(self, alike: Callable[[str, str], bool]) -> None:
        self.says = alike
        self.name = self.draw = ""
        self.runs: list[tuple[str, str]] = []

    def stage(self, modules: str, expected: Answered) -> None:
        self.name = modules

    @property
    def alike(self) -> bool:
        return self.says(self.name, self.draw)

    def run(self, part: Part) -> Answered:
        if part.bench() is not SUBMISSION:
            self.draw = part.draw
            self.runs.append((self.name, part.draw))
        return FRACTION


def chaff(name: str, hint: str = "") -> Chaff:
    return Chaff(name, "m.f", "a", "b", ("1.1",), hint or f"It is {name}.")


@pytest.fixture
def hints(monkeypatch: pytest.MonkeyPatch):
    """``hints(chaffs, alike, ...)``: the object, and its stage."""

    def made(chaffs: list[Chaff], alike: Callable[[str, str], bool], budget: HintBudget | None = None):
        question = SimpleNamespace(function="m.f")
        assignment: Any = SimpleNamespace(folder=Path("a"), question_of=lambda number: question)
        stage = Stage(alike)
        monkeypatch.setattr(module, "known_chaffs", lambda folder: tuple(chaffs))
        monkeypatch.setattr(module, "variant_of", lambda assignment, texts: texts.get("m", "the reference"))
        monkeypatch.setattr(module, "changed_texts", lambda chaff, assignment: {"m": chaff.name})
        order: Any = SimpleNamespace(device="cpu")
        made = Hints(order, assignment, budget)
        made.__dict__["_rehearsal"] = stage
        return made, stage

    return made


def hint(made: tuple[Hints, Stage], verdict: Verdict = FAILED, answered: Answered = FRACTION) -> str:
    return made[0].hint(verdict, Part(lambda: SUBMISSION), answered, made[1].run)


def test_the_one_that_answers_alike_on_two_draws_is_named(hints) -> None:
    made = hints([chaff("one"), chaff("two")], lambda name, draw: name == "two")
    assert hint(made) == "It is two."
    assert ("two", " draw 2") in made[1].runs
    assert ("one", " draw 2") not in made[1].runs


def test_once_alike_is_not_enough(hints) -> None:
    assert hint(hints([chaff("one")], lambda name, draw: name == "one" and not draw)) == ""


def test_two_mistakes_that_answer_alike_are_none(hints) -> None:
    assert hint(hints([chaff("one"), chaff("two")], lambda name, draw: name != "the reference")) == ""


def test_two_chaffs_of_one_mistake_are_one(hints) -> None:
    chaffs = [chaff("one", "The same."), chaff("two", "The same.")]
    assert hint(hints(chaffs, lambda name, draw: name != "the reference")) == "The same."


def test_where_the_reference_answers_alike_there_is_nothing_to_explain(hints) -> None:
    assert hint(hints([chaff("one")], lambda name, draw: True)) == ""


def test_few_whole_numbers_are_compared_on_more_draws(hints) -> None:
    made = hints([chaff("one")], lambda name, draw: name == "one" and draw != " draw 3")
    made[1].run = lambda part: (Stage.run(made[1], part), Answered((3,)))[1]  # type: ignore[method-assign]
    assert hint(made, answered=Answered((3,))) == ""


def test_a_mistake_that_was_found_explains_later_checks(hints) -> None:
    also = [True]
    made = hints([chaff("one"), chaff("two")], lambda name, draw: name == "one" or (name == "two" and not also[0]))
    assert hint(made) == "It is one."
    also[0] = False
    assert hint(made) == "It is one."


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict("t", "1.1", "t", Status.FAILED, 0.0, 1.0, visibility="hidden"),
        Verdict("t", "1.1", "t", Status.FAILED, 0.0, 1.0, visibility="after_due_date"),
        Verdict("t", "1.1", "t", Status.FAILED, 0.0, 1.0, fixed_text="No."),
        Verdict("t", "1.1", "t", Status.STUDENT_ERROR, 0.0, 1.0),
        Verdict("t", "1.1", "t", Status.TIMEOUT, 0.0, 1.0),
        Verdict("t", "1.2", "t", Status.FAILED, 0.0, 1.0),
    ],
)
def test_nothing_is_run_where_no_hint_may_come_of_it(hints, verdict: Verdict) -> None:
    made = hints([chaff("one")], lambda name, draw: name == "one")
    assert hint(made, verdict) == ""
    assert made[1].runs == []


@pytest.mark.parametrize("answered", [Answered(), Answered((2.5,), cpu_seconds=1.5)])
def test_nothing_is_run_for_no_answer_or_a_slow_one(hints, answered: Answered) -> None:
    made = hints([chaff("one")], lambda name, draw: name == "one")
    assert hint(made, answered=answered) == ""
    assert made[1].runs == []


@pytest.mark.parametrize(
    "budget",
    [
        HintBudget(rehearsals=2),
        HintBudget(repetitions=0),
        HintBudget(repeating_seconds=0.0),
        HintBudget(cpu_seconds=0.0),
    ],
)
def test_a_spent_budget_is_no_hint(hints, budget: HintBudget) -> None:
    made = hints([chaff("one"), chaff("two")], lambda name, draw: name == "two", budget)
    assert hint(made) == ""
    assert len(made[1].runs) <= 3


def test_the_hint_replaces_a_weaker_one() -> None:
    assert with_hint(FAILED, "") is FAILED
    hinted = with_hint(FAILED, "Look there.").explanation
    assert hinted is not None and hinted.hint == "Look there."


def test_tensors_are_answers_too(hints) -> None:
    made = hints([chaff("one")], lambda name, draw: name == "one")
    assert hint(made, answered=Answered((torch.ones(2) * 0.5,))) == "It is one."
