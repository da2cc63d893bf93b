"""Imports the reference: ordinary Python objects of the judge, never seen by a player."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import ModuleType, SimpleNamespace

from grader.contract.assignment import Assignment, AssignmentError
from grader.judge.syntax import Definition


@lru_cache(maxsize=8)
def _load(root: Path, provided: Path, modules: tuple[str, ...]) -> dict[str, ModuleType]:
    with importing(root, provided):
        return {name: importlib.import_module(name) for name in modules}


@contextmanager
def importing(*folders: Path) -> Iterator[None]:
    """Imports come from ``folders`` first; afterwards no module of theirs is left behind, and none is lost.

    Helpers have the same names in several assignments, and some are called like well-known packages.
    """
    names = {entry.stem for folder in folders if folder.is_dir() for entry in folder.iterdir()}
    kept = {name: sys.modules.pop(name) for name in _loaded(names)}
    sys.path[:0] = map(str, folders)
    try:
        yield
    finally:
        del sys.path[: len(folders)]
        for name in _loaded(names):
            del sys.modules[name]
        sys.modules.update(kept)


def _loaded(names: set[str]) -> list[str]:
    """The modules in memory that have one of these names, or lie below one."""
    return [name for name in sys.modules if name.partition(".")[0] in names]


def load(assignment: Assignment) -> SimpleNamespace:
    """The reference's modules as attributes. Raises :class:`AssignmentError` when one does not import."""
    names = tuple(assignment.content.modules)
    try:
        return SimpleNamespace(**_load(assignment.reference, assignment.provided, names))
    except ImportError as error:
        raise AssignmentError(f"{assignment.reference}: the reference does not import: {error}") from error


def public_names(assignment: Assignment) -> dict[str, tuple[str, ...]]:
    """Module -> the functions and classes that the reference's file defines, but for those with a leading underscore.

    The files are read and not run: intake needs the names, and nothing else of the reference.
    """
    return {
        name: tuple(statement.name for statement in _definitions(assignment.reference / spec.file))
        for name, spec in assignment.content.modules.items()
    }


def _definitions(file: Path) -> list[Definition]:
    try:
        body = ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError, ValueError) as error:
        raise AssignmentError(f"{file}: the reference cannot be read: {error}") from error
    return [node for node in body if isinstance(node, Definition) and not node.name.startswith("_")]
