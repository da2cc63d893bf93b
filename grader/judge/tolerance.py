"""How close two numbers must be, from the precision that they were computed in.

A bound belongs to each entry: ``|got - expected| <= atol + rtol * |expected|``. The absolute part follows the largest
expected entry, so that a small entry cannot hide behind a tolerance made for numbers near one, and rounding in a sum
of large terms is still forgiven. The figures assume inputs near one and sums of up to some thousand terms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SINGLE_PRECISION = 1e-6
"""Part of the largest entry that float64 work may be off by where it went through float32."""


@dataclass(frozen=True)
class Precision:
    """What one dtype can be asked for.

    Attributes:
        rtol: allowed error of an entry as a part of that entry.
        share: ``atol`` as a part of ``rtol`` times the largest expected entry.
        floor: smallest absolute tolerance; below it there is only rounding noise of inputs near one.
    """

    rtol: float
    share: float
    floor: float


PRECISIONS: dict[str, Precision] = {
    "float64": Precision(rtol=1e-8, share=1e-3, floor=1e-14),
    "float32": Precision(rtol=1e-4, share=1e-1, floor=1e-8),
    "float16": Precision(rtol=1e-2, share=2e-1, floor=1e-5),
    "bfloat16": Precision(rtol=5e-2, share=2e-1, floor=1e-5),
}


@dataclass(frozen=True)
class Tolerance:
    """The bound ``atol + rtol * |expected|``, entry by entry."""

    rtol: float
    atol: float

    def wrong(self, expected: NDArray[Any], got: NDArray[Any]) -> NDArray[np.bool_]:
        """Which entries are off, for two arrays of one shape; infinities and NaN are right where both have them."""
        with np.errstate(all="ignore"):
            close = np.abs(got - expected) <= self.atol + self.rtol * np.abs(expected)
        finite = np.isfinite(expected) & np.isfinite(got)
        same = (got == expected) | (np.isnan(expected) & np.isnan(got))
        return np.asarray(~((close & finite) | same))


def precision_of(*dtypes: str) -> str:
    """The coarsest of some dtypes, named as in ``PRECISIONS``; everything that is not there counts as float64."""
    known = [name for name in dtypes if name in PRECISIONS]
    return max(known, key=lambda name: PRECISIONS[name].rtol, default="float64")


def scale_of(expected: NDArray[Any]) -> float:
    """The largest finite magnitude in an array; 1.0 where all entries are zero or there are none."""
    with np.errstate(all="ignore"):
        sizes = np.abs(expected)
    largest = float(np.max(sizes, initial=0.0, where=np.isfinite(sizes)))
    return largest or 1.0


def tolerance_for(dtype: str, scale: float, rtol: float | None = None, atol: float | None = None) -> Tolerance:
    """The tolerance for a dtype and a largest expected entry ``scale``; what is given replaces its part."""
    precision = PRECISIONS[precision_of(dtype)]
    relative = precision.rtol if rtol is None else rtol
    absolute = max(relative * precision.share * scale, precision.floor) if atol is None else atol
    return Tolerance(relative, absolute)


def generous(dtype: str, scale: float) -> Tolerance:
    """The tolerance under which a diagnosis may call two results the same: single precision at best."""
    own = tolerance_for(dtype, scale)
    return Tolerance(max(own.rtol, SINGLE_PRECISION), max(own.atol, SINGLE_PRECISION * scale))


def is_single_precision_noise(expected: NDArray[Any], got: NDArray[Any], wrong: NDArray[np.bool_]) -> bool:
    """Whether the entries marked ``wrong`` are what float32 accumulators leave behind in float64 work.

    Rounding is small beside the largest entry, touches most entries, and does not turn a number into its negative.
    Two or three spoilt small entries among exact ones are therefore no rounding, however small they are.
    """
    scale = scale_of(expected)
    if Tolerance(0.0, SINGLE_PRECISION * scale).wrong(expected, got).any():
        return False
    negated = wrong & (expected != 0) & (np.abs(got + expected) <= 1e-3 * np.abs(expected))
    touched = np.abs(got - expected) > 1e-12 * scale
    return bool(not negated.any() and 2 * np.count_nonzero(touched) >= np.count_nonzero(expected))
