"""Variants of the reference: small replacements of its text, each with what must come of it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from grader.contract.assignment import Assignment, AssignmentError, read_toml, sentences


@dataclass(frozen=True)
class Change:
    """Replaces ``old``, which occurs once in ``file``, by ``new``."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Variant:
    """A submission made from the reference or the template.

    Attributes:
        name: its name.
        about: what is special about it, in a sentence.
        start: what it is made from.
        changes: what is replaced.
        loses: numbers of the checks, or of whole questions, that must not pass; all others must. ``["all"]``: none.
    """

    name: str
    about: str
    start: Literal["reference", "template"] = "reference"
    changes: tuple[Change, ...] = ()
    loses: tuple[str, ...] = ()

    def loses_check(self, number: str) -> bool:
        """Whether the check ``number`` is among those that must not pass."""
        return bool({"all", number, number.rpartition(".")[0]} & set(self.loses))


@dataclass(frozen=True)
class _File:
    __pydantic_config__ = ConfigDict(extra="forbid")

    submission: tuple[Variant, ...]
    only_by_name: bool = False


def shown_unasked(path: Path) -> bool:
    """Whether there is a TOML file of variants that are quick enough to be shown without being asked for by name.

    Raises :class:`AssignmentError` as :func:`read_variants` does.
    """
    return path.is_file() and not _read(path).only_by_name


def read_variants(path: Path) -> tuple[Variant, ...]:
    """The variants that a TOML file describes. Raises :class:`AssignmentError` naming file and key."""
    return _read(path).submission


def _read(path: Path) -> _File:
    try:
        return TypeAdapter(_File).validate_python(read_toml(path))
    except ValidationError as error:
        raise AssignmentError("\n".join(sentences(path, error))) from None


def write_variant(variant: Variant, assignment: Assignment, folder: Path) -> None:
    """Writes the files of ``variant`` into the new folder ``folder``."""
    source = assignment.reference if variant.start == "reference" else assignment.template
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for change in variant.changes:
        file = folder / change.file
        if not file.is_file():
            raise AssignmentError(f"variant {variant.name!r}: the {variant.start} has no file {change.file}.")
        text = file.read_text(encoding="utf-8")
        if text.count(change.old) != 1:
            raise AssignmentError(
                f"variant {variant.name!r}: {change.file} holds the text to replace {text.count(change.old)} times, "
                f"where it must hold it once: {change.old[:80]!r}"
            )
        file.write_text(text.replace(change.old, change.new), encoding="utf-8")
