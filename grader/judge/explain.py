"""Words for a wrong answer: how many entries, which one, and what stood there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from grader.contract.verdict import CheckFailed, Explanation
from grader.judge.tolerance import Tolerance
from grader.judge.values import format_apart, show

Array = NDArray[Any]
_SMALL = 64
_ROWS, _COLUMNS = 4, 8


def fail(message: str, expected: str = "", got: str = "", difference: str = "", hint: str = "") -> NoReturn:
    """Raises ``CheckFailed``; a message about the unnamed result becomes a sentence."""
    raise CheckFailed(Explanation(_capital(message), expected, got, difference, hint))


def _capital(message: str) -> str:
    return f"The {message}" if message.startswith("result") else message


def fail_entries(
    label: str, expected: Array, got: Array, wrong: Array, *, tolerance: Tolerance | None, hint: str
) -> NoReturn:
    """Fails with the number of wrong entries, the worst of them (the first, where nothing was tolerated) and a hint."""
    where = first_index(wrong) if tolerance is None else worst_index(expected, got, wrong, tolerance)
    want, have = format_apart(expected[where], got[where])
    if expected.ndim == 0:
        fail(f"{label} is {have}, but should be {want}.", want, have, hint=hint)
    rank = "first" if tolerance is None else "worst"
    difference = f"The {rank} is {at(label, where)}: expected {want}, got {have}."
    fail(count_bad(wrong, label, "wrong"), _rows(expected), _rows(got), difference, hint)


def worst_index(expected: Array, got: Array, wrong: Array, tolerance: Tolerance) -> tuple[int, ...]:
    """Index of the wrong entry that is off by the most, measured by its own bound."""
    with np.errstate(all="ignore"):
        error = np.abs(got - expected) / (tolerance.atol + tolerance.rtol * np.abs(expected))
    ranked = np.where(wrong, np.nan_to_num(error, nan=np.inf, posinf=np.inf), -1.0)
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(ranked)), ranked.shape))


def first_index(mask: Array) -> tuple[int, ...]:
    """Index of the first true entry, row by row."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(mask)), mask.shape))


def at(label: str, index: tuple[int, ...]) -> str:
    """``dW[2, 3]``; for a scalar only the name."""
    return f"{label}[{', '.join(map(str, index))}]" if index else label


def count_entries(count: int) -> str:
    """``1 entry``, ``7 entries``."""
    return f"{count} entr{'y' if count == 1 else 'ies'}"


def count_bad(mask: Array, label: str, what: str) -> str:
    """``dW: 3 of 60 entries are wrong.``, for a mask of the wrong ones."""
    bad = int(np.count_nonzero(mask))
    return f"{label}: {bad} of {count_entries(mask.size)} {'is' if bad == 1 else 'are'} {what}."


def _rows(array: Array) -> str:
    """A small array whole or by its first rows; nothing for a large one."""
    if array.size > _SMALL or array.ndim > 2:
        return ""
    rows = array if array.ndim == 2 else array[None]
    lines = [_row(row) for row in rows[:_ROWS]]
    return "\n".join([*lines, "…"] if len(rows) > _ROWS else lines)


def _row(row: Array) -> str:
    texts = [format_apart(x, x)[0] if not isinstance(x, (float, np.inexact)) else f"{x:.5g}" for x in row[:_COLUMNS]]
    return f"[{', '.join([*texts, '…'] if len(row) > _COLUMNS else texts)}]"


def list_keys(keys: Any) -> str:
    """The first eight keys of a sized collection, safely printed."""
    shown = [show(key) for key in list(keys)[:8]]
    return ", ".join([*shown, "…"] if len(keys) > 8 else shown)


def shape_text(shape: Sequence[int | None]) -> str:
    """A shape as Python prints it, with ``any`` for a free size."""
    inner = ", ".join("any" if size is None else str(size) for size in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"
