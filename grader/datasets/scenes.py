"""scenes: drawn pictures of one or two shapes, and captions that describe them by a small grammar.

    caption  = thing background | thing relation thing
    thing    = "a" [size] colour shape
    relation = "above" | "below" | "left of" | "right of"
    background = "on a light background" | "on a dark background"

Made from a seed in seconds, so that captioning can be graded where no photographs are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grader.datasets.captions import CaptionSet, digest_of, numbered, vocabulary
from grader.datasets.drawing import SHAPES, Floats, Placement, coverage_of, to_bytes, waves

NAME = "scenes"

# Changes with what is drawn or said; kept arrays of another version are not used.
VERSION = 1

SIDE = 112
_LENGTH = 14
_AT_ONCE = 100
_ORDER = 4
# A rarely used word, which becomes <UNK>.
_RARE = 0.002
_OFTEN = 50

COLOURS: Mapping[str, tuple[float, float, float]] = {
    "red": (0.85, 0.1, 0.1),
    "green": (0.1, 0.65, 0.15),
    "blue": (0.1, 0.2, 0.85),
    "yellow": (0.95, 0.9, 0.1),
    "purple": (0.55, 0.1, 0.65),
    "orange": (1.0, 0.55, 0.0),
    "white": (1.0, 1.0, 1.0),
    "black": (0.0, 0.0, 0.0),
}
RELATIONS = ("above", "below", "left of", "right of")
BACKGROUNDS = ("dark", "light")
SYNONYMS = {"ring": "hoop", "disc": "circle", "large": "big", "small": "tiny"}
_SIZES = (("small", 0.2, 0.28), ("large", 0.38, 0.48))


@dataclass(frozen=True, eq=False)
class _Thing:
    """One shape in each of n pictures: numbers of shape, colour and size, (n,), and the place."""

    shape: npt.NDArray[np.int64]
    colour: npt.NDArray[np.int64]
    size: npt.NDArray[np.int64]
    place: Placement

    def words(self, index: int) -> list[str]:
        size, colour = _SIZES[self.size[index]][0], list(COLOURS)[self.colour[index]]
        return ["a", size, colour, list(SHAPES)[self.shape[index]]]


def make(n_train: int = 1_000, n_val: int = 250, seed: int = 0) -> CaptionSet:
    """The set of ``n_train`` and ``n_val`` pictures that belongs to ``seed``: the same on every machine."""
    rng = np.random.default_rng([VERSION, seed])
    n = n_train + n_val
    images = np.empty((n, 3, SIDE, SIDE), np.uint8)
    sentences: list[list[str]] = []
    for start in range(0, n, _AT_ONCE):
        count = min(_AT_ONCE, n - start)
        images[start : start + count], told = _scenes(count, rng)
        sentences += told
    words = vocabulary(sentences[:n_train], min(_OFTEN, max(n_train // 40, 1)))
    captions = numbered(sentences, words, _LENGTH)[:, None]
    return CaptionSet(
        images[:n_train], captions[:n_train], images[n_train:], captions[n_train:], words,
        name=NAME,
        title=f"{NAME}, drawn from seed {seed}",
        source=f"seed {seed}",
        canonical=True,
        digest=digest_of(images, captions),
    )  # fmt: skip


def _scenes(n: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], list[list[str]]]:
    """``n`` pictures (n, 3, 112, 112), and what they show, in words."""
    light, relation, alone = rng.integers(0, 2, n), rng.integers(0, 4, n), rng.random(n) < 0.3
    images = _backgrounds(light, rng)
    first, second = (_things(n, rng, relation, sign, alone) for sign in (-1.0, 1.0))
    _paint(images, second, rng, np.where(alone, 0.0, 1.0))
    _paint(images, first, rng, np.ones(n))
    told = []
    for index in range(n):
        if alone[index]:
            sentence = [*first.words(index), "on", "a", BACKGROUNDS[light[index]], "background"]
        else:
            sentence = [*first.words(index), *RELATIONS[relation[index]].split(), *second.words(index)]
        told.append([_varied(word, rng) for word in sentence])
    return to_bytes(images + 0.02 * rng.standard_normal(images.shape), SIDE), told


def _varied(word: str, rng: np.random.Generator) -> str:
    return SYNONYMS[word] if word in SYNONYMS and rng.random() < _RARE else word


def _backgrounds(light: npt.NDArray[np.int64], rng: np.random.Generator) -> Floats:
    fields, falloff = waves(SIDE, _ORDER)
    mixed = 0.05 * rng.standard_normal((len(light), 3, _ORDER**2)) * falloff
    return np.asarray(np.where(light, 0.7, 0.3)[:, None, None] + mixed @ fields)


def _things(
    n: int, rng: np.random.Generator, relation: npt.NDArray[np.int64], sign: float, alone: npt.NDArray[np.bool_]
) -> _Thing:
    """The first (sign -1) or the second (sign 1) shape; ``relation`` says where the first lies beside the second."""
    size = rng.integers(0, 2, n)
    least, most = (np.array([each[bound] for each in _SIZES])[size] for bound in (1, 2))
    along = np.where(alone, rng.uniform(-0.4, 0.4, n), sign * rng.uniform(0.42, 0.55, n))
    across = rng.uniform(-0.25, 0.25, n)
    # Above and left of are where the coordinate along the relation is smaller.
    along = np.where(relation % 2 == 1, -along, along)
    upright = relation < 2
    place = Placement(
        np.where(upright, across, along), np.where(upright, along, across), rng.uniform(least, most),
        rng.uniform(-0.3, 0.3, n),
    )  # fmt: skip
    return _Thing(rng.integers(0, len(SHAPES), n), rng.integers(0, len(COLOURS), n), size, place)


def _paint(images: Floats, thing: _Thing, rng: np.random.Generator, visible: Floats) -> None:
    """Covers the pictures with the shape where ``visible`` is 1."""
    covered = coverage_of(thing.shape, list(SHAPES.values()), thing.place, SIDE) * visible[:, None]
    colours = np.array(list(COLOURS.values()))[thing.colour] + rng.uniform(-0.06, 0.06, (len(images), 3))
    images += covered[:, None] * (colours[:, :, None] - images)
