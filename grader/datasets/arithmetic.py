"""Additions and subtractions of whole numbers, drawn from a seed: pure data, nothing is read or downloaded.

Every problem occurs once in a set, so that no part of a split holds what another part holds.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Operation(Enum):
    """What is done with two numbers."""

    ADD = "add"
    SUBTRACT = "subtract"


@dataclass(frozen=True)
class Problem:
    """Two numbers, and what is done with them."""

    left: int
    operation: Operation
    right: int

    @property
    def result(self) -> int:
        """The sum, or the difference."""
        return self.left + self.right if self.operation is Operation.ADD else self.left - self.right


def problems(count: int, digits: int = 2, seed: int = 0) -> list[Problem]:
    """``count`` different problems in random order; both numbers and the result have at most ``digits`` digits.

    Numbers are positive, negative or zero. The same arguments give the same problems, on every machine; a smaller
    count gives the beginning of the same list.

    Raises:
        ValueError: ``digits`` is below 1, or there are not so many different problems.
    """
    if digits < 1:
        raise ValueError(f"Numbers need at least one digit; digits is {digits}.")
    most = 10**digits - 1
    # Of the (2 most + 1)^2 pairs of numbers, those with a sum beyond `most` form two triangles.
    possible = 2 * ((2 * most + 1) ** 2 - most * (most + 1))
    if not 0 <= count <= possible:
        raise ValueError(f"There are {possible} problems with numbers of {digits} digits; {count} cannot be drawn.")
    generator = random.Random(seed)  # noqa: S311 - reproducibility is the purpose
    found: dict[Problem, None] = {}
    while len(found) < count:
        left, right = (generator.randint(-most, most) for _ in range(2))
        problem = Problem(left, generator.choice(list(Operation)), right)
        if abs(problem.result) <= most:
            found[problem] = None
    return list(found)


def split(items: Sequence[Problem], held_out: float = 0.2) -> tuple[list[Problem], list[Problem]]:
    """The items to learn from, and the last part of them, which is held out for evaluation.

    A problem that occurs more than once counts once, where it occurs first.
    """
    unique = list(dict.fromkeys(items))
    last = len(unique) - round(held_out * len(unique))
    return unique[:last], unique[last:]
