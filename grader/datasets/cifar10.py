"""The official CIFAR-10 files, read in canonical order: data_batch_1 to data_batch_5, then test_batch.

Source of the format: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009, and the page that
distributes the files. A batch is a pickled dictionary with ``data``, uint8 (N, 3072), each row an image in the order
red plane, green plane, blue plane, and ``labels``, a list of N integers.
"""

from __future__ import annotations

import hashlib
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from grader.datasets import plain_pickle
from grader.datasets.imageset import ImageSet
from grader.datasets.problems import DataError

NAME = "cifar10"
FOLDER = "cifar-10-batches-py"
ARCHIVE = "cifar-10-python.tar.gz"
TITLE = "CIFAR-10, the official files"
LOOKALIKE = "a set in CIFAR-10's format, not the official files"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_TRAIN = tuple(f"data_batch_{index}" for index in range(1, 6))
_TEST = "test_batch"
_META = "batches.meta"
_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
_PIXELS = 3 * 32 * 32
# The official batches have 31 MB; the caps keep a wrong or hostile file from filling the memory.
_MAX_BYTES = 64 * 2**20
_MAX_MEMBERS = 64


def load(path: Path) -> ImageSet:
    """Read CIFAR-10 from the folder ``cifar-10-batches-py``, the folder that holds it, or the official archive.

    Nothing that the files contain is executed. Sets of another size are accepted and have ``canonical`` false.

    Raises:
        DataError: if a file is missing, cut short or hostile, or if shapes or labels are wrong.
    """
    place = locate(Path(path))
    batches: dict[str, _Batch] = {}
    classes: tuple[str, ...] = CLASSES
    for name, content in _archived(place) if place.is_file() else _unpacked(place):
        where = f"{place}: {name}" if place.is_file() else str(place / name)
        values = _values(content, where)
        if name == _META:
            classes = _class_names(values, where)
        else:
            batches[name] = _batch(values, where, hashlib.md5(content, usedforsecurity=False).hexdigest())
    _check_complete(batches, len(classes), place)
    md5 = {name: batches[name].md5 for name in _MD5}
    x_train, y_train = _joined(batches, _TRAIN)
    x_test, y_test = _joined(batches, (_TEST,))
    canonical = md5 == _MD5 and classes == CLASSES
    return ImageSet(
        x_train, y_train, x_test, y_test, classes,
        name=NAME,
        title=TITLE if canonical else LOOKALIKE,
        source=str(place),
        canonical=canonical,
        digest=hashlib.sha256("".join(md5.values()).encode()).hexdigest(),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Batch:
    """One file: images as uint8 (N, 3072), N labels, and the md5 value of the file; ``where`` names it in messages."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    md5: str
    where: str


def locate(path: Path) -> Path:
    """The folder with the batches, or the archive, that ``path`` means. Raises :class:`DataError` if it is neither."""
    if path.is_file():
        return path
    for folder in (path, path / FOLDER):
        if (folder / _TRAIN[0]).is_file() or (folder / _TEST).is_file():
            return folder
    if (path / ARCHIVE).is_file():
        return path / ARCHIVE
    state = f"holds neither {FOLDER} nor {ARCHIVE}" if path.is_dir() else "does not exist"
    raise DataError(
        f"CIFAR-10 was expected at {path}, which {state}; give the unpacked folder {FOLDER}, "
        f"the folder above it, or the archive {ARCHIVE}."
    )


def _unpacked(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file of the unpacked folder."""
    for name in (_META, *_MD5):
        path = folder / name
        if not path.is_file():
            continue
        try:
            with path.open("rb") as file:
                yield name, _capped(file, path.stat().st_size, str(path))
        except OSError as error:
            raise DataError(
                f"The file {path} could not be read ({error.strerror}); a readable batch file was expected, "
                "so check its permissions and the disk."
            ) from error


def _archived(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file of interest in the archive, in the archive's order. Nothing is unpacked to disk."""
    try:
        with tarfile.open(archive, "r:*") as tar:
            for count, member in enumerate(tar):
                name = Path(member.name).name
                if count >= _MAX_MEMBERS or member.size > _MAX_BYTES:
                    raise DataError(
                        f"The archive {archive} holds more or larger files than the {ARCHIVE} that was expected; "
                        "fetch the official archive."
                    )
                file = tar.extractfile(member) if member.isreg() and name in (_META, *_MD5) else None
                if file is not None:
                    yield name, _capped(file, member.size, f"{archive}: {name}")
    except (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise DataError(
            f"The file {archive} is no complete tar archive ({error}); {ARCHIVE} was expected, so fetch it again."
        ) from error


def _capped(file: IO[bytes], size: int, where: str) -> bytes:
    content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise DataError(
            f"The file {where} is larger than {_MAX_BYTES:,} bytes; a batch of about 31 MB was expected, "
            "so fetch the official archive."
        )
    if len(content) < size:
        raise DataError(
            f"The file {where} ends after {len(content):,} bytes; {size:,} were expected, so fetch the archive again."
        )
    return content


def _values(content: bytes, where: str) -> dict[str, object]:
    try:
        return plain_pickle.read(content)
    except plain_pickle.PickleRefused as error:
        raise DataError(
            f"The file {where} {error}; a batch of CIFAR-10 was expected, so fetch the official archive again."
        ) from error


def _class_names(values: dict[str, object], where: str) -> tuple[str, ...]:
    names = values.get("label_names")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise DataError(
            f"The file {where} should name the classes in label_names, a list of texts; "
            "put the official batches.meta there."
        )
    return tuple(names)


def _batch(values: dict[str, object], where: str, md5: str) -> _Batch:
    images, labels = values.get("data"), values.get("labels")
    if not isinstance(images, np.ndarray) or images.ndim != 2 or images.shape[1] != _PIXELS:
        found = f"an array of shape {images.shape}" if isinstance(images, np.ndarray) else type(images).__name__
        raise DataError(
            f"The file {where} should hold under data a uint8 array of shape (N, {_PIXELS}) and holds {found}; "
            "fetch the official archive."
        )
    if not isinstance(labels, list) or len(labels) != len(images) or not all(type(label) is int for label in labels):
        raise DataError(
            f"The file {where} should hold under labels a list of {len(images):,} integers, one for each image, "
            "and does not; fetch the official archive."
        )
    if any(not 0 <= label < 2**31 for label in labels):
        raise DataError(f"The file {where} holds labels that are negative or huge; fetch the official archive.")
    return _Batch(images, np.array(labels, dtype=np.int64), md5, where)


def _check_complete(batches: dict[str, _Batch], classes: int, place: Path) -> None:
    missing = [name for name in _MD5 if name not in batches]
    if missing:
        raise DataError(
            f"{place} lacks {', '.join(missing)}; the six batches data_batch_1 to data_batch_5 and test_batch "
            "were expected, so unpack the official archive again."
        )
    for batch in batches.values():
        largest = int(batch.labels.max(initial=0))
        if largest >= classes:
            raise DataError(
                f"The file {batch.where} holds the label {largest}; labels from 0 to {classes - 1} were expected, "
                "one for each class, so fetch the official archive."
            )


def _joined(batches: dict[str, _Batch], names: tuple[str, ...]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Images (N, 3, 32, 32) and labels (N,) of the named batches, which are taken out of ``batches``.

    Each batch is given up as soon as it is copied, so that the whole set is never in memory twice.
    """
    pixels = bytearray()
    labels = []
    for name in names:
        batch = batches.pop(name)
        pixels += batch.images.data
        labels.append(batch.labels)
    return np.frombuffer(pixels, dtype=np.uint8).reshape(-1, 3, 32, 32), np.concatenate(labels)
