"""Changes in place: a function of the judge that changes its arguments must change the player's own.

A trainer of the reference, called back in the place of a submission's, updates the parameters that it was given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class _Mark:
    where: int | str
    key: Any
    tensor: torch.Tensor
    version: int


class Changes:
    """The tensors among the arguments of a call, and in the dicts among them, as they were before it."""

    def __init__(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        self.arguments: dict[int | str, Any] = dict([*enumerate(args), *kwargs.items()])
        self.marks = [_Mark(where, key, tensor, tensor._version) for where, key, tensor in self._tensors()]

    def _tensors(self) -> Iterator[tuple[int | str, Any, torch.Tensor]]:
        for where, value in self.arguments.items():
            for key, item in value.items() if type(value) is dict else [(None, value)]:
                if type(item) is torch.Tensor:
                    yield where, key, item

    def found(self) -> list[tuple[int | str, Any, bool, torch.Tensor]]:
        """What is different now: argument, key in it or ``None``, whether the tensor itself was changed, its value."""
        now = {(where, key): tensor for where, key, tensor in self._tensors()}
        before = {(mark.where, mark.key): mark for mark in self.marks}
        changed = []
        for (where, key), tensor in now.items():
            mark = before.get((where, key))
            in_place = mark is not None and mark.tensor is tensor
            if mark is None or not in_place or tensor._version != mark.version:
                changed.append((where, key, in_place, tensor))
        return changed
