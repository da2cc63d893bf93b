"""Data sets for checks: players map what the judge shares; labels of evaluation data stay with the judge."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import save_file

from grader.datasets.imageset import ImageSet
from grader.datasets.store import Store
from grader.judge.objects import SharedTensor


class Data:
    """What ``--data`` gave.

    Args:
        request: name or path of the data set; empty when none was given.
        folder: where shared tensors are written; players may read it.
    """

    def __init__(self, request: str, folder: Path) -> None:
        self.request = request
        self.folder = folder

    @property
    def names(self) -> frozenset[str]:
        """Names of the data sets at hand."""
        return frozenset({Store.default().find(self.request).known.name} if self.request else ())

    def images(self) -> ImageSet:
        """The labelled images that were given, whichever set they are."""
        return open_images(self.request)

    def cifar10(self) -> ImageSet:
        """CIFAR-10, for questions that need it."""
        images = self.images()
        if images.name != "cifar10":
            raise LookupError(f"this question needs cifar10, and {images.name} was given: say so in assignment.toml")
        return images

    def summary(self) -> str:
        """The data set in words, for the report; empty when there is none."""
        return self.images().summary if self.request else ""

    def share(self, name: str, tensor: torch.Tensor) -> SharedTensor:
        """``tensor`` as an argument that the player maps from a read-only file instead of receiving it."""
        file = self.folder / f"{name}.safetensors"
        if not file.exists():
            beside = file.with_name(f".{name}.{os.getpid()}")
            save_file({"x": tensor.contiguous()}, beside)
            beside.chmod(0o644)
            os.replace(beside, file)
        return SharedTensor(file, "x")


@cache
def open_images(request: str) -> ImageSet:
    """The images that ``request`` means, opened once a process. Raises :class:`DataError` as the store does."""
    return Store.default().images(request)
