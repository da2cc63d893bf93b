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
        mixed: where both are wrong, each in another way, as after a further mistake of the submission.
        contradicted: whether the variant is wrong where the submission is right.
    """

    shared: dict[Place, object] = field(default_factory=dict)
    unexplained: list[Place] = field(default_factory=list)
    mixed: list[Place] = field(default_factory=list)
    contradicted: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether the variant explains all that is wrong."""
        return not self.unexplained and not self.mixed

    def takes(self, place: Place, heard: object, said: object, right: object) -> bool:
        """Adds one answer of the submission, of the variant and of the reference.

        Returns whether the variant is still possible as one of the submission's mistakes: nothing that the submission
        does right, it does wrong, and something that it does wrong, the submission does wrong in the same way.
        """
        self._add(place, heard, said, right)
        return not self.contradicted and (bool(self.shared) or not self.mixed)

    def _add(self, place: Place, heard: object, said: object, right: object) -> None:
        parts = _parts(heard, said)
        if parts is not None:
            rights = {key: part for key, (part, _) in _parts(right, heard) or ()}
            for key, pair in parts:
                self._add((*place, key), *pair, rights.get(key, MISSING))
        elif same(heard, said):
            if right is MISSING or not same(heard, right):
                self.shared[place] = heard
        elif right is not MISSING and same(said, right):
            self.unexplained.append(place)
        else:
            self.mixed.append(place)
            self.contradicted |= right is not MISSING and _contradicts(heard, said, right)


def _contradicts(heard: object, said: object, right: object) -> bool:
    """Whether somewhere the submission is right and the variant is not."""
    if same(heard, right):
        return True
    found = [numbers_of(value) for value in (heard, said, right)]
    arrays = [numbers.as_floats() for numbers in found if numbers is not None]
    if len(arrays) < len(found) or len({array.shape for array in arrays}) > 1:
        return False
    tolerance = generous(precision_of(*(numbers.dtype for numbers in found if numbers)), scale_of(arrays[2]))
    return bool((~tolerance.wrong(arrays[2], arrays[0]) & tolerance.wrong(arrays[2], arrays[1])).any())


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


def places_that_differ(answers: Sequence[object], right: Sequence[object]) -> list[Place]:
    """Where answers are not those of the reference."""
    found = Likeness()
    for at, (heard, correct) in enumerate(zip(answers, right, strict=True)):
        found.takes((at,), heard, correct, correct)
    return found.unexplained


def repaired(place: Place, heard: object, right: object, places: Collection[Place]) -> object:
    """An answer of the submission with what stands at some places put right."""
    if place in places:
        return right
    parts = _parts(heard, right)
    if parts is None:
        return heard
    changed = {key: repaired((*place, key), *pair, places) for key, pair in parts}
    return changed if isinstance(heard, dict) else tuple(changed.values())


def say_something(answers: Collection[object]) -> bool:
    """Whether answers hold a number other than zero, infinity and NaN, which come of many mistakes."""
    return any(np.any(array[np.isfinite(array)]) for answer in answers for array in _raw_numbers_in(answer))


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
