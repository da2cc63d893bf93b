"""What a submission answered in one run of a check, and whether another one answered the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from grader.judge.tolerance import generous, precision_of, scale_of
from grader.judge.values import Numbers, is_plain_key, numbers_of

FEW = 8
"""Up to so many whole numbers may agree by chance."""


def same_answers(one: Sequence[object], other: Sequence[object]) -> bool:
    """Whether two runs brought the same answers, in the same order: numbers to rounding, everything else exactly."""
    return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))


def _same(one: object, other: object) -> bool:
    numbers, others = numbers_of(one), numbers_of(other)
    if numbers is not None and others is not None:
        return _same_numbers(numbers, others)
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return same_answers(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        plain = all(is_plain_key(key) for key in (*one, *other))
        return plain and one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    # Objects that stay in the player say nothing by themselves; what is asked of them later does.
    return bool(one == other) if isinstance(one, str | bytes | type(None)) else True


def _same_numbers(one: Numbers, other: Numbers) -> bool:
    if one.kind is not other.kind or one.dtype != other.dtype or one.array.shape != other.array.shape:
        return False
    a, b = one.as_floats(), other.as_floats()
    return not generous(precision_of(one.dtype), scale_of(a)).wrong(a, b).any()


def say_little(answers: Sequence[object]) -> bool:
    """Whether answers are so few whole numbers that another function could give them by chance."""
    found = [numbers for answer in answers for numbers in _numbers_in(answer)]
    floats = [array for array in found if array.size and np.any(array != np.round(array))]
    return not floats and sum(array.size for array in found) <= FEW


def _numbers_in(value: object) -> list[np.ndarray]:
    numbers = numbers_of(value)
    if numbers is not None:
        return [np.nan_to_num(numbers.as_floats())]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return [array for part in parts for array in _numbers_in(part)]
