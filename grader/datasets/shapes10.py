"""shapes10: ten classes of drawn images of 32 x 32 pixels, made from a seed in seconds, for machines without CIFAR-10.

It is made so that classifiers come out in the order, and about at the accuracies, that CIFAR-10 gives them:

- A class has a *habitat*, a smooth field of colour that is added to the smooth random background. It is weak beside
  what varies from image to image, and what a linear classifier finds.
- It also has a *twin habitat*, added or taken away at random: on average it is not there, so that a linear classifier
  cannot see it, and a network with a hidden layer can.
- It has a *shape*, at any place, in any colour, lighter or darker than the background, among clutter. Convolutions find
  it.

The habitats are part of the set: they are the same for every seed. ``python benchmarks/ladder.py`` prints the ladder.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grader.datasets.drawing import SHAPES, Floats, Placement, coverage_of, ellipses, to_bytes, waves
from grader.datasets.imageset import ImageSet

NAME = "shapes10"
CLASSES = tuple(SHAPES)

# Changes with what is drawn; kept arrays of another version are not used.
VERSION = 1

SIDE = 32
_ORDER = 4
_HABITATS = 10
_AT_ONCE = 500


@dataclass(frozen=True)
class Look:
    """How strong each part of an image is; images have values from 0 to 1.

    Attributes:
        light: standard deviation of the background's brightness, per smooth field.
        tint: the same of each colour channel's own part.
        falloff: power with which amplitudes of finer fields fall.
        habitat, twin: strength of a class's habitat and twin habitat beside the background.
        contrast: least and greatest difference between a shape and its background.
        size: least and greatest half side of a shape; the image has half side 1.
        turn: a shape is turned by up to so many radians.
        clutter: number of small ellipses.
        clutter_contrast: their greatest difference from the background; the least is 0.05.
        noise: standard deviation of each pixel's noise.
    """

    light: float = 0.13
    tint: float = 0.04
    falloff: float = 1.1
    habitat: float = 0.37
    twin: float = 0.42
    contrast: tuple[float, float] = (0.17, 0.55)
    size: tuple[float, float] = (0.35, 0.65)
    turn: float = 0.6
    clutter: int = 2
    clutter_contrast: float = 0.25
    noise: float = 0.05


LOOK = Look()


def make(n_train: int = 12_500, n_test: int = 4_000, seed: int = 0, look: Look = LOOK) -> ImageSet:
    """The set of ``n_train`` and ``n_test`` images that belongs to ``seed``: the same on every machine."""
    rng = np.random.default_rng([VERSION, seed])
    n = n_train + n_test
    y = rng.permutation(np.arange(n, dtype=np.int64) % len(CLASSES))
    x = np.empty((n, 3, SIDE, SIDE), np.uint8)
    for start in range(0, n, _AT_ONCE):
        x[start : start + _AT_ONCE] = _draw(y[start : start + _AT_ONCE], rng, look)
    return ImageSet(
        x[:n_train], y[:n_train], x[n_train:], y[n_train:], CLASSES,
        name=NAME,
        title=f"{NAME}, drawn from seed {seed}",
        source=f"seed {seed}",
        canonical=look == LOOK,
        digest=hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest(),
    )  # fmt: skip


def _draw(labels: npt.NDArray[np.int64], rng: np.random.Generator, look: Look) -> npt.NDArray[np.uint8]:
    """One image of each label, (n, 3, 32, 32)."""
    images = _background(labels, rng, look)
    for _ in range(look.clutter):
        _add_clutter(images, rng, look)
    place = _somewhere(len(labels), rng, look.size, look.turn)
    covered = coverage_of(labels, list(SHAPES.values()), place, SIDE)
    images += _colours(len(labels), rng, look.contrast)[:, :, None] * covered[:, None]
    images += look.noise * rng.standard_normal(images.shape)
    return to_bytes(images, SIDE)


def _background(labels: npt.NDArray[np.int64], rng: np.random.Generator, look: Look) -> Floats:
    """Smooth fields of colour, (n, 3, 1024), with the habitats of the labels."""
    fields, falloff = waves(SIDE, _ORDER)
    n = len(labels)
    habitats, twins = (_coefficients(np.random.default_rng([_HABITATS, part]), 10, look)[labels] for part in (0, 1))
    sign = rng.choice([-1.0, 1.0], (n, 1, 1))
    mixed = _coefficients(rng, n, look) + look.habitat * habitats + look.twin * sign * twins
    return np.asarray(0.5 + mixed * falloff**look.falloff @ fields)


def _coefficients(rng: np.random.Generator, n: int, look: Look) -> Floats:
    """Random amplitudes of the fields, (n, 3, 16): most of them brightness, some of them colour."""
    light, tint = rng.standard_normal((n, 1, _ORDER**2)), rng.standard_normal((n, 3, _ORDER**2))
    return np.asarray(look.light * light + look.tint * tint)


def _somewhere(n: int, rng: np.random.Generator, size: tuple[float, float], turn: float) -> Placement:
    """Any place at which most of a shape lies within the image."""
    half = rng.uniform(*size, n)
    x, y = rng.uniform(-1, 1, (2, n)) * np.maximum(1 - 0.8 * half, 0)
    return Placement(x, y, half, rng.uniform(-turn, turn, n))


def _colours(n: int, rng: np.random.Generator, contrast: tuple[float, float]) -> Floats:
    """Differences of colour, (n, 3), lighter or darker; the largest channel differs by the contrast."""
    colours = 0.5 * rng.standard_normal((n, 3)) + rng.choice([-1.0, 1.0], (n, 1))
    colours /= abs(colours).max(axis=1, keepdims=True)
    return np.asarray(colours * rng.uniform(*contrast, (n, 1)))


def _add_clutter(images: Floats, rng: np.random.Generator, look: Look) -> None:
    """Adds a small ellipse to each image."""
    n = len(images)
    place = _somewhere(n, rng, (0.1, 0.35), np.pi)
    covered = ellipses(place, rng.uniform(1, 4, n), SIDE)
    images += _colours(n, rng, (0.05, look.clutter_contrast))[:, :, None] * covered[:, None]
