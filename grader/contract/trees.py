"""Tensors inside tuples, lists and dicts, in one order on both sides of the wall."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch


def is_floating(value: Any) -> bool:
    """Whether ``value`` is a tensor that can have a gradient."""
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def floating_in(tree: Any) -> list[torch.Tensor]:
    """The floating-point tensors of ``tree``, from left to right."""
    return [leaf for leaf in _leaves(tree) if is_floating(leaf)]


def with_floating(tree: Any, change: Callable[[torch.Tensor], Any]) -> Any:
    """``tree`` with every floating-point tensor replaced, from left to right, by what ``change`` makes of it."""
    if type(tree) in (tuple, list):
        return type(tree)(with_floating(item, change) for item in tree)
    if type(tree) is dict:
        return {key: with_floating(item, change) for key, item in tree.items()}
    return change(tree) if is_floating(tree) else tree


def _leaves(tree: Any) -> Iterator[Any]:
    if type(tree) in (tuple, list, dict):
        for item in tree.values() if type(tree) is dict else tree:
            yield from _leaves(item)
    else:
        yield tree
