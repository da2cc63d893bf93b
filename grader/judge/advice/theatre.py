"""Runs variants of the reference beside what a submission answered, within a budget."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

from grader.contract.assignment import Assignment
from grader.judge.advice.actor import Actor, Modules
from grader.judge.advice.answers import Likeness, Place, places_that_differ, repaired, same
from grader.judge.advice.rehearsal import Rehearsal, slipped, variant_of
from grader.judge.advice.script import Script
from grader.judge.advice.slips import Slip
from grader.judge.chaffs import Chaff, changed_texts
from grader.judge.fixtures import Part
from grader.judge.order import Order
from grader.judge.players import Answered

PATIENCE, LEAST = 20.0, 0.05
"""A call of a variant may take so many times as long as all first answers of the submission, and so many seconds."""


@dataclass
class HintBudget:
    """What one submission may cost for the sake of hints.

    The counts are reached first, so that one seed gives the same report everywhere; the seconds are for machines that
    are slow beyond all measure. A budget that is spent means no hint.

    Attributes:
        rehearsals: runs of a check in the judge, of some milliseconds each.
        readings: slips that are tried, most of them in less than a millisecond.
        repetitions: checks that are run again on another draw, since a variant fitted on the first one.
        repeating_seconds: how long these and the searches for a smaller input may take on the clock together: a
            submission may hang there.
        examples: searches for a smaller input.
        cpu_seconds: computing time of the judge.
        slowest_seconds: a check whose first answers took longer gets no hint, since runs of variants take as long.
    """

    rehearsals: int = 200
    readings: int = 2000
    repetitions: int = 30
    repeating_seconds: float = 20.0
    examples: int = 8
    cpu_seconds: float = 8.0
    slowest_seconds: float = 1.0

    @property
    def is_left(self) -> bool:
        """Whether anything may still be run."""
        return self.rehearsals > 0 and self.cpu_seconds > 0


@dataclass(frozen=True)
class Ran:
    """What came of a run of a check: what was answered, and the first line of why it failed, empty if it passed."""

    answered: Answered
    told: str = ""


Run = Callable[[Part], Ran]
Variant = Chaff | Slip


@dataclass(frozen=True)
class Scene:
    """A check on one draw.

    Attributes:
        run: makes the check.
        part: whose code it plays.
        told: what it said of the submission.
        heard: what the submission answered.
        script: what it was asked.
        right: what the reference answers.
    """

    run: Run
    part: Part
    told: str
    heard: Answered
    script: Script
    right: Sequence[object]

    @property
    def is_right(self) -> bool:
        """Whether the submission answered as the reference does."""
        return all(map(same, self.heard.first, self.right))


class Theatre:
    """Runs variants of one assignment's reference.

    Args:
        order: the grading.
        assignment: what is graded.
        budget: what may be spent.

    Attributes:
        ruled_out: keys of the variants that are no mistake of this submission.
    """

    def __init__(self, order: Order, assignment: Assignment, budget: HintBudget) -> None:
        self._order = order
        self._assignment = assignment
        self._left = budget
        self._chaffs: dict[str, Modules | None] = {}
        self._copies: dict[str, Modules] = {}
        self.ruled_out: set[str] = set()

    @cached_property
    def _rehearsal(self) -> Rehearsal:
        return Rehearsal(self._order, self._assignment)

    @cached_property
    def reference(self) -> Modules:
        """The reference's modules."""
        return variant_of(self._assignment, {})

    def scene(self, part: Part, ran: Ran, run: Run) -> Scene | None:
        """A check that was run on a draw; ``None`` where it does not ask in the same way once more."""
        actor, _ = self._rehearsed(self.reference, ran.answered, part, run)
        if actor is None or not actor.complete:
            return None
        return Scene(run, part, ran.told, ran.answered, actor.script, tuple(actor.said))

    def likeness(self, variant: Variant, scene: Scene) -> Likeness | None:
        """What a variant has in common with the submission; ``None`` where it is none of its mistakes.

        A variant that is wrong where the submission is right is added to ``ruled_out``.
        """
        if not self._left.is_left or not self._may_try(variant):
            return None
        with self._modules_of(variant) as modules:
            if modules is None:
                return None
            if not scene.script.can_be_read:
                actor, told = self._rehearsed(modules, scene.heard, scene.part, scene.run)
                # What a check lends, such as a function that counts its calls, may be all that tells two apart.
                same_told = scene.heard.more or told == scene.told
                return self._compared(variant, scene, actor.said) if actor is not None and same_told else None
            actor = self._rehearsal.new_actor(modules, scene.heard)
            longest = min(LEAST + PATIENCE * scene.heard.cpu_seconds, self._left.cpu_seconds)
            try:
                return self._compared(variant, scene, actor.perform(scene.script, longest))
            finally:
                actor.close()

    def _may_try(self, variant: Variant) -> bool:
        if isinstance(variant, Slip):
            self._left.readings -= 1
            return self._left.readings >= 0
        return True

    def is_to_blame(self, places: Collection[Place], scene: Scene) -> bool:
        """Whether it is for what stands at some places that the check complains.

        Once that is put right, the check complains of something else, or of nothing; where all the rest is put right,
        of the same, as far as the answers that are known lead. What a check lends is used by the reference then, and
        says nothing about the submission.
        """
        if not scene.script.can_be_read:
            return False
        others = set(places_that_differ(scene.heard.first, scene.right)) - set(places)
        _, without = self._said_of(places, scene)
        if without is None or without == _without_numbers(scene.told):
            return False
        complete, alone = self._said_of(others, scene)
        return not complete or alone == _without_numbers(scene.told)

    def _said_of(self, places: Collection[Place], scene: Scene) -> tuple[bool, str | None]:
        """Whether the check ends with the answers that are known, and its words with some of them put right."""
        answers = [
            repaired((at,), *both, places) for at, both in enumerate(zip(scene.heard.first, scene.right, strict=True))
        ]
        heard = replace(scene.heard, first=tuple(answers))
        actor, said = self._rehearsed(self.reference, heard, scene.part, scene.run)
        return actor is not None and not actor.asked_more, None if said is None else _without_numbers(said)

    def answers(self, script: Script, heard: Answered) -> list[object]:
        """The reference's answers to a script; ``heard`` tells what of them stays in a player."""
        actor = self._rehearsal.new_actor(self.reference, heard)
        try:
            return list(actor.perform(script, LEAST))
        finally:
            actor.close()

    def _rehearsed(self, modules: Modules, heard: Answered, part: Part, run: Run) -> tuple[Actor | None, str | None]:
        """The variant after a run of the check in which it heard ``heard``, and what the check said."""
        if not self._left.is_left:
            return None, None
        self._left.rehearsals -= 1
        staged: list[Rehearsal] = []

        def bench() -> Rehearsal:
            self._rehearsal.stage(modules, heard)
            staged.append(self._rehearsal)
            return self._rehearsal

        ran = run(Part(bench, patched=part.patched, trusted=True, draw=part.draw))
        return (staged[0].actor if staged else None), ran.told

    @contextmanager
    def _modules_of(self, variant: Variant) -> Iterator[Modules | None]:
        if isinstance(variant, Slip):
            copy = self._copy(variant.function.partition(".")[0])
            with slipped(copy, variant) as made:
                yield copy if made else None
            return
        if variant.name not in self._chaffs:
            self._chaffs[variant.name] = self._made(variant)
        yield self._chaffs[variant.name]

    def _copy(self, module: str) -> Modules:
        """The reference with a module made anew, in which functions can be changed."""
        if module not in self._copies:
            file = self._assignment.reference / self._assignment.content.modules[module].file
            self._copies[module] = variant_of(self._assignment, {module: file.read_text(encoding="utf-8")})
        return self._copies[module]

    def _made(self, chaff: Chaff) -> Modules | None:
        try:
            return variant_of(self._assignment, changed_texts(chaff, self._assignment))
        except (ValueError, SyntaxError):
            # It does not fit the reference any more, which grader validate tells.
            return None

    def _compared(self, variant: Variant, scene: Scene, said: Sequence[object] | Iterator[object]) -> Likeness | None:
        """What the answers of a variant have in common with the submission's; it is asked no further than need be."""
        found, count = Likeness(), 0
        for at, (answer, heard, right) in enumerate(zip(said, scene.heard.first, scene.right, strict=False)):
            if not found.takes((at,), heard, answer, right):
                if found.contradicted:
                    self.ruled_out.add(variant.key)
                return None
            count += 1
        return found if count == len(scene.heard.first) else None


def _without_numbers(text: str) -> str:
    return re.sub(r"[-+]?\d[\d.e+-]*", "0", text)
