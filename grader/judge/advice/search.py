"""The search for the variants of the reference that explain one check that failed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from grader.judge.advice.answers import Likeness, say_little, say_something
from grader.judge.advice.theatre import HintBudget, Scene, Theatre, Variant
from grader.judge.chaffs import Chaff

DRAWS, DRAWS_WHERE_LITTLE_IS_SAID = 2, 6


class Fit(Enum):
    """How much of what is wrong a variant has to explain."""

    WHOLE = "all of it"
    PART = "what is wrong in some answers, where it is right in the others"
    MIXED = "what is wrong in some answers, where another mistake may change what it does in others"


@dataclass
class Search:
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
    _first: dict[str, Likeness | None] = field(default_factory=dict)

    def fitting(self, variants: Sequence[Variant], fit: Fit) -> list[Variant]:
        """Those that answer as the submission does on independent draws, and are what this check complains of.

        With :attr:`Fit.PART`, those that explain all that is wrong come before those that explain a part of it.
        """
        possible = [each for each in variants if each.key not in self.theatre.ruled_out]
        liked = [(each, self._first_likeness(each)) for each in possible]
        found = [(each, likeness) for each, likeness in liked if likeness is not None]
        if fit is Fit.MIXED:
            return self._lasting([pair for pair in found if pair[1].mixed])
        whole = self._lasting([pair for pair in found if pair[1].is_whole])
        if whole or fit is Fit.WHOLE:
            return whole
        return self._lasting([pair for pair in found if not pair[1].is_whole and not pair[1].mixed])

    def _lasting(self, found: list[tuple[Variant, Likeness]]) -> list[Variant]:
        found = [(each, likeness) for each, likeness in found if self._is_to_blame(likeness)]
        little = {each.key for each, likeness in found if say_little(list(likeness.shared.values()))}
        # A check may be such that few whole numbers come out alike whatever the mistake is, on any draw.
        found = [pair for pair in found if pair[0].key not in little or self._explains_others(pair[0])]
        for number in range(1, DRAWS_WHERE_LITTLE_IS_SAID if little else DRAWS):
            scene = self._scene(number) if found else None
            if scene is None:
                return []
            again = [(*pair, self.theatre.likeness(pair[0], scene)) for pair in found]
            found = [(each, first) for each, first, now in again if now is not None and _fits_as_before(first, now)]
        return [each for each, _ in found]

    def _explains_others(self, variant: Variant) -> bool:
        """Whether a chaff explains all that was wrong in earlier checks, of which there is one at least."""
        likenesses = [self.theatre.likeness(variant, scene) for scene in self.before]
        explained = all(likeness is not None and likeness.is_whole for likeness in likenesses)
        return isinstance(variant, Chaff) and bool(likenesses) and explained

    def _first_likeness(self, variant: Variant) -> Likeness | None:
        if variant.key not in self._first:
            self._first[variant.key] = self._likeness(variant)
        return self._first[variant.key]

    def _likeness(self, variant: Variant) -> Likeness | None:
        likeness = self.theatre.likeness(variant, self.scenes[0])
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
