"""Hints: a submission that answers as a wrong variant of the reference does, on independent draws, has its mistake.

The judge runs variants itself, on the inputs of the check that failed (see :mod:`.theatre`): first the chaffs of the
function, which carry a hint of their own, then its slips (see :mod:`.slips`). A submission may have more mistakes than
one: a variant explains a part of what is wrong where all that it answers wrong, the submission answers in the same way.
A hint is given where one explanation fits; a wrong hint is worse than none.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from grader.contract.assignment import Assignment, Question
from grader.contract.verdict import Status, Verdict
from grader.judge.advice.examples import Examples
from grader.judge.advice.search import Fit, Search
from grader.judge.advice.slips import Slip, common_hint, slips_of
from grader.judge.advice.theatre import HintBudget, Ran, Run, Scene, Theatre, Variant
from grader.judge.chaffs import Chaff, known_chaffs
from grader.judge.fixtures import Part
from grader.judge.order import Order
from grader.judge.players import Answered

MOST_REHEARSED = 50
"""So many slips are tried where each of them takes a run of the check."""

IN_VAIN = 2
"""After so many checks of a question in which no slip fitted, none are tried in its other checks."""


class Hints:
    """The variants of one assignment, ready to be compared with a submission.

    Args:
        order: the grading.
        assignment: what is graded.
        budget: what may be spent.
        left_out: names of chaffs, and kinds of slips, that are not looked for.
    """

    def __init__(
        self,
        order: Order,
        assignment: Assignment,
        budget: HintBudget | None = None,
        left_out: Collection[str] = (),
    ) -> None:
        self._order = order
        self._assignment = assignment
        self._left = budget or HintBudget()
        self._left_out = frozenset(left_out)
        self._theatre = Theatre(order, assignment, self._left)
        self._examples = Examples(self._theatre)
        self._slips: dict[str, Sequence[Slip]] = {}
        self._seen: dict[str, list[Scene]] = {}  # question -> its checks that failed so far
        self._found: dict[str, list[Variant]] = {}  # question -> mistakes that earlier checks of it showed
        self._passed: set[str] = set()
        self._in_vain: Counter[str] = Counter()

    def improved(self, verdict: Verdict, part: Part, answered: Answered, run: Run) -> Verdict:
        """The verdict on a check that failed, with a hint and a small input on which it fails, as far as there are.

        A small input is searched for the first check of a question that fails. Arguments as for :meth:`hint`.
        """
        question = verdict.number.rpartition(".")[0]
        first = question not in self._seen
        verdict = with_hint(verdict, self.hint(verdict, part, answered, run))
        spent = self._left.examples <= 0 or self._left.repeating_seconds <= 0
        if not first or question not in self._seen or spent:
            return verdict
        self._left.examples -= 1
        began = time.monotonic()
        try:
            return with_example(verdict, self._examples.example(self._seen[question][0]))
        finally:
            self._left.repeating_seconds -= time.monotonic() - began

    def passed(self, number: str) -> None:
        """Takes down that a check was passed: no chaff that has to fail it is a mistake of this submission."""
        self._passed.add(number)

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
            return self._searched(verdict, part, answered, run)
        finally:
            self._left.cpu_seconds -= time.process_time() - began

    def _is_worth_it(self, verdict: Verdict, answered: Answered) -> bool:
        shown = verdict.visibility == "visible" and not verdict.fixed_text
        failed = verdict.status is Status.FAILED and bool(answered.first)
        affordable = answered.cpu_seconds < self._left.slowest_seconds and self._order.device == "cpu"
        return shown and failed and affordable and self._left.is_left

    def _searched(self, verdict: Verdict, part: Part, answered: Answered, run: Run) -> str:
        question, told = self._assignment.question_of(verdict.number), verdict.explanation
        if question is None or told is None:
            return ""
        scene = self._theatre.scene(part, Ran(answered, told.message.partition("\n")[0]), run)
        if scene is None or scene.is_right:
            return ""
        before = self._seen.setdefault(question.number, [])
        search = Search(self._theatre, self._left, [scene], tuple(before))
        before.append(scene)
        found = self._explaining(search, verdict.number, question)
        if len({variant.hint for variant in found}) == 1 and found[0] not in self._found.get(question.number, []):
            self._found.setdefault(question.number, []).append(found[0])
        # A chaff's hint says more than what was seen without it; a slip's says less.
        before_it = told.hint if found and isinstance(found[0], Slip) else ""
        return f"{before_it} {_hint_of(found)}".strip()

    def _explaining(self, search: Search, number: str, question: Question) -> Sequence[Variant]:
        """Chaffs of one hint, or slips of which something can be said."""
        chaffs, slips = self._chaffs(number, question.function), self._slips_of(question, search.scenes[0])
        # One mistake fails several checks, some of which could not tell it from others by themselves.
        known = [
            variant
            for variant in self._found.get(question.number, [])
            if isinstance(variant, Slip) or variant in chaffs
        ]
        for variant in known:
            if search.fitting([variant], Fit.WHOLE):
                return [variant]
        for fit in (Fit.PART, Fit.MIXED):
            for variants in (chaffs, slips):
                found = search.fitting(variants, fit)
                if _hint_of(found):
                    return found
        self._in_vain[question.number] += 1
        return []

    def _chaffs(self, number: str, function: str) -> list[Chaff]:
        return [
            chaff
            for chaff in known_chaffs(self._assignment.folder)
            if chaff.hint
            and chaff.function == function
            and chaff.name not in self._left_out
            and chaff.fails_check(number)
            and not any(chaff.fails_check(passed) for passed in self._passed)
        ]

    def _slips_of(self, question: Question, scene: Scene) -> Sequence[Slip]:
        if self._in_vain[question.number] >= IN_VAIN:
            return ()
        path = question.function
        if path not in self._slips:
            self._slips[path] = [s for s in slips_of(path, self._assignment) if s.kind not in self._left_out]
        return self._slips[path] if scene.script.can_be_read else self._slips[path][:MOST_REHEARSED]


def _hint_of(found: Sequence[Variant]) -> str:
    """What can be said of variants that answer alike; empty where nothing holds for all of them."""
    slips = [variant for variant in found if isinstance(variant, Slip)]
    if slips:
        return common_hint(slips)
    return found[0].hint if len({variant.hint for variant in found}) == 1 else ""


def with_example(verdict: Verdict, example: str) -> Verdict:
    """The verdict with a smaller input below the difference that it shows."""
    if not example or verdict.explanation is None:
        return verdict
    difference = f"{verdict.explanation.difference}\n{example}".strip()
    return replace(verdict, explanation=replace(verdict.explanation, difference=difference))


def with_hint(verdict: Verdict, hint: str) -> Verdict:
    """The verdict with the hint, instead of what was said without a variant."""
    if not hint or verdict.explanation is None:
        return verdict
    return replace(verdict, explanation=replace(verdict.explanation, hint=hint))
