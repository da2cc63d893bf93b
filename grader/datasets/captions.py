"""Pictures with captions: words as numbers, and the Flickr8k pictures with five captions each.

Flickr8k: Hodosh, Young and Hockenmaier, "Framing image description as a ranking task", JAIR 47, 2013.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from grader.datasets.problems import DataError

NULL, START, END, UNKNOWN = range(4)
SPECIAL = ("<NULL>", "<START>", "<END>", "<UNK>")

FLICKR8K = "flickr8k"
PICTURES, TEXTS = "images.zip", "captions.zip"
_SIDE = 112
_PER_PICTURE = 5
_LENGTH = 17
_OFTEN = 5
_HELD_OUT = 10
_MAX_BYTES = 2**20
_MAX_TEXT = 64 * 2**20


@dataclass(frozen=True, eq=False)
class CaptionSet:
    """Pictures with captions, cut into a part to train on and a part to validate on.

    Captions begin with ``<START>``, end with ``<END>`` and are filled up with ``<NULL>``; the words are numbered 0, 1,
    2 and 3 for ``<NULL>``, ``<START>``, ``<END>`` and ``<UNK>``, which stands for rare words.

    Attributes:
        images_train: uint8, (N, 3, 112, 112), channels in the order red, green, blue.
        captions_train: int64, (N, K, T): K captions of each picture.
        images_val, captions_val: the same of other pictures.
        words: the words by number.
        name, title, source, canonical, digest: as in :class:`~grader.datasets.imageset.ImageSet`.
    """

    ARRAYS: ClassVar[tuple[str, ...]] = ("images_train", "captions_train", "images_val", "captions_val")

    images_train: npt.NDArray[np.uint8]
    captions_train: npt.NDArray[np.int64]
    images_val: npt.NDArray[np.uint8]
    captions_val: npt.NDArray[np.int64]
    words: tuple[str, ...]
    name: str
    title: str
    source: str
    canonical: bool
    digest: str

    @property
    def word_to_idx(self) -> dict[str, int]:
        """Number of each word."""
        return {word: number for number, word in enumerate(self.words)}

    @property
    def summary(self) -> str:
        """One line for reports: which set it is, and how many pictures it has."""
        train, val = len(self.images_train), len(self.images_val)
        return f"{self.title} ({train:,} training and {val:,} validation pictures, {len(self.words):,} words)"


def vocabulary(sentences: Iterable[Sequence[str]], often: int) -> tuple[str, ...]:
    """The special words, and every word that occurs ``often`` times, the most frequent first."""
    counts = Counter(word for sentence in sentences for word in sentence)
    known = [word for word, count in counts.items() if count >= often]
    return (*SPECIAL, *sorted(known, key=lambda word: (-counts[word], word)))


def numbered(sentences: Sequence[Sequence[str]], words: Sequence[str], length: int) -> npt.NDArray[np.int64]:
    """Sentences as rows of ``length`` numbers; what is too long loses its end, but not ``<END>``."""
    number = {word: index for index, word in enumerate(words)}
    rows = np.full((len(sentences), length), NULL, dtype=np.int64)
    for row, sentence in zip(rows, sentences, strict=True):
        inner = [number.get(word, UNKNOWN) for word in sentence[: length - 2]]
        row[: len(inner) + 2] = [START, *inner, END]
    return rows


def digest_of(*parts: npt.NDArray[np.generic]) -> str:
    """Hexadecimal SHA-256 over the content of arrays."""
    total = hashlib.sha256()
    for part in parts:
        total.update(np.ascontiguousarray(part).data.cast("B"))
    return total.hexdigest()


# ---------------------------------------------------------------- Flickr8k


def is_flickr8k(path: Path) -> bool:
    """Whether ``path`` is a folder with ``images.zip`` and ``captions.zip``."""
    return (path / PICTURES).is_file() and (path / TEXTS).is_file()


def load_flickr8k(path: Path) -> CaptionSet:
    """Read the pictures of 112 x 112 pixels and their captions from the two zip files in ``path``.

    Every tenth picture, in the order of file names, is for validation. Words that occur five times in the training
    captions are known.

    Raises:
        DataError: if a file is damaged, a picture has another size, or Pillow is missing.
    """
    told = _captions(path / TEXTS)
    names = sorted(told)
    images = _pictures(path / PICTURES, names)
    held_out = np.arange(len(names)) % _HELD_OUT == _HELD_OUT - 1
    sentences = [told[name][row] for name in names for row in range(_PER_PICTURE)]
    seen = [sentence for index, sentence in enumerate(sentences) if not held_out[index // _PER_PICTURE]]
    words = vocabulary(seen, _OFTEN)
    captions = numbered(sentences, words, _LENGTH).reshape(len(names), _PER_PICTURE, _LENGTH)
    return CaptionSet(
        images[~held_out], captions[~held_out], images[held_out], captions[held_out], words,
        name=FLICKR8K,
        title="Flickr8k in 112 x 112 pixels",
        source=str(path),
        canonical=False,
        digest=digest_of(images, captions),
    )  # fmt: skip


def _captions(file: Path) -> dict[str, list[list[str]]]:
    """Name of each picture -> its captions, as words in small letters."""
    try:
        with zipfile.ZipFile(file) as archive:
            content = _member(archive, "captions.csv", _MAX_TEXT)
        rows = list(csv.reader(io.StringIO(content.decode())))
        if rows[:1] != [["image", "caption"]]:
            raise DataError(f"{file}: captions.csv should begin with the columns image,caption; fetch it again.")
        told: dict[str, list[list[str]]] = {}
        for name, caption in rows[1:]:
            told.setdefault(name, []).append(re.findall(r"[a-z0-9']+", caption.lower()))
    except (zipfile.BadZipFile, KeyError, OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise _damaged(file, error) from error
    uneven = next((name for name, captions in told.items() if len(captions) != _PER_PICTURE), None)
    if uneven is not None or not told:
        raise DataError(f"{file} should hold {_PER_PICTURE} captions of each picture, and does not of {uneven}.")
    return told


def _pictures(file: Path, names: Sequence[str]) -> npt.NDArray[np.uint8]:
    """The pictures of these names, (N, 3, 112, 112)."""
    try:
        from PIL import Image
    except ImportError:
        raise DataError(f"{file} holds pictures; to read them, install scratchgrade[images].") from None
    images = np.empty((len(names), 3, _SIDE, _SIDE), np.uint8)
    try:
        with zipfile.ZipFile(file) as archive:
            for image, name in zip(images, names, strict=True):
                with Image.open(io.BytesIO(_member(archive, name, _MAX_BYTES)), formats=["JPEG"]) as picture:
                    if picture.size != (_SIDE, _SIDE):
                        raise DataError(
                            f"{file}: {name} has {picture.size[0]} x {picture.size[1]} pixels; "
                            f"{_SIDE} x {_SIDE} were expected."
                        )
                    image[:] = np.asarray(picture.convert("RGB")).transpose(2, 0, 1)
    except (zipfile.BadZipFile, KeyError, OSError, SyntaxError) as error:
        raise _damaged(file, error) from error
    return images


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    if archive.getinfo(name).file_size > most:
        raise DataError(f"{archive.filename}: {name} has more than the {most:,} bytes that were expected.")
    return archive.read(name)


def _damaged(file: Path, error: Exception) -> DataError:
    return DataError(f"The file {file} is damaged or incomplete ({error}); put it there again.")
