"""Pictures for a report, drawn from numbers: curves of a training, weights as images.

They are an extra: numbers that cannot be shown give no picture, and never a verdict.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.contract.picture import MAX_CHARACTERS, Picture
from grader.contract.verdict import SubmissionProblem
from grader.judge.values import numbers_of

Pixels = NDArray[np.uint8]

_WIDTH, _HEIGHT, _THICK = 480, 160, 2
# Of the same brightness, so that they can be read on a light and on a dark page.
_BLUE, _GREY = (66, 133, 220, 255), (128, 134, 142, 255)
_SMOOTH = 200
_ACROSS = 5
_MOST_TILES = 10
_TILE = 64


@dataclass(frozen=True, eq=False)
class Pictures:
    """The fixture ``pictures``.

    Attributes:
        show: takes a picture.
    """

    show: Callable[[Picture], None]

    def curve(self, title: str, values: Any, unit: str = "steps") -> None:
        """Shows a number over the course of a training.

        Args:
            title: what it is, such as ``"loss on the training images"``.
            values: at least two finite numbers, in a list, a tensor or an array; or a function that asks the submission
                for them.
            unit: what one number stands for, in the plural.
        """
        array = _numbers(values)
        if array is None or array.ndim != 1 or len(array) < 2 or not np.isfinite(array).all():
            return
        smooth = np.array([part.mean() for part in np.array_split(array, min(len(array), _SMOOTH))])
        low, high = min(float(smooth.min()), 0.0), float(smooth.max())
        if not (math.isfinite(low) and math.isfinite(high) and high - low > 0):
            return
        caption = f"from {array[0]:.3g} to {array[-1]:.3g} in {len(array):,} {unit}; the axis is at {low:.3g}"
        self._show(title, caption, _drawn((smooth - low) / (high - low)), _WIDTH)

    def tiles(self, title: str, values: Any) -> None:
        """Shows the first ten of some small colour images, each from its smallest number, black, to its largest.

        Args:
            title: what they are, such as ``"weights of each class"``.
            values: (n, 3, height, width), real numbers; or a function that asks the submission for them.
        """
        array = _numbers(values)
        if array is None or array.ndim != 4 or array.shape[1] != 3 or 0 in array.shape or max(array.shape[2:]) > _TILE:
            return
        chosen = array[:_MOST_TILES]
        if not np.isfinite(chosen).all():
            return
        shown = f"the first {len(chosen)} of {len(array)}" if len(array) > len(chosen) else f"{len(chosen)} in order"
        width = _TILE * min(len(chosen), _ACROSS)
        self._show(title, f"{shown}, each from black to white by itself", _grid(chosen), width)

    def _show(self, title: str, caption: str, pixels: Pixels, width: int) -> None:
        png = base64.b64encode(_png(pixels)).decode("ascii")
        if len(png) <= MAX_CHARACTERS:
            self.show(Picture(title, caption, png, width))


def _numbers(values: Any) -> NDArray[np.float64] | None:
    if callable(values):
        with suppress(SubmissionProblem):
            return _numbers(values())
        return None
    if type(values) in (list, tuple):
        if not all(type(value) in (int, float) and abs(value) < 1e300 for value in values):
            return None
        return np.asarray(values, dtype=np.float64)
    found = numbers_of(values)
    return found.as_floats() if found is not None and found.array.dtype.kind in "iuf" else None


def _drawn(heights: NDArray[np.float64]) -> Pixels:
    """A curve through ``heights``, from 0 to 1, over a line at 0, on nothing."""
    pixels = np.zeros((_HEIGHT, _WIDTH, 4), dtype=np.uint8)
    pixels[-1] = _GREY
    places = np.interp(np.linspace(0, len(heights) - 1, _WIDTH), np.arange(len(heights)), heights)
    rows = ((1 - places) * (_HEIGHT - 1 - _THICK)).round().astype(int)
    for column, (before, row) in enumerate(zip([rows[0], *rows[:-1]], rows, strict=True)):
        pixels[min(before, row) : max(before, row) + _THICK, column] = _BLUE
    return pixels


def _grid(images: NDArray[np.float64]) -> Pixels:
    """The images in rows of five, each stretched to 0 ... 255, as (height, width, 3)."""
    n, _, height, width = images.shape
    low, high = (bound(images, axis=(1, 2, 3), keepdims=True) for bound in (np.min, np.max))
    # Halved before they are subtracted: the largest numbers do not overflow.
    spread = np.where(high > low, high / 2 - low / 2, 1.0)
    stretched = ((images / 2 - low / 2) / spread * 255).round().clip(0, 255).astype(np.uint8)
    down, across = -(-n // _ACROSS), min(n, _ACROSS)
    grid = np.zeros((down * across, 3, height, width), dtype=np.uint8)
    grid[:n] = stretched
    grid = grid.reshape(down, across, 3, height, width).transpose(0, 3, 1, 4, 2)
    return grid.reshape(down * height, across * width, 3)


def _png(pixels: Pixels) -> bytes:
    """The pixels (height, width, 3 or 4) as a PNG file (W3C Recommendation "Portable Network Graphics", 2003)."""
    height, width, channels = pixels.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, {3: 2, 4: 6}[channels], 0, 0, 0)
    unfiltered = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)
    image = zlib.compress(unfiltered.tobytes(), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", image) + chunk(b"IEND", b"")
