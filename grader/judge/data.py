"""Data sets for checks: players map what the judge shares; labels of evaluation data stay with the judge."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from filelock import FileLock
from safetensors.torch import save_file

from grader.datasets.arithmetic import ArithmeticSet
from grader.datasets.captions import CaptionSet
from grader.datasets.imageset import ImageSet
from grader.datasets.kept import DataSet, Kind
from grader.datasets.store import Store
from grader.judge.objects import SharedTensor

COMMON = "common"
"""Folder beside the gradings of a run, for what all of them share."""


class Data:
    """What ``--data`` gave.

    Args:
        requests: names or paths of data sets, joined as the system joins paths; empty when none was given.
        folder: where shared tensors are written; players may read it.
    """

    def __init__(self, requests: str, folder: Path) -> None:
        self.requests = requests
        self.folder = folder

    @property
    def names(self) -> frozenset[str]:
        """Names of the data sets at hand."""
        return frozenset(found.name for found in open_sets(self.requests))

    def images(self) -> ImageSet:
        """The labelled images that were given, whichever set they are."""
        return self._only(ImageSet)

    def captions(self) -> CaptionSet:
        """The pictures with captions that were given, whichever set they are."""
        return self._only(CaptionSet)

    def arithmetic(self) -> ArithmeticSet:
        """The sums and differences that were given."""
        return self._only(ArithmeticSet)

    def cifar10(self) -> ImageSet:
        """CIFAR-10, for questions that need it."""
        images = self.images()
        if images.name != "cifar10":
            raise LookupError(f"this question needs cifar10, and {images.name} was given: say so in assignment.toml")
        return images

    def _only(self, kind: type[Kind]) -> Kind:
        for found in open_sets(self.requests):
            if isinstance(found, kind):
                return found
        raise LookupError(f"no {kind.__name__} was given: name in assignment.toml the data sets that a question needs")

    def summary(self) -> str:
        """The data sets in words, for the report; empty when there are none."""
        return "; ".join(found.summary for found in open_sets(self.requests))

    def share(self, name: str, tensor: torch.Tensor | Callable[[], torch.Tensor]) -> SharedTensor:
        """A tensor as an argument that the player maps from a read-only file instead of receiving it.

        What is given as a function is the same for all submissions of a run, and called once for all of them.
        """
        file = self.folder / f"{name}.safetensors"
        if not file.exists():
            if callable(tensor):
                self._share_with_all(file, tensor)
            else:
                _write(file, tensor)
        return SharedTensor(file, "x")

    def _share_with_all(self, file: Path, make: Callable[[], torch.Tensor]) -> None:
        common = self.folder.parent.parent / COMMON
        if not common.is_dir():
            _write(file, make())
            return
        original = common / file.name
        with FileLock(common / f"{file.name}.lock"):
            if not original.exists():
                _write(original, make())
        # A second name of the same file: the folder itself stays closed to players.
        os.link(original, file)


def _write(file: Path, tensor: torch.Tensor) -> None:
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    save_file({"x": tensor.contiguous()}, beside)
    beside.chmod(0o644)
    os.replace(beside, file)


@cache
def open_sets(requests: str) -> tuple[DataSet, ...]:
    """The data sets that ``requests`` mean, opened and held to their checksums once a process.

    What went wrong and was got around is told on standard error. Raises :class:`DataError` as the store does.
    """
    store = Store.default(lambda sentence: print(f"grader: {sentence}", file=sys.stderr))
    return tuple(store.open(request) for request in requests.split(os.pathsep) if request)
