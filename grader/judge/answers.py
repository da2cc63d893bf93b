"""What a submission answered in one run of a check, and whether another one answered the same."""

from __future__ import annotations

from collections.abc import Sequence

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


def say_little(answers: Sequence[object]) -> bool:
    """Whether answers are so few whole numbers that another function could give them by chance."""
    found = [array for answer in answers for array in _numbers_in(answer)]
    fractions = [array for array in found if array.size and np.any(array != np.round(array))]
    return not fractions and sum(array.size for array in found) <= FEW


def _numbers_in(value: object) -> list[np.ndarray]:
    numbers = numbers_of(value)
    if numbers is not None:
        return [np.nan_to_num(numbers.as_floats())]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return [array for part in parts for array in _numbers_in(part)]
