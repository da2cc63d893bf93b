"""Shapes drawn with soft edges, many images at a time.

A shape is a function of two coordinates that is positive inside, zero on the outline and negative outside, and about as
large as the distance from the outline; the shape fills the square from -1 to 1. All arrays are float64, so that
rounding to bytes gives the same images on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Shape = Callable[[Floats, Floats], Floats]


def _disc(u: Floats, v: Floats) -> Floats:
    return np.asarray(0.8 - np.hypot(u, v))


def _ring(u: Floats, v: Floats) -> Floats:
    return np.asarray(0.17 - abs(np.hypot(u, v) - 0.68))


def _square(u: Floats, v: Floats) -> Floats:
    return np.asarray(0.7 - np.maximum(abs(u), abs(v)))


def _frame(u: Floats, v: Floats) -> Floats:
    return np.asarray(0.14 - abs(np.maximum(abs(u), abs(v)) - 0.64))


def _triangle(u: Floats, v: Floats) -> Floats:
    return np.asarray(np.minimum(v + 0.55, 0.5 - 0.5 * v - 0.866 * abs(u)))


def _cross(u: Floats, v: Floats) -> Floats:
    upright = np.minimum(0.24 - abs(u), 0.9 - abs(v))
    lying = np.minimum(0.24 - abs(v), 0.9 - abs(u))
    return np.asarray(np.maximum(upright, lying))


def _star(u: Floats, v: Floats) -> Floats:
    return np.asarray(0.52 + 0.3 * np.cos(5 * np.arctan2(v, u)) - np.hypot(u, v))


def _crescent(u: Floats, v: Floats) -> Floats:
    return np.asarray(np.minimum(0.85 - np.hypot(u, v), np.hypot(u - 0.45, v) - 0.62))


def _gate(u: Floats, v: Floats) -> Floats:
    return np.asarray(np.minimum(0.85 - abs(v), 0.16 - abs(abs(u) - 0.45)))


def _wave(u: Floats, v: Floats) -> Floats:
    return np.asarray(np.minimum(0.9 - abs(u), 0.2 - abs(v - 0.45 * np.sin(4.5 * u))))


SHAPES: Mapping[str, Shape] = {
    "disc": _disc,
    "ring": _ring,
    "square": _square,
    "frame": _frame,
    "triangle": _triangle,
    "cross": _cross,
    "star": _star,
    "crescent": _crescent,
    "gate": _gate,
    "wave": _wave,
}


@dataclass(frozen=True, eq=False)
class Placement:
    """Where one shape lies in each of n images; the image is the square from -1 to 1.

    Attributes:
        x, y: centre, (n,); y grows downwards.
        size: half the side of the shape's square, (n,).
        angle: in radians, (n,).
    """

    x: Floats
    y: Floats
    size: Floats
    angle: Floats

    def coordinates(self, side: int) -> tuple[Floats, Floats]:
        """Each pixel in the shape's own coordinates: two arrays (n, side * side)."""
        axis = (np.arange(side) + 0.5) / side * 2 - 1
        x, y = np.tile(axis, side) - self.x[:, None], np.repeat(axis, side) - self.y[:, None]
        cosine, sine = (np.cos(self.angle) / self.size)[:, None], (np.sin(self.angle) / self.size)[:, None]
        return cosine * x + sine * y, cosine * y - sine * x

    def coverage(self, inside: Floats, side: int) -> Floats:
        """How much of each pixel is covered, 0 to 1, from the shape's function at the pixels, (n, side * side)."""
        # The function is a distance in the shape's coordinates; edges are one pixel wide.
        return np.asarray(np.clip(0.5 + inside * self.size[:, None] * side / 2, 0, 1))


def coverage_of(kinds: npt.NDArray[np.int64], shapes: Sequence[Shape], placement: Placement, side: int) -> Floats:
    """How much of each pixel is covered in n images, (n, side * side), where image i shows ``shapes[kinds[i]]``."""
    u, v = placement.coordinates(side)
    inside = np.empty_like(u)
    for kind, shape in enumerate(shapes):
        chosen = kinds == kind
        inside[chosen] = shape(u[chosen], v[chosen])
    return placement.coverage(inside, side)


def ellipses(placement: Placement, stretch: Floats, side: int) -> Floats:
    """How much of each pixel is covered by ellipses, (n, side * side); one axis is shorter by ``stretch``, (n,)."""
    u, v = placement.coordinates(side)
    return placement.coverage((0.7 - np.hypot(u * stretch[:, None], v)) / stretch[:, None], side)


def waves(side: int, order: int) -> tuple[Floats, Floats]:
    """Smooth fields to build backgrounds of: order² products of cosines, (order², side * side), and their falloff.

    The amplitude of the field with i and j half waves falls with 1 + i² + j², as in photographs.
    """
    axis = (np.arange(side) + 0.5) / side
    cosines = np.cos(np.pi * np.arange(order)[:, None] * axis)  # (order, side)
    fields = np.einsum("iy,jx->ijyx", cosines, cosines).reshape(order * order, side * side)
    squares = np.arange(order) ** 2
    return fields, np.asarray(1.0 / (1 + squares[:, None] + squares).reshape(-1))


def to_bytes(images: Floats, side: int) -> npt.NDArray[np.uint8]:
    """Images (n, channels, side * side) with values from 0 to 1 as bytes (n, channels, side, side)."""
    rounded = (np.clip(images, 0, 1) * 255).round().astype(np.uint8)
    return rounded.reshape(*images.shape[:2], side, side)
