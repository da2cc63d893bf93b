"""What a submission answered in one run of a check, and what of it a wrong variant of the reference answers as well."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from grader.judge.tolerance import generous, precision_of, scale_of
from grader.judge.values import Numbers, is_plain_key, numbers_of

FEW = 8
"""Up to so many whole numbers may agree by chance."""


def same(one: object, other: object) -> bool:
    """Whether two answers are the same: numbers to rounding, everything else exactly.

    Numbers may be Python's or tensors of shape (); what has entries has to have the same dtype, too.
    """
    numbers, others = numbers_of(one), numbers_of(other)
    if numbers is not None and others is not None:
        return _same_numbers(numbers, others)
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        plain = all(is_plain_key(key) for key in (*one, *other))
        return plain and one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    # Objects say nothing by themselves; what is asked of them later does.
    return bool(one == other) if isinstance(one, str | bytes | type(None)) else True


def _same_numbers(one: Numbers, other: Numbers) -> bool:
    if one.kind is not other.kind or one.array.shape != other.array.shape:
        return False
    if one.array.ndim and one.dtype != other.dtype:
        return False
    a, b = one.as_floats(), other.as_floats()
    return not generous(precision_of(one.dtype, other.dtype), scale_of(a)).wrong(a, b).any()


@dataclass
class Likeness:
    """What a variant and a submission have in common that is not right.

    Attributes:
        shared: where both answered the same, and otherwise than the reference; and what.
        unexplained: where the variant is right and the submission is not.
    """

    shared: dict[Place, object] = field(default_factory=dict)
    unexplained: list[Place] = field(default_factory=list)

    def takes(self, place: Place, heard: object, said: object, right: object) -> bool:
        """Adds one answer of the submission, of the variant and of the reference.

        Returns whether the variant is still possible as one of the submission's mistakes: all that it does wrong, the
        submission does wrong in the same way.
        """
        parts = _parts(heard, said)
        if parts is not None:
            rights = dict(_parts(right, heard) or ())
            return all(self.takes((*place, key), *pair, rights.get(key, MISSING)) for key, pair in parts)
        if same(heard, said):
            if right is MISSING or not same(heard, right):
                self.shared[place] = heard
            return True
        if right is MISSING or not same(said, right):
            return False
        self.unexplained.append(place)
        return True


Place = tuple[object, ...]
"""Number of the answer, then an index or a key for each level below."""

MISSING = object()


def _parts(one: object, other: object) -> list[tuple[object, tuple[object, object]]] | None:
    """The parts of two containers of one form; ``None`` for everything else."""
    if isinstance(one, tuple | list) and isinstance(other, tuple | list) and len(one) == len(other):
        return list(enumerate(zip(one, other, strict=True)))
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [(key, (one[key], other[key])) for key in one] if all(map(is_plain_key, one)) else None
    return None


def repaired(place: Place, heard: object, right: object, places: Collection[Place]) -> object:
    """An answer of the submission with what stands at some places put right."""
    if place in places:
        return right
    parts = _parts(heard, right)
    if parts is None:
        return heard
    changed = {key: repaired((*place, key), *pair, places) for key, pair in parts}
    return changed if isinstance(heard, dict) else tuple(changed.values())


def say_much(answers: Collection[object]) -> bool:
    """Whether answers hold a number that is neither whole nor infinite, or many that are not all the same."""
    found = [array[np.isfinite(array)] for answer in answers for array in _raw_numbers_in(answer)]
    fractions = any(np.any(array != np.round(array)) for array in found)
    return fractions or any(array.size > FEW and np.unique(array).size > 1 for array in found)


def say_little(answers: Sequence[object]) -> bool:
    """Whether answers are so few whole numbers that another function could give them by chance."""
    found = [array for answer in answers for array in _numbers_in(answer)]
    fractions = [array for array in found if array.size and np.any(array != np.round(array))]
    return not fractions and sum(array.size for array in found) <= FEW


def _numbers_in(value: object) -> list[np.ndarray]:
    return [np.nan_to_num(array) for array in _raw_numbers_in(value)]


def _raw_numbers_in(value: object) -> list[np.ndarray]:
    numbers = numbers_of(value)
    if numbers is not None:
        return [numbers.as_floats()]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return [array for part in parts for array in _raw_numbers_in(part)]
