"""Hints: a submission that answers as a wrong variant of the reference does, on independent draws, has its mistake.

The judge runs variants itself, on the inputs of the check that failed (see :mod:`grader.judge.theatre`): first the
chaffs of the function, which carry a hint of their own, then its slips (see :mod:`grader.judge.slips`). A submission
may have more mistakes than one: a variant explains a part of what is wrong where all that it answers wrong, the
submission answers in the same way. A hint is given where one explanation fits; a wrong hint is worse than none.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from grader.contract.assignment import Assignment, Question
from grader.contract.verdict import Status, Verdict
from grader.judge.answers import Likeness, say_little, say_something
from grader.judge.chaffs import Chaff, known_chaffs
from grader.judge.examples import Examples
from grader.judge.fixtures import Part
from grader.judge.order import Order
from grader.judge.players import Answered
from grader.judge.slips import Slip, common_hint, slips_of
from grader.judge.theatre import HintBudget, Ran, Run, Scene, Theatre, Variant

DRAWS, DRAWS_WHERE_LITTLE_IS_SAID = 2, 6

VALUES_WHERE_LITTLE_IS_SAID = 3
"""A slip that is known by whole numbers alone has to give so many different answers, as the submission does."""

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
        self._in_vain: Counter[str] = Counter()

    def improved(self, verdict: Verdict, part: Part, answered: Answered, run: Run) -> Verdict:
        """The verdict on a check that failed, with a hint and a small input on which it fails, as far as there are.

        A small input is searched for the first check of a question that fails. Arguments as for :meth:`hint`.
        """
        question = verdict.number.rpartition(".")[0]
        first = question not in self._seen
        verdict = with_hint(verdict, self.hint(verdict, part, answered, run))
        if not first or question not in self._seen or self._left.examples <= 0:
            return verdict
        self._left.examples -= 1
        return with_example(verdict, self._examples.example(self._seen[question][0]))

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
        search = _Search(self._theatre, self._left, [scene], tuple(before))
        before.append(scene)
        found = self._explaining(search, verdict.number, question)
        if len({variant.hint for variant in found}) == 1 and found[0] not in self._found.get(question.number, []):
            self._found.setdefault(question.number, []).append(found[0])
        slips = [variant for variant in found if isinstance(variant, Slip)]
        # A chaff's hint says more than what was seen without it; a slip's says less.
        return f"{told.hint} {common_hint(slips)}".strip() if slips else found[0].hint if found else ""

    def _explaining(self, search: _Search, number: str, question: Question) -> Sequence[Variant]:
        """Chaffs of one hint, or slips of which something can be said."""
        chaffs = self._chaffs(number, question.function)
        # One mistake fails several checks, some of which could not tell it from others by themselves.
        for known in self._found.get(question.number, []):
            if (isinstance(known, Slip) or known in chaffs) and search.fitting([known]):
                return [known]
        found = search.fitting(chaffs)
        if len({chaff.hint for chaff in found}) == 1:
            return found
        if self._in_vain[question.number] < IN_VAIN:
            slips = self._slips_of(question.function)
            found = search.fitting(slips if search.scenes[0].script.can_be_read else slips[:MOST_REHEARSED])
            if common_hint([slip for slip in found if isinstance(slip, Slip)]):
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
        ]

    def _slips_of(self, function: str) -> Sequence[Slip]:
        if function not in self._slips:
            every = slips_of(function, self._assignment)
            self._slips[function] = [slip for slip in every if slip.kind not in self._left_out]
        return self._slips[function]


@dataclass
class _Search:
    """The search for what explains one check that failed.

    Attributes:
        theatre: runs variants.
        left: what may be spent.
        scenes: the check, on its own draw first.
        before: other checks of its question that failed.
    """

    theatre: Theatre
    left: HintBudget
    scenes: list[Scene]
    before: tuple[Scene, ...]

    def fitting(self, variants: Sequence[Variant]) -> list[Variant]:
        """Those that answer as the submission does on independent draws, and are what this check complains of.

        Those that explain all that is wrong come before those that explain a part of it, and these before those of
        which something can be told although another mistake changes other answers of theirs.
        """
        possible = [each for each in variants if each.key not in self.theatre.ruled_out]
        liked = [(each, self._likeness(each, self.scenes[0])) for each in possible]
        found = [(each, likeness) for each, likeness in liked if likeness is not None]
        whole = [pair for pair in found if pair[1].is_whole]
        part = [pair for pair in found if not pair[1].is_whole and not pair[1].mixed]
        mixed = [pair for pair in found if pair[1].mixed]
        return next((lasting for lasting in map(self._lasting, (whole, part, mixed)) if lasting), [])

    def _lasting(self, found: list[tuple[Variant, Likeness]]) -> list[Variant]:
        found = [(each, likeness) for each, likeness in found if self._is_to_blame(likeness)]
        little = {each.key for each, likeness in found if say_little(list(likeness.shared.values()))}
        # Few whole numbers may agree whatever the mistake is: then it has to explain all that is known.
        found = [pair for pair in found if pair[0].key not in little or self._explains_others(pair[0])]
        seen = {each.key: {_text_of(likeness)} for each, likeness in found}
        for number in range(1, DRAWS_WHERE_LITTLE_IS_SAID if little else DRAWS):
            scene = self._scene(number) if found else None
            if scene is None:
                return []
            again = [(*pair, self.theatre.likeness(pair[0], scene)) for pair in found]
            found = [(each, first) for each, first, now in again if now is not None and _fits_as_before(first, now)]
            for each, _, now in again:
                if now is not None and now.shared:
                    seen[each.key].add(_text_of(now))
        # Of a slip, which nobody wrote down, more is asked: that it shows on other draws, too.
        least = {each.key: VALUES_WHERE_LITTLE_IS_SAID if each.key in little else DRAWS for each, _ in found}
        return [each for each, _ in found if isinstance(each, Chaff) or len(seen[each.key]) >= least[each.key]]

    def _explains_others(self, variant: Variant) -> bool:
        likenesses = [self.theatre.likeness(variant, scene) for scene in self.before]
        return all(likeness is not None and likeness.is_whole for likeness in likenesses)

    def _likeness(self, variant: Variant, scene: Scene) -> Likeness | None:
        likeness = self.theatre.likeness(variant, scene)
        if likeness is None or not likeness.shared:
            return None
        enough = isinstance(variant, Chaff) or say_something(list(likeness.shared.values()))
        return likeness if enough else None

    def _is_to_blame(self, likeness: Likeness) -> bool:
        return likeness.is_whole or self.theatre.is_to_blame(likeness.shared, self.scenes[0])

    def _scene(self, number: int) -> Scene | None:
        """The check on another draw."""
        if len(self.scenes) <= number:
            if self.left.repetitions <= 0 or self.left.repeating_seconds <= 0:
                return None
            first = self.scenes[0]
            self.left.repetitions -= 1
            part, began = replace(first.part, draw=f" draw {number + 1}"), time.monotonic()
            again = first.run(part)
            self.left.repeating_seconds -= time.monotonic() - began
            scene = self.theatre.scene(part, again, first.run)
            if scene is None:
                return None
            self.scenes.append(scene)
        return self.scenes[number]


def _fits_as_before(first: Likeness, now: Likeness) -> bool:
    """Whether what explained everything on one draw does so on another."""
    return now.is_whole or not first.is_whole


def with_example(verdict: Verdict, example: str) -> Verdict:
    """The verdict with a smaller input below the difference that it shows."""
    if not example or verdict.explanation is None:
        return verdict
    difference = f"{verdict.explanation.difference}\n{example}".strip()
    return replace(verdict, explanation=replace(verdict.explanation, difference=difference))


def _text_of(likeness: Likeness) -> str:
    """What a variant and a submission answered alike, as text by which it can be told from other answers."""
    return repr(sorted((str(place), str(value)) for place, value in likeness.shared.items()))


def with_hint(verdict: Verdict, hint: str) -> Verdict:
    """The verdict with the hint, instead of what was said without a variant."""
    if not hint or verdict.explanation is None:
        return verdict
    return replace(verdict, explanation=replace(verdict.explanation, hint=hint))
