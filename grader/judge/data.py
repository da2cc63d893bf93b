"""Data sets for checks: players map what the judge shares; labels of evaluation data stay with the judge."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import save_file

from grader.datasets.cifar10 import Cifar10, load
from grader.judge.objects import SharedTensor


class Data:
    """What ``--data`` gave.

    Args:
        path: path of the data set; empty when none was given.
        folder: where shared tensors are written; players may read it.
    """

    def __init__(self, path: str, folder: Path) -> None:
        self.path = path
        self.folder = folder

    @property
    def names(self) -> frozenset[str]:
        """Names of the data sets at hand."""
        return frozenset({"cifar10"} if self.path else ())

    def cifar10(self) -> Cifar10:
        """CIFAR-10, from the path that was given."""
        return _load(self.path)

    def summary(self) -> str:
        """The data sets in words, for the report; empty when there are none."""
        return self.cifar10().summary if self.path else ""

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
def _load(path: str) -> Cifar10:
    return load(Path(path))
