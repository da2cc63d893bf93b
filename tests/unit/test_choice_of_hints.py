"""Which variant's hint is given, and what that may cost; what variants answer is made up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from grader.contract.verdict import Explanation, Status, Verdict
from grader.judge.advice import hints as module
from grader.judge.advice.answers import Likeness
from grader.judge.advice.hints import Hints, with_example, with_hint
from grader.judge.advice.script import Script
from grader.judge.advice.slips import Slip
from grader.judge.advice.theatre import HintBudget, Ran, Scene
from grader.judge.chaffs import Chaff
from grader.judge.fixtures import Part
from grader.judge.players import Answered

FAILED = Verdict("t.py::t", "1.1", "title", Status.FAILED, 0.0, 1.0, explanation=Explanation("Wrong."))
FRACTION = Answered((2.5,))
CODE = compile("pass", "<m>", "exec")

Says = Callable[[str, str], Any]


class Theatre:
    """Stands for the judge's own runs: ``says(name, draw)`` is what a variant explains, ``True`` for everything."""

    def __init__(self, says: Says) -> None:
        self.says = says
        self.ruled_out: set[str] = set()
        self.runs: list[tuple[str, str]] = []
        self.answered = FRACTION
        self.right: tuple[object, ...] = (1.5,)
        self.blamed = True
        self.readable = True

    def scene(self, part: Part, ran: Ran, run: Any) -> Scene:
        return Scene(run, part, ran.told, ran.answered, Script(0, (), self.readable), self.right)

    def likeness(self, variant: Any, scene: Scene) -> Likeness | None:
        self.runs.append((variant.key, scene.part.draw))
        found = self.says(variant.key, scene.part.draw)
        return Likeness(shared={(0,): scene.heard.first[0]}) if found is True else found or None

    def is_to_blame(self, places: Any, scene: Scene) -> bool:
        return self.blamed

    def run(self, part: Part) -> Ran:
        """Other draws bring other fractions."""
        more = Answered((2.5 + len(part.draw),))
        return Ran(more if self.answered is FRACTION else self.answered)


def chaff(name: str, hint: str = "") -> Chaff:
    return Chaff(name, "m.f", "a", "b", ("1.1",), hint or f"It is {name}.")


def slip(number: int, kind: str = "sign", name: str = "") -> Slip:
    return Slip("m.f", number, kind, name, CODE)


@pytest.fixture
def hints(monkeypatch: pytest.MonkeyPatch):
    """``hints(chaffs, says, ...)``: the object, and its theatre."""

    def made(chaffs: list[Chaff], says: Says, slips: tuple[Slip, ...] = (), budget: HintBudget | None = None):
        question = SimpleNamespace(function="m.f", number="1")
        assignment: Any = SimpleNamespace(folder=Path("a"), question_of=lambda number: question)
        theatre: Any = Theatre(says)
        monkeypatch.setattr(module, "known_chaffs", lambda folder: tuple(chaffs))
        monkeypatch.setattr(module, "slips_of", lambda function, assignment: slips)
        order: Any = SimpleNamespace(device="cpu")
        made = Hints(order, assignment, budget)
        made._theatre = theatre
        return made, theatre

    return made


def hint(made: tuple[Hints, Theatre], verdict: Verdict = FAILED, answered: Answered = FRACTION) -> str:
    made[1].answered = answered
    return made[0].hint(verdict, Part(lambda: None), answered, made[1].run)  # type: ignore[arg-type,return-value]


# ---- chaffs --------------------------------------------------------------------------------------------------------


def test_the_one_that_answers_alike_on_two_draws_is_named(hints) -> None:
    made = hints([chaff("one"), chaff("two")], lambda name, draw: name == "two")
    assert hint(made) == "It is two."
    assert ("two", " draw 2") in made[1].runs
    assert ("one", " draw 2") not in made[1].runs


def test_once_alike_is_not_enough(hints) -> None:
    assert hint(hints([chaff("one")], lambda name, draw: name == "one" and not draw)) == ""


def test_two_mistakes_that_answer_alike_are_none(hints) -> None:
    assert hint(hints([chaff("one"), chaff("two")], lambda name, draw: True)) == ""


def test_two_chaffs_of_one_mistake_are_one(hints) -> None:
    chaffs = [chaff("one", "The same."), chaff("two", "The same.")]
    assert hint(hints(chaffs, lambda name, draw: True)) == "The same."


def test_where_the_answers_are_right_there_is_nothing_to_explain(hints) -> None:
    made = hints([chaff("one")], lambda name, draw: True)
    made[1].right = FRACTION.first
    assert hint(made) == ""


def test_few_whole_numbers_are_no_evidence_by_themselves(hints) -> None:
    made = hints([chaff("one")], lambda name, draw: True)
    assert hint(made, answered=Answered((3,))) == ""
    assert hint(made, answered=Answered((3,))) == "It is one.", "together with another check"


def test_few_whole_numbers_are_compared_on_more_draws(hints) -> None:
    made = hints([chaff("one")], lambda name, draw: draw != " draw 3")
    assert [hint(made, answered=Answered((3,))) for _ in range(2)] == ["", ""]


def test_few_whole_numbers_have_to_fit_the_checks_before(hints) -> None:
    made = hints([chaff("one")], lambda name, draw: made[1].answered.first == (3,))
    assert hint(made) == ""
    made[1].likeness = lambda variant, scene: None if scene.heard is FRACTION else Likeness({(0,): 3})
    assert hint(made, answered=Answered((3,))) == ""


def test_a_mistake_that_was_found_explains_later_checks(hints) -> None:
    also = [True]
    made = hints([chaff("one"), chaff("two")], lambda name, draw: name == "one" or (name == "two" and not also[0]))
    assert hint(made) == "It is one."
    also[0] = False
    assert hint(made) == "It is one."


def test_tensors_are_answers_too(hints) -> None:
    made = hints([chaff("one")], lambda name, draw: True)
    assert hint(made, answered=Answered((torch.ones(2) * 0.5,))) == "It is one."


# ---- more mistakes than one ----------------------------------------------------------------------------------------


def part_of_it(name: str, draw: str) -> Likeness:
    return Likeness(shared={(0,): 2.5}, unexplained=[(1,)])


def test_a_part_that_the_check_complains_of_is_explained(hints) -> None:
    assert hint(hints([chaff("one")], part_of_it)) == "It is one."


def test_a_part_that_the_check_does_not_complain_of_is_not(hints) -> None:
    made = hints([chaff("one")], part_of_it)
    made[1].blamed = False
    assert hint(made) == ""


def test_what_explains_everything_comes_before_what_explains_a_part(hints) -> None:
    made = hints([chaff("one"), chaff("two")], lambda name, draw: name == "two" or part_of_it(name, draw))
    assert hint(made) == "It is two."


def test_what_was_ruled_out_is_not_tried_again(hints) -> None:
    made = hints([chaff("one"), chaff("two")], lambda name, draw: True)
    made[1].ruled_out.add("one")
    assert hint(made) == "It is two."


def test_no_chaff_is_named_that_fails_a_check_which_was_passed(hints) -> None:
    made = hints([chaff("one")], lambda name, draw: True)
    made[0].passed("1.2")
    assert hint(made) == "It is one."
    made[0].passed("1.1")
    assert hint(made) == ""


def test_a_mistake_that_was_found_is_named_again_only_for_all_that_is_wrong(hints) -> None:
    made = hints([chaff("one"), chaff("two")], lambda name, draw: name == "one")
    assert hint(made) == "It is one."
    made[1].says = lambda name, draw: name == "two" or part_of_it(name, draw)
    assert hint(made) == "It is two."


# ---- slips ---------------------------------------------------------------------------------------------------------


def test_slips_are_tried_where_no_chaff_fits(hints) -> None:
    said = hint(hints([chaff("one")], lambda name, draw: name == "m.f 0", (slip(0), slip(1, "term"))))
    assert said == "Look for a wrong sign: a right function with just that mistake gives this result, too."


def test_a_slip_stands_behind_what_was_seen_without_it(hints) -> None:
    verdict = with_hint(FAILED, "It is twice as large.")
    said = hint(hints([], lambda name, draw: True, (slip(0),)), verdict)
    assert said.startswith("It is twice as large. Look for a wrong sign: ")


def test_slips_have_to_say_something(hints) -> None:
    made = hints([], lambda name, draw: True, (slip(0),))
    assert hint(made, answered=Answered((torch.zeros(20),))) == ""
    assert [hint(made, answered=Answered((3,))) for _ in range(2)] == ["", ""], "few whole numbers"


def test_no_more_slips_are_tried_after_some_in_vain(hints) -> None:
    made = hints([], lambda name, draw: False, (slip(0),))
    for _ in range(4):
        assert hint(made) == ""
    assert len(made[1].runs) == module.IN_VAIN


def test_fewer_slips_are_tried_where_each_takes_a_run_of_the_check(hints) -> None:
    made = hints([], lambda name, draw: False, tuple(map(slip, range(80))))
    made[1].readable = False
    assert hint(made) == ""
    assert len(made[1].runs) == module.MOST_REHEARSED


def test_chaffs_and_kinds_of_slips_can_be_left_out(hints) -> None:
    made = hints([chaff("one")], lambda name, draw: True, (slip(0),))
    made[0]._left_out = frozenset({"one", "sign"})
    assert hint(made) == ""


# ---- what it may cost ----------------------------------------------------------------------------------------------


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
    made = hints([chaff("one")], lambda name, draw: True)
    assert hint(made, verdict) == ""
    assert made[1].runs == []


@pytest.mark.parametrize("answered", [Answered(), Answered((2.5,), cpu_seconds=1.5)])
def test_nothing_is_run_for_no_answer_or_a_slow_one(hints, answered: Answered) -> None:
    made = hints([chaff("one")], lambda name, draw: True)
    assert hint(made, answered=answered) == ""
    assert made[1].runs == []


@pytest.mark.parametrize(
    "budget", [HintBudget(repetitions=0), HintBudget(repeating_seconds=0.0), HintBudget(cpu_seconds=0.0)]
)
def test_a_spent_budget_is_no_hint(hints, budget: HintBudget) -> None:
    made = hints([chaff("one"), chaff("two")], lambda name, draw: name == "two", budget=budget)
    assert hint(made) == ""
    assert len(made[1].runs) <= 3


# ---- what is said --------------------------------------------------------------------------------------------------


def test_the_hint_replaces_a_weaker_one() -> None:
    assert with_hint(FAILED, "") is FAILED
    hinted = with_hint(FAILED, "Look there.").explanation
    assert hinted is not None and hinted.hint == "Look there."


def test_an_example_stands_below_the_difference() -> None:
    assert with_example(FAILED, "") is FAILED
    shown = with_example(FAILED, "A small input.").explanation
    assert shown is not None and shown.difference == "A small input."
