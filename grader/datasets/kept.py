"""Between a data set and its kept entry: arrays as they are, and everything else as plain data."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar, Protocol, TypeVar

from grader.datasets.arrays import Damaged, Entry


class DataSet(Protocol):
    """What every data set has: a frozen dataclass whose fields are arrays, texts, truth values and tuples of texts.

    Attributes:
        ARRAYS: names of the fields that are arrays.
        name: short name, by which questions ask for it.
        digest: hexadecimal SHA-256 that is the same for the same data.
        summary: one line for reports.
    """

    ARRAYS: ClassVar[tuple[str, ...]]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str: ...

    @property
    def summary(self) -> str: ...


Kind = TypeVar("Kind", bound=DataSet)


def packed(data: DataSet) -> Entry:
    """The entry that keeps ``data``."""
    facts = {field.name: getattr(data, field.name) for field in fields(data) if field.name not in data.ARRAYS}
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()}
    return Entry({name: getattr(data, name) for name in data.ARRAYS}, plain)


def unpacked(entry: Entry, kind: type[Kind]) -> Kind:
    """The data set of this kind that ``entry`` keeps. Raises :class:`Damaged` if it keeps something else."""
    facts = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.facts.items()}
    try:
        return kind(**entry.arrays, **facts)
    except TypeError as error:
        raise Damaged(f"holds something else than a {kind.__name__}") from error
