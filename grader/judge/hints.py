"""Hints: a submission that answers as a chaff does, on independent draws, contains that chaff's mistake.

The judge runs chaffs itself, on the inputs of the check that failed (see :mod:`grader.judge.rehearsal`). A hint is
given where exactly one explanation fits; a wrong hint is worse than none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from grader.contract.assignment import Assignment
from grader.contract.verdict import Status, Verdict
from grader.judge.answers import say_little
from grader.judge.chaffs import Chaff, changed_texts, known_chaffs
from grader.judge.fixtures import Part
from grader.judge.order import Order
from grader.judge.players import Answered
from grader.judge.rehearsal import Modules, Rehearsal, variant_of

DRAWS, DRAWS_WHERE_LITTLE_IS_SAID = 2, 6


@dataclass
class HintBudget:
    """What one submission may cost for the sake of hints.

    The counts are reached first, so that one seed gives the same report everywhere; the seconds are for machines that
    are slow beyond all measure. A budget that is spent means no hint.

    Attributes:
        rehearsals: runs of a chaff in the judge, of some milliseconds each.
        repetitions: checks that are run again on another draw, since a chaff fitted on the first one.
        repeating_seconds: how long these may take on the clock together: a submission may hang on another draw.
        cpu_seconds: computing time of the judge.
        slowest_seconds: a check whose first answers took longer gets no hint, since runs of chaffs take as long.
    """

    rehearsals: int = 200
    repetitions: int = 30
    repeating_seconds: float = 20.0
    cpu_seconds: float = 4.0
    slowest_seconds: float = 1.0


Run = Callable[[Part], Answered]


class Hints:
    """The chaffs of one assignment, ready to be compared with a submission.

    Args:
        order: the grading.
        assignment: what is graded.
        budget: what may be spent.
        left_out: names of chaffs that are not looked for.
    """

    def __init__(
        self,
        order: Order,
        assignment: Assignment,
        budget: HintBudget | None = None,
        left_out: Collection[str] = (),
    ) -> None:
        self._order = order
        self._left_out = frozenset(left_out)
        self._assignment = assignment
        self._left = budget or HintBudget()
        self._variants: dict[str, Modules] = {}
        self._found: dict[str, Chaff] = {}  # question -> the mistake that an earlier check of it showed

    @cached_property
    def _rehearsal(self) -> Rehearsal:
        return Rehearsal(self._order, self._assignment)

    def hint(self, verdict: Verdict, part: Part, answered: Answered, run: Run) -> str:
        """The hint for a check that failed, or an empty string.

        Args:
            verdict: the verdict on the check.
            part: what was played when it failed.
            answered: what came of it.
            run: runs the check with another part.
        """
        if not self._is_worth_it(verdict, answered):
            return ""
        began = time.process_time()
        try:
            return self._searched(verdict.number, part, answered, run)
        finally:
            self._left.cpu_seconds -= time.process_time() - began

    def _searched(self, number: str, part: Part, answered: Answered, run: Run) -> str:
        candidates, question = self._candidates(number), number.rpartition(".")[0]
        if not candidates or self._fits(None, answered, part.draw, run):
            return ""
        # One mistake fails several checks, some of which could not tell it from others by themselves.
        known = [chaff for chaff in candidates if chaff is self._found.get(question)]
        found = self._search(known, part, answered, run) or self._search(candidates, part, answered, run)
        if found is None:
            return ""
        self._found[question] = found
        return found.hint

    def _search(self, candidates: Sequence[Chaff], part: Part, answered: Answered, run: Run) -> Chaff | None:
        """The chaff that answers as the submission does, if there is exactly one such mistake among ``candidates``."""
        fitting = [chaff for chaff in candidates if self._fits(chaff, answered, part.draw, run)]
        draws = DRAWS_WHERE_LITTLE_IS_SAID if say_little(answered.first) else DRAWS
        for number in range(2, draws + 1):
            if not fitting or self._left.repetitions <= 0 or self._left.repeating_seconds <= 0:
                return None
            self._left.repetitions -= 1
            draw, began = f" draw {number}", time.monotonic()
            again = run(replace(part, draw=draw))
            self._left.repeating_seconds -= time.monotonic() - began
            fitting = [chaff for chaff in fitting if self._fits(chaff, again, draw, run)]
        return fitting[0] if len({chaff.hint for chaff in fitting}) == 1 else None

    def _is_worth_it(self, verdict: Verdict, answered: Answered) -> bool:
        shown = verdict.visibility == "visible" and not verdict.fixed_text
        failed = verdict.status is Status.FAILED and bool(answered.first)
        affordable = answered.cpu_seconds < self._left.slowest_seconds and self._order.device == "cpu"
        return shown and failed and affordable and self._is_left

    @property
    def _is_left(self) -> bool:
        return self._left.rehearsals > 0 and self._left.cpu_seconds > 0

    def _candidates(self, number: str) -> list[Chaff]:
        question = self._assignment.question_of(number)
        chaffs = known_chaffs(self._assignment.folder) if question is not None else ()
        return [
            chaff
            for chaff in chaffs
            if chaff.hint
            and chaff.name not in self._left_out
            and chaff.fails_check(number)
            and question is not None
            and chaff.function == question.function
        ]

    def _fits(self, chaff: Chaff | None, answered: Answered, draw: str, run: Run) -> bool:
        """Whether the chaff, or the reference itself, answers as the submission did."""
        if not self._is_left:
            return False
        self._left.rehearsals -= 1
        staged: list[Rehearsal] = []

        def bench() -> Rehearsal:
            self._rehearsal.stage(self._variant(chaff), answered)
            staged.append(self._rehearsal)
            return self._rehearsal

        run(Part(bench, trusted=True, draw=draw))
        # A chaff that does not fit the reference any more, which grader validate tells, does not get so far.
        return bool(staged) and staged[0].alike

    def _variant(self, chaff: Chaff | None) -> Modules:
        name = chaff.name if chaff is not None else ""
        if name not in self._variants:
            texts = changed_texts(chaff, self._assignment) if chaff is not None else {}
            self._variants[name] = variant_of(self._assignment, texts)
        return self._variants[name]


def with_hint(verdict: Verdict, hint: str) -> Verdict:
    """The verdict with the hint, instead of one that was found without a chaff."""
    if not hint or verdict.explanation is None:
        return verdict
    return replace(verdict, explanation=replace(verdict.explanation, hint=hint))
