"""A set of labelled images in memory, whatever it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Labelled images, cut into a part to train on and a part to test on.

    Attributes:
        x_train: uint8, (N, 3, 32, 32), channels in the order red, green, blue.
        y_train: int64, (N,), each between 0 and ``len(classes) - 1``.
        x_test: uint8, (M, 3, 32, 32).
        y_test: int64, (M,).
        classes: the names of the classes, by label.
        name: short name, by which questions ask for it.
        title: what it is, in words, for reports.
        source: the folder, the archive or the seed that it came from.
        canonical: whether it is, byte for byte, the published set of that name.
        digest: hexadecimal SHA-256 that is the same for the same data.
    """

    ARRAYS: ClassVar[tuple[str, ...]] = ("x_train", "y_train", "x_test", "y_test")

    x_train: npt.NDArray[np.uint8]
    y_train: npt.NDArray[np.int64]
    x_test: npt.NDArray[np.uint8]
    y_test: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    name: str
    title: str
    source: str
    canonical: bool
    digest: str

    @property
    def trained_on(self) -> int:
        """How many of the training images, from the first on, are trained on; the last fifth validates."""
        return len(self.x_train) * 4 // 5

    def colour_means(self) -> npt.NDArray[np.float64]:
        """The mean of each colour over the images that are trained on, 0 to 255. (1, 3, 1, 1) float64."""
        means: npt.NDArray[np.float64] = self.x_train[: self.trained_on].mean(axis=(0, 2, 3), keepdims=True)
        return means

    @property
    def summary(self) -> str:
        """One line for reports: which set it is, and how many images it has."""
        return f"{self.title} ({len(self.y_train):,} training and {len(self.y_test):,} test images)"
