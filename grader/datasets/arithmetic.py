"""Additions and subtractions of whole numbers, drawn from a seed: pure data, nothing is read or downloaded.

Every problem occurs once in a set, so that no part of a split holds what another part holds.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import numpy as np
import numpy.typing as npt

NAME = "arithmetic"

# Changes with what is drawn; kept arrays of another version are not used.
VERSION = 2

_LARGEST = 49
_DRAWN = 50_000


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


@dataclass(frozen=True, eq=False)
class ArithmeticSet:
    """Problems with numbers of two digits, cut into a part to train on and a part to test on.

    Attributes:
        train: int64, (N, 3): the first number, 0 for an addition and 1 for a subtraction, the second number.
        test: int64, (M, 3): other problems.
        name, title, source, canonical, digest: as in :class:`~grader.datasets.imageset.ImageSet`.
    """

    ARRAYS: ClassVar[tuple[str, ...]] = ("train", "test")

    train: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]
    name: str
    title: str
    source: str
    canonical: bool
    digest: str

    @property
    def summary(self) -> str:
        """One line for reports: which set it is, and how many problems it has."""
        return f"{self.title} ({len(self.train):,} problems to train on and {len(self.test):,} to test on)"

    @staticmethod
    def problems(rows: npt.NDArray[np.int64]) -> list[Problem]:
        """The problems that rows of ``train`` or ``test`` stand for."""
        return [Problem(left, list(Operation)[operation], right) for left, operation, right in rows.tolist()]


def make(count: int = 12_000, seed: int = 0) -> ArithmeticSet:
    """The set of ``count`` problems that belongs to ``seed``, a tenth of them to test on.

    No number is above 49, so that any two can be added: a network learns the larger ones as well, but takes longer.
    """
    small = [p for p in problems(_DRAWN, seed=seed) if max(abs(p.left), abs(p.right)) <= _LARGEST]
    train, test = (_rows(part) for part in split(small[:count], 0.1))
    return ArithmeticSet(
        train, test,
        name=NAME,
        title=f"{NAME} with numbers up to {_LARGEST}, drawn from seed {seed}",
        source=f"seed {seed}",
        canonical=True,
        digest=hashlib.sha256(train.tobytes() + test.tobytes()).hexdigest(),
    )  # fmt: skip


def _rows(items: Sequence[Problem]) -> npt.NDArray[np.int64]:
    operations = list(Operation)
    return np.array([(p.left, operations.index(p.operation), p.right) for p in items], np.int64).reshape(-1, 3)
