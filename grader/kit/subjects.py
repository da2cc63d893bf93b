"""What checks are tried on: the reference, the template, other right solutions, chaffs and mutants."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from grader.contract.assignment import Assignment
from grader.contract.verdict import Status
from grader.judge.chaffs import Chaff, texts_of
from grader.judge.trials import Outcome, Trial

T = TypeVar("T")

_NO_FAILURE = (Status.PASSED, Status.NOT_RUN, Status.GRADER_ERROR)


class Kind(str, Enum):
    """The kinds of subjects, in the order in which they are tried."""

    REFERENCE = "reference"
    TEMPLATE = "template"
    RIGHT = "right"
    CHAFF = "chaffs"
    MUTANT = "mutants"


@dataclass(frozen=True)
class Subject:
    """Something to try the checks on, and what has to come of it.

    Attributes:
        kind: what it is.
        name: its name, unique among those of its kind.
        texts: module -> its text, where it differs from the reference.
        numbers: numbers of the checks, or of whole questions, on which the change can have an effect; empty for all.
        fails: whether the check of this number must not pass.
        equivalent: for a mutant: why it behaves like the reference; empty if it does not.
    """

    kind: Kind
    name: str
    texts: Mapping[str, str] = field(default_factory=dict)
    numbers: Collection[str] = ()
    fails: Callable[[str], bool] = lambda number: False
    equivalent: str = ""

    @property
    def title(self) -> str:
        """Kind and name."""
        return self.name if self.kind.value == self.name else f"{self.kind.value}: {self.name}"

    def trial(self, full: bool) -> Trial:
        """What a judge is asked to do with it; with ``full``, every check, whatever comes of those before."""
        if full:
            return Trial(self.texts)
        if self.kind is not Kind.MUTANT:
            return Trial(self.texts, self.numbers)
        # What its own checks do not notice may spoil what others work with.
        return Trial(self.texts, self.numbers, until_one_fails=True, then_all=not self.equivalent)

    def surprises(self, outcome: Outcome | None) -> list[str]:
        """What did not come as it had to, in sentences. What was not made is no surprise."""
        if outcome is None:
            return ["the grader ended before it had made the checks"]
        errors = [number for number, status in outcome.statuses.items() if status == Status.GRADER_ERROR.value]
        found = [f"{number}: the grader itself failed: {outcome.told.get(number, '')}" for number in errors]
        failed = failures(outcome)
        if self.kind is Kind.MUTANT:
            return found or self._surprises_of_mutant(failed)
        made = [number for number, status in outcome.statuses.items() if status != Status.NOT_RUN.value]
        for number in made:
            if number in failed and not self.fails(number):
                found.append(f"{number} does not pass ({outcome.statuses[number]}): {outcome.told.get(number, '')}")
            elif number not in failed and number not in errors and self.fails(number):
                found.append(f"{number} passes, but must fail")
        return found

    def _surprises_of_mutant(self, failed: frozenset[str]) -> list[str]:
        if failed and self.equivalent:
            return [f"{', '.join(sorted(failed))}: it is listed as equivalent"]
        return [] if failed or self.equivalent else ["no check notices it"]


def failures(outcome: Outcome) -> frozenset[str]:
    """Numbers of the checks that did not pass through the submission's doing."""
    return frozenset(number for number, status in outcome.statuses.items() if Status(status) not in _NO_FAILURE)


def reference_and_template(assignment: Assignment) -> list[Subject]:
    """The complete solution, on which nothing fails, and what students receive, on which everything does."""
    stubs = {
        name: (assignment.template / spec.file).read_text(encoding="utf-8")
        for name, spec in assignment.content.modules.items()
    }
    return [
        Subject(Kind.REFERENCE, Kind.REFERENCE.value),
        Subject(Kind.TEMPLATE, Kind.TEMPLATE.value, stubs, fails=lambda number: True),
    ]


def subject_of_chaff(chaff: Chaff, assignment: Assignment) -> Subject:
    """A chaff, on which, of its function's checks, exactly those fail that it names."""
    changed = {chaff.function, *(each.function for each in chaff.also if each.function)}
    own = {number for path in changed for number in questions_of(path, assignment)}
    return Subject(Kind.CHAFF, chaff.name, texts_of(chaff, assignment), sorted({*own, *chaff.fails}), chaff.fails_check)


def questions_of(path: str, assignment: Assignment) -> list[str]:
    """Numbers of the questions that ask for a function, for a class around it, or for a method of it."""
    return [
        question.number
        for question in assignment.content.questions
        if path == question.function
        or path.startswith(f"{question.function}.")
        or question.function.startswith(f"{path}.")
    ]


def sample(subjects: Sequence[T], count: int | None, seed: str) -> list[T]:
    """``count`` of the subjects in their order, the same ones for the same seed; all of them where it is ``None``."""
    if count is None or count >= len(subjects):
        return list(subjects)
    chosen = random.Random(seed).sample(range(len(subjects)), count)  # noqa: S311 - reproducibility is the purpose
    return [subjects[i] for i in sorted(chosen)]
