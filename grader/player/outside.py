"""Functions of a submission that a trace does not look into: given code, and what answers for itself elsewhere."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from types import FunctionType
from typing import Any

from grader.player.load import Library


def codes(library: Library, paths: Iterable[str]) -> frozenset[int]:
    """The identities of the code objects of these functions and classes, as far as the submission has them.

    Nothing of the submission's is run to find them.
    """
    return frozenset(number for path in paths for number in _codes(_find(library, path)))


def _find(library: Library, path: str) -> Any:
    head, *rest = path.split(".")
    found: Any = library.modules.get(head)
    for name in rest:
        found = inspect.getattr_static(found, name, None)
    return found


def _codes(value: Any) -> Iterator[int]:
    if isinstance(value, type):
        for member in vars(value).values():
            yield from () if isinstance(member, type) else _codes(member)
    elif isinstance(value, staticmethod | classmethod):
        yield from _codes(value.__func__)
    elif isinstance(value, property):
        yield from _codes(value.fget)
    elif isinstance(value, FunctionType):
        yield id(value.__code__)
        yield from _codes(vars(value).get("__wrapped__"))
