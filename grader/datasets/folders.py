"""CIFAR-10 as folders of small pictures: ``train/CLASS/*.png`` and ``test/CLASS/*.png``, as many sites offer it.

Needs Pillow, an optional dependency. Images come class by class, in the natural order of their file names, which is not
the canonical order: figures that hang on which images come first differ.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from grader.datasets import cifar10
from grader.datasets.imageset import ImageSet
from grader.datasets.problems import DataError

PARTS = ("train", "test")
TITLE = "CIFAR-10 from class folders of pictures"
_SIDE = 32
_MAX_PICTURES = 1_000_000


def is_one(path: Path) -> bool:
    """Whether ``path`` is a folder with ``train/`` and ``test/`` in it."""
    return all((path / part).is_dir() for part in PARTS)


def pictures(path: Path) -> dict[str, dict[str, list[Path]]]:
    """Part -> class -> its pictures in order. Raises :class:`DataError` if the two parts differ in their classes."""
    found = {part: _classes(path / part) for part in PARTS}
    train, test = (set(found[part]) for part in PARTS)
    if train != test or not train:
        odd = ", ".join(sorted(train ^ test)[:5]) or "none at all"
        raise DataError(
            f"{path} should hold one folder of PNG files a class in train/ and in test/, of the same names, and these "
            f"are not in both: {odd}. Unpack the pictures again."
        )
    return found


def _classes(part: Path) -> dict[str, list[Path]]:
    classes = {folder.name: sorted(folder.glob("*.png"), key=_natural) for folder in part.iterdir() if folder.is_dir()}
    return {name: files for name, files in classes.items() if files}


def _natural(file: Path) -> tuple[int, str]:
    """Sorts ``2.png`` before ``10.png``, and names as they are."""
    return (int(file.stem), "") if file.stem.isdecimal() and len(file.stem) < 19 else (-1, file.name)


def load(path: Path) -> ImageSet:
    """Read the pictures below ``path``. Labels follow CIFAR-10's order of classes, or the alphabet for other names.

    Raises:
        DataError: if a picture is damaged or no 32 x 32 RGB image, or Pillow is missing.
    """
    found = pictures(path)
    known = [name for name in cifar10.CLASSES if name in found["train"]]
    classes = tuple(known if len(known) == len(found["train"]) else sorted(found["train"]))
    x_train, y_train = _read(found["train"], classes)
    x_test, y_test = _read(found["test"], classes)
    digest = hashlib.sha256()
    for array in (x_train.data, y_train.data, x_test.data, y_test.data):
        digest.update(array.cast("B"))
    return ImageSet(
        x_train, y_train, x_test, y_test, classes,
        name=cifar10.NAME,
        title=TITLE,
        source=str(path),
        canonical=False,
        digest=digest.hexdigest(),
    )  # fmt: skip


def _read(
    found: dict[str, list[Path]], classes: tuple[str, ...]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    files = [file for name in classes for file in found[name]]
    if len(files) > _MAX_PICTURES:
        raise DataError(f"{files[0].parent.parent} holds {len(files):,} pictures; at most {_MAX_PICTURES:,} are read.")
    images = np.empty((len(files), 3, _SIDE, _SIDE), np.uint8)
    for image, file in zip(images, files, strict=True):
        image[:] = _picture(file)
    labels = np.repeat(np.arange(len(classes), dtype=np.int64), [len(found[name]) for name in classes])
    return images, labels


def _picture(file: Path) -> npt.NDArray[np.uint8]:
    """One picture as uint8 (3, 32, 32)."""
    try:
        from PIL import Image
    except ImportError:
        raise DataError(
            f"{file} is a picture, and Pillow, which reads pictures, is not installed; "
            "install scratchgrade[images], or give the official archive."
        ) from None
    try:
        with Image.open(file, formats=["PNG"]) as picture:
            # The header tells the size, before anything is unpacked.
            size, mode = picture.size, picture.mode
            pixels = np.asarray(picture) if size == (_SIDE, _SIDE) and mode == "RGB" else None
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"{file} is no complete PNG picture ({error}); unpack the pictures again.") from error
    if pixels is None:
        raise DataError(f"{file} is a {size[0]} x {size[1]} picture in mode {mode}; 32 x 32 in RGB was expected.")
    return pixels.transpose(2, 0, 1)
