"""Variants of the reference: small replacements of its text, each with what must come of it."""

from __future__ import annotations

import ast
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from grader.contract.assignment import Assignment, AssignmentError, read_toml, sentences


@dataclass(frozen=True)
class Change:
    """Replaces ``old``, which occurs once in ``file``, by ``new``.

    With a ``function``, such as ``f`` or ``Class.method``, only its definition is looked at.
    """

    file: str
    old: str
    new: str
    function: str = ""

    def made_in(self, text: str) -> str:
        """``text`` with the change. Raises ``ValueError``, in words, where there is not exactly one place for it."""
        start, end = span_of(text, self.function) if self.function else (0, len(text))
        where = f"{self.file}, in {self.function}," if self.function else self.file
        count = text.count(self.old, start, end)
        if count != 1:
            raise ValueError(
                f"{where} holds the text to replace {count} times, where it must hold it once: {self.old[:80]!r}"
            )
        at = text.index(self.old, start, end)
        return text[:at] + self.new + text[at + len(self.old) :]


def span_of(text: str, path: str) -> tuple[int, int]:
    """Where the whole lines of the definition of ``path``, a function or ``Class.method``, begin and end in ``text``.

    Raises:
        ValueError: ``text`` is no Python, or does not define it.
    """
    try:
        node: ast.AST = _tree(text)
    except SyntaxError as error:
        raise ValueError(f"{error.msg} in line {error.lineno}; a definition can only be found in Python") from None
    for name in path.split("."):
        found = [child for child in ast.iter_child_nodes(node) if getattr(child, "name", None) == name]
        if not found:
            raise ValueError(f"there is no definition of {path}")
        node = found[0]
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    first, last = lines_of(node)
    lines = text.splitlines(keepends=True)
    return sum(map(len, lines[: first - 1])), sum(map(len, lines[:last]))


def lines_of(node: ast.stmt) -> tuple[int, int]:
    """The numbers of the first line of a statement, its decorators included, and of its last."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    return first, node.end_lineno or node.lineno


@lru_cache(maxsize=8)
def _tree(text: str) -> ast.Module:
    """The syntax tree of a text, of which many variants are made."""
    return ast.parse(text)


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
        try:
            text = change.made_in(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise AssignmentError(f"variant {variant.name!r}: {error}.") from None
        file.write_text(text, encoding="utf-8")
