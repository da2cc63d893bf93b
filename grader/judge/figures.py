"""Pictures and curves for a report, from what a submission returned: to be looked at, and never to decide points."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import torch

from grader.contract.verdict import Figure

MOST_FIGURES = 6
MOST_POINTS = 120
MOST_TILES = 40
MOST_SIDE = 64
_GAP = 2


class Show:
    """The fixture ``show``. What cannot be drawn is left out: whether an answer is right is for the check to say."""

    def __init__(self) -> None:
        self.figures: list[Figure] = []

    def curve(self, title: str, values: Sequence[Any]) -> None:
        """Numbers by step, such as the losses of a training; of many, evenly chosen ones are kept."""
        try:
            numbers = [float(value) for value in values]
        except (TypeError, ValueError, RuntimeError):
            return
        count = min(len(numbers), MOST_POINTS)
        places = [round(place * (len(numbers) - 1) / max(count - 1, 1)) for place in range(count)]
        kept = tuple(float(f"{numbers[place]:.5g}") for place in places if math.isfinite(numbers[place]))
        if len(kept) > 1:
            self._add(Figure(title, curve=kept))

    def tiles(self, title: str, images: Any) -> None:
        """Images (K, H, W) or (K, H, W, 3), such as weights of a first layer, side by side, each in its own range."""
        if not torch.is_tensor(images) or images.is_complex() or images.dim() not in (3, 4):
            return
        colours = images.shape[3] if images.dim() == 4 else 1
        if colours in (1, 3) and images.numel() and max(images.shape[1:3]) <= MOST_SIDE:
            tiles = images[:MOST_TILES].detach().cpu().float().reshape(-1, *images.shape[1:3], colours)
            self._add(Figure(title, picture=base64.b64encode(_png(_sheet(tiles))).decode()))

    def _add(self, figure: Figure) -> None:
        if len(self.figures) < MOST_FIGURES:
            self.figures.append(figure)


def _sheet(tiles: torch.Tensor) -> torch.Tensor:
    """Tiles (K, H, W, C) on one sheet, uint8 (height, width, 3), up to ten in a row."""
    tiles = tiles.nan_to_num(0.0, 0.0, 0.0).expand(-1, -1, -1, 3)
    flat = tiles.flatten(1)
    low, high = flat.min(dim=1).values, flat.max(dim=1).values
    scaled = (flat - low[:, None]) / (high - low).clamp(min=1e-12)[:, None] * 255
    tiles = scaled.round().clamp(0, 255).to(torch.uint8).reshape(tiles.shape)
    count, height, width, _ = tiles.shape
    columns = min(count, 10)
    rows = -(-count // columns)
    sheet = torch.full((rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3), 255, dtype=torch.uint8)
    for place, tile in enumerate(tiles):
        top, left = place // columns * (height + _GAP), place % columns * (width + _GAP)
        sheet[top : top + height, left : left + width] = tile
    return sheet


def _png(sheet: torch.Tensor) -> bytes:
    """A PNG of an image, uint8 (height, width, 3). Stored and not compressed: the same bytes on every machine."""
    height, width, _ = sheet.shape
    lines = b"".join(b"\0" + row.contiguous().numpy().tobytes() for row in sheet)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
