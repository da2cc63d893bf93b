"""How the work of a call grows between two sizes: a loop over the data shows as work that grows with it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Growth:
    """How the work of a call grew between two sizes.

    Attributes:
        operations, lines, calls: exponents of dispatched operations, executed lines, calls (libraries included).
        per_datum: operations, lines or calls that came with each step of the size.
    """

    operations: float
    lines: float
    calls: float
    per_datum: float

    @property
    def order(self) -> int:
        """The larger exponent, rounded: how many nested loops run over the data.

        Much work that does not grow hides a loop from the exponents, so that a step for each datum counts as one.
        """
        return max(round(max(self.operations, self.lines, self.calls)), int(self.per_datum >= 1))


def growth(counts: Sequence[Mapping[str, Any]], small: Sequence[Any], large: Sequence[Any]) -> Growth:
    """How the work grew from ``small`` to ``large`` arguments, of which ``counts`` are the two traces."""
    factor = math.log(_factor(small, large))
    totals = [[_total(count, key) for count in counts] for key in ("dispatched", "lines", "calls")]
    more = max(large_count - small_count for small_count, large_count in totals)
    operations, lines, calls = (_exponent(total, factor) for total in totals)
    return Growth(operations, lines, calls, more / _difference(small, large))


def _total(trace: Mapping[str, Any], key: str) -> float:
    count = trace.get(key, 0)
    return float(count) if type(count) is int and 0 <= count < 2**53 else 0.0


def _sizes(small: Sequence[Any], large: Sequence[Any]) -> Iterator[tuple[int, int]]:
    for one, other in zip(small, large, strict=True):
        yield from zip(getattr(one, "shape", ()), getattr(other, "shape", ()), strict=False)


def _factor(small: Sequence[Any], large: Sequence[Any]) -> float:
    return max([2.0, *(big / little for little, big in _sizes(small, large) if little)])


def _difference(small: Sequence[Any], large: Sequence[Any]) -> float:
    """The smallest step by which a dimension grew: a loop over any of them makes at least so many rounds more."""
    return min((big - little for little, big in _sizes(small, large) if big > little), default=math.inf)


def _exponent(counts: Sequence[float], log_factor: float) -> float:
    few, many = counts
    return math.log(max(many, 1.0) / max(few, 1.0)) / log_factor if many > few else 0.0
