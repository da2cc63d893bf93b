"""What kind of mistake turns the expected result into the one that came; claimed only where it holds to tolerance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.judge.relations import relation, relation_of_lines
from grader.judge.tolerance import generous, precision_of, scale_of
from grader.judge.values import Kind, numbers_of

Array = NDArray[Any]
Agree = Callable[[Array, Array], Array]
_LARGEST_NICE = 100
_BELIEVED = ((1, False), (2, False), (2, True))
"""Factors that one or two numbers are enough for: -1, 2 and 1/2; any two numbers have some ratio."""


def diagnose(expected: object, got: object, sizes: Mapping[str, int] | None = None, dtype: str | None = None) -> str:
    """One sentence that explains a wrong result, or an empty string.

    Args:
        expected, got: tensors, arrays or numbers.
        sizes: sizes of the problem by name, such as ``{"N": 7}``, to recognise a factor by.
        dtype: precision of the comparison where it is coarser than what the two came in.
    """
    ours, theirs = numbers_of(expected), numbers_of(got)
    if ours is None or theirs is None or Kind.COMPLEX in (ours.kind, theirs.kind) or ours.array.size == 0:
        return ""
    if ours.kind is Kind.INTEGER and np.unique(ours.array).size <= 2:
        return ""  # counts or labels: any two of them have a ratio and a difference
    want, have = ours.as_floats(), theirs.as_floats()
    if not np.isfinite(want).all():
        return ""
    if not np.isfinite(have).all():
        return not_finite_sentence(have)
    tolerance = generous(precision_of(ours.dtype, theirs.dtype, dtype or ""), scale_of(want))
    return _compare(want, have, lambda a, b: ~tolerance.wrong(a, b), sizes or {})


def diagnose_factor(expected: Array, got: Array, sizes: Mapping[str, int]) -> str:
    """As :func:`diagnose`, for slopes along random directions, from which only a constant factor can be told."""
    tolerance = generous("float32", scale_of(expected))
    factor = constant_factor(expected, got, lambda a, b: ~tolerance.wrong(a, b))
    return "" if factor is None else factor_sentence(factor, sizes)


def _compare(want: Array, have: Array, agree: Agree, sizes: Mapping[str, int]) -> str:
    if want.shape != have.shape:
        return _shape(want, have, agree)
    right = agree(want, have)
    if right.all():
        return ""
    if not have.any():
        return "It is zero everywhere." if have.ndim else ""  # of one number the message says so itself
    factor = constant_factor(want, have, agree)
    if factor is not None and (want.size > 2 or _nice(factor) in _BELIEVED or _size_named(abs(factor), sizes)):
        return factor_sentence(factor, sizes)
    simple = _offset(want, have, agree) or relation(want, have, agree) or _misplaced(want, have, right, agree)
    return simple or _rows(right) or relation_of_lines(want, have, agree)


def not_finite_sentence(have: Array) -> str:
    """Where NaN or infinity, of which there is one at least, usually come from."""
    if np.isnan(have).any():
        return "NaN comes from 0/0, inf - inf or the logarithm of a negative number; often an exp overflowed before."
    return "Infinity comes from a division by zero, the logarithm of zero, or an exp of a large number."


def _shape(want: Array, have: Array, agree: Agree) -> str:
    if want.ndim >= 2 and have.shape == want.shape[::-1] and agree(want, have.T).all():
        return "It is the transpose of what is expected."
    permuted = _permuted(want, have, agree)
    if permuted:
        return permuted
    if have.size == want.size and agree(want, have.reshape(want.shape)).all():
        return "The numbers are right, only the shape is wrong."
    return ""


def _permuted(want: Array, have: Array, agree: Agree) -> str:
    """Whether three or four axes stand in another order."""
    if want.ndim not in (3, 4) or have.ndim != want.ndim:
        return ""
    for axes in list(permutations(range(want.ndim)))[1:]:
        moved = want.transpose(axes)
        if moved.shape == have.shape and agree(moved, have).all():
            return f"Its axes are in another order: it is what is expected after permute{axes}."
    return ""


def _offset(want: Array, have: Array, agree: Agree) -> str:
    """Whether one number was added to everything: to many different entries, since any two numbers have a distance."""
    if np.unique(want).size < 4:
        return ""
    offset = float((have - want).mean())
    if not offset or not agree(want, have - offset).all():
        return ""
    return f"It is {abs(offset):.6g} too {'large' if offset > 0 else 'small'} everywhere."


def _shifted(want: Array, have: Array, agree: Agree) -> str:
    """Whether everything stands one place further along an axis, or one place before."""
    for axis, size in enumerate(want.shape):
        if size < 3:
            continue
        ahead, behind = np.arange(1, size), np.arange(size - 1)
        for place, others, word in ((ahead, behind, "before"), (behind, ahead, "after")):
            stands, belongs = have.take(place, axis), want.take(others, axis)
            if np.unique(belongs).size >= 4 and agree(belongs, stands).all():
                return f"It is shifted along axis {axis}: each place holds what belongs one place {word}."
    return ""


def constant_factor(want: Array, have: Array, agree: Agree) -> float | None:
    """The number ``k`` with ``have == k * want`` everywhere, where there is enough evidence for one that is not 1.

    With fewer than three entries any answer is some multiple, so that only small whole numbers and their inverses
    are believed.
    """
    scale = scale_of(want)
    unit = want / scale
    if not unit.any():
        return None
    with np.errstate(all="ignore"):
        factor = float((have / scale * unit).sum() / (unit * unit).sum())
        fits = np.isfinite(factor) and factor != 0 and agree(want, have / factor).all()
    if not fits or abs(factor - 1) < 1e-3:
        return None
    enough = np.count_nonzero(np.abs(unit) > 1e-3) >= 3
    return factor if enough or _nice(factor) is not None else None


def _nice(factor: float) -> tuple[int, bool] | None:
    """The whole number that a factor or its inverse is, and whether it is the inverse."""
    for value, inverted in ((abs(factor), False), (1 / abs(factor), True)):
        if not 0.5 < value < _LARGEST_NICE + 0.5:
            continue
        if abs(value - round(value)) <= 1e-5 * value:
            return round(value), inverted
    return None


def factor_sentence(factor: float, sizes: Mapping[str, int]) -> str:
    """What a constant factor says: its sign, its size, and the size of the problem that it equals."""
    nice = _nice(factor)
    if nice is not None and nice[0] == 1:
        return "It has the wrong sign everywhere."
    sign = "minus " if factor < 0 else ""
    if nice is None:
        named = _size_named(abs(factor), sizes)
        return f"It is {sign}{abs(factor):.6g} times what is expected everywhere.{named}"
    whole, inverted = nice
    amount = f"1/{whole} of" if inverted else f"{whole} times"
    return f"It is {sign}{amount} what is expected everywhere.{_size_named(abs(factor), sizes)}"


def _size_named(factor: float, sizes: Mapping[str, int]) -> str:
    """What sizes of the problem say about a factor, where they say one thing only."""
    known = {name: size for name, size in sizes.items() if size > 1}
    said: list[str] = []
    for name, size in known.items():
        said += [
            f" {name} is {size}: {question}"
            for value, question in (
                (size, f"is a division by {name} missing?"),
                (1 / size, f"is there one division by {name} too many?"),
                (size * size, f"is it multiplied by {name} where it has to be divided?"),
            )
            if _equal(factor, value)
        ]
        said += [
            f" {name} is {size}, {other} is {divisor}: is it divided by {other}, and not by {name}?"
            for other, divisor in known.items()
            if divisor != size and _equal(factor, size / divisor)
        ]
    return said[0] if len(said) == 1 else ""


def _equal(factor: float, value: float) -> bool:
    return abs(factor - value) <= 1e-5 * value


def _misplaced(want: Array, have: Array, right: Array, agree: Agree) -> str:
    if want.ndim == 2 and want.shape[0] == want.shape[1] > 1 and agree(want, have.T).all():
        return "It is the transpose of what is expected."
    if want.ndim == 0 or np.unique(want).size < 4:
        return ""
    moved = _permuted(want, have, agree) or _shifted(want, have, agree)
    if moved:
        return moved
    if want.ndim > 1 and agree(_sorted_rows(want), _sorted_rows(have)).all():
        return "The rows are right but in another order."
    if 2 * np.count_nonzero(~right) > want.size and agree(np.sort(want, axis=None), np.sort(have, axis=None)).all():
        return "The numbers are right but in other places: look at a reshape where a transpose is needed, or an index."
    return ""


def _sorted_rows(array: Array) -> Array:
    rows = array.reshape(len(array), -1)
    return np.asarray(rows[np.lexsort(rows.T[::-1])])


def _rows(right: Array) -> str:
    """Which rows, or columns of a matrix, are right or wrong as a whole."""
    if right.ndim == 0:
        return ""
    said = _lines(right.reshape(len(right), -1), "row" if right.ndim > 1 else "entry")
    return said or (_lines(right.T, "column") if right.ndim == 2 else "")


def _lines(right: Array, thing: str) -> str:
    if len(right) < 3:
        return ""
    good = np.asarray(right.all(axis=1))
    bad = np.flatnonzero(~good)
    if good[0] and not good[1:].any():
        return f"Only the first {thing} is right."
    if len(bad) == 1:
        where = {0: "the first", len(right) - 1: "the last"}.get(int(bad[0]))
        return f"Only {where} {thing} is wrong." if where else f"Only {thing} {bad[0]} is wrong."
    first = int(bad[0])
    if first > len(bad) > 1 and len(bad) == len(right) - first and not right[first:].all(axis=1).any():
        things = "entries" if thing == "entry" else f"{thing}s"
        return f"The first {first} {things} are right, and all others are wrong."
    return ""
