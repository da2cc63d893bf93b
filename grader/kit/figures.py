"""What the programs ``figures.py`` of the references hand to ``grader plots``: numbers and small pictures, as JSON.

Such a program trains what its assignment is about, and ends with :func:`write`; how it looks is decided elsewhere.
"""

from __future__ import annotations

import base64
import dataclasses
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

_POINTS = 100
"""Most points of a smoothed line."""


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        name: for the legend; empty for none.
        x, y: its points, one number each.
        colour: lines of one number share a colour.
        style: solid, dashed, or dots, which are not joined.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    colour: int = 0
    style: str = "solid"


@dataclass(frozen=True)
class Chart:
    """Lines over one axis. ``about`` says in a sentence or two what to see; ``log_x`` makes the axis logarithmic."""

    title: str
    about: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    log_x: bool = False


@dataclass(frozen=True)
class Tile:
    """A small picture, a PNG in base64, and the words below it."""

    label: str
    png: str


@dataclass(frozen=True)
class Tiles:
    """Rows of small pictures.

    Attributes:
        title, about: what is shown, and what to see.
        rows: the pictures.
        width: pixels across each of them on the page.
        smooth: whether pixels are blurred when they are enlarged, as is better for photographs.
        lead: whether the first of each row stands apart: what the others are about.
    """

    title: str
    about: str
    rows: tuple[tuple[Tile, ...], ...]
    width: int = 64
    smooth: bool = False
    lead: bool = False


@dataclass(frozen=True)
class Section:
    """What is shown of one part of an assignment.

    Attributes:
        title: what was trained.
        data: on what, in a line.
        about: a few sentences on what to see.
        head, rows: a table of what was reached and what it cost.
        figures: the charts and pictures.
    """

    title: str
    data: str
    about: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    figures: tuple[Chart | Tiles, ...]


def smoothed(name: str, values: Sequence[float], end: float = 100.0, colour: int = 0) -> Line:
    """A line through the means of up to 100 equal parts of ``values``, from 0 to ``end``."""
    parts = np.array_split(np.asarray(values, dtype=np.float64), min(len(values), _POINTS))
    middles = (np.arange(len(parts)) + 0.5) * end / len(parts)
    return Line(name, tuple(middles.tolist()), tuple(float(part.mean()) for part in parts), colour)


def picture(pixels: npt.NDArray[np.uint8], label: str = "") -> Tile:
    """A tile of ``pixels`` (3, H, W)."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(content, "PNG")
    return Tile(label, base64.b64encode(content.getvalue()).decode("ascii"))


def weights(values: npt.NDArray[np.floating[Any]], label: str = "") -> Tile:
    """A tile of weights (3, H, W), from their smallest, black, to their largest."""
    low, high = float(values.min()), float(values.max())
    return picture(((values - low) / max(high - low, 1e-12) * 255).round().astype(np.uint8), label)


def write(path: Path, sections: Sequence[Section]) -> None:
    """Keeps sections for :func:`read`."""
    path.write_text(json.dumps([dataclasses.asdict(section) for section in sections]), encoding="utf-8")


def read(path: Path) -> tuple[Section, ...]:
    """The sections that a program wrote.

    Raises:
        ValueError: if the file holds something else.
    """
    return TypeAdapter(tuple[Section, ...]).validate_json(path.read_bytes())
