"""Functions of the expected result that a wrong one often is: a log, a running sum, the same in reverse order.

Each is claimed only where all entries agree with it, and where these are so many, and so different, that they would not
by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Agree = Callable[[Array, Array], Array]

ENOUGH = 4
"""So many different numbers are expected at least, for anything to be claimed; in each row, where rows are compared."""


def relation(want: Array, have: Array, agree: Agree) -> str:
    """A sentence on which function of ``want`` the array ``have``, of the same shape, is; empty if none is seen."""
    if np.unique(want).size < ENOUGH or not have.any():
        return ""
    with np.errstate(all="ignore"):
        found = next((text for other, text in _functions(want) if _is(other, want, have, agree)), "")
    return found or _softmax(want, have, agree) or _affine(want, have, agree)


def _is(other: Array, want: Array, have: Array, agree: Agree) -> bool:
    """Whether ``have`` is another function of ``want``, which does not give ``want`` itself."""
    return bool(np.isfinite(other).all() and agree(other, have).all() and not agree(want, other).all())


def _functions(want: Array) -> Iterator[tuple[Array, str]]:
    yield np.abs(want), "It is the magnitude of what is expected: the signs are lost."
    yield np.maximum(want, 0), "Where a negative number is expected it is 0, and right elsewhere."
    yield np.minimum(want, 0), "Where a positive number is expected it is 0, and right elsewhere."
    yield np.exp(want), "It is exp of what is expected: is a log missing, or an exp too many?"
    yield np.log(want), "It is the log of what is expected: is an exp missing, or a log too many?"
    yield want * want, "It is the square of what is expected: is a root missing, or a square too many?"
    yield np.sqrt(want), "It is the root of what is expected: is a square missing, or a root too many?"
    yield 1 / want, "It is 1 divided by what is expected."
    yield 1 - want, "It is 1 minus what is expected."
    for axis, size in enumerate(want.shape):
        if size > 1:
            along = f" along axis {axis}" if want.ndim > 1 else ""
            yield np.flip(want, axis), f"It is in reverse order{along}."
            yield np.cumsum(want, axis), f"It is the running sum of what is expected{along}."


def _softmax(want: Array, have: Array, agree: Agree) -> str:
    for axis, size in enumerate(want.shape):
        powers = np.exp(have - have.max(axis=axis, keepdims=True))
        shares = powers / powers.sum(axis=axis, keepdims=True)
        if size > 1 and agree(want, shares).all():
            return f"A softmax is missing: along axis {axis}, its softmax is what is expected."
        if size > 1 and (want <= 0).all() and agree(want, np.log(shares)).all():
            return f"A log_softmax is missing: along axis {axis}, its log_softmax is what is expected."
    return ""


def _affine(want: Array, have: Array, agree: Agree) -> str:
    """Whether everything was multiplied by one number and then moved by another."""
    if np.unique(want).size <= ENOUGH:
        return ""
    spread = want - want.mean()
    factor = float((spread * (have - have.mean())).sum() / (spread * spread).sum())
    offset = float((have - factor * want).mean())
    if abs(factor) < 1e-3 or abs(factor - 1) < 1e-3 or abs(offset) < 1e-3 * float(np.abs(want).max()):
        return ""
    # Held against what was moved back, as everything is measured on the scale of what is expected.
    if not agree(want, (have - offset) / factor).all():
        return ""
    sign = "plus" if offset > 0 else "minus"
    return f"It is {factor:.6g} times what is expected, {sign} {abs(offset):.6g}, everywhere."


def relation_of_lines(want: Array, have: Array, agree: Agree) -> str:
    """Whether every row, or every column, of a matrix is off by a factor, or by a number, of its own."""
    if want.ndim != 2 or not have.any():
        return ""
    for axis, line, other in ((1, "row", "columns"), (0, "column", "rows")):
        if min(want.shape) < 3 or want.shape[axis] < ENOUGH:
            continue
        moved = (have - want).mean(axis=axis, keepdims=True)
        if agree(want, have - moved).all():
            return (
                f"Every {line} is off by a number of its own, the same in all {other}: look at what is added, and "
                "along which axis."
            )
        with np.errstate(all="ignore"):
            factors = (have * want).sum(axis=axis, keepdims=True) / (want * want).sum(axis=axis, keepdims=True)
        if np.isfinite(factors).all() and factors.all() and agree(want, have / factors).all():
            return (
                f"Every {line} is off by a factor of its own, the same in all {other}: is it divided or multiplied "
                "along the wrong axis?"
            )
    return ""
