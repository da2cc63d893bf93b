"""Loads the modules of a submission, one by one, from the very bytes that the judge has read.

- A module is compiled from the text that came over the wire and named by its file; it shadows nothing: a submission's
  ``torch.py`` or ``transformers.py`` never stands in the way of the installed package of that name.
- Imports between the submission's files and from the course's helpers go through :class:`CourseFinder`, the last finder
  of all; the course's helpers come before the student's copies of them.
- Every top-level statement runs on its own: an import that fails binds a stand-in, any other statement that raises is
  noted and left out, so that what is defined can still be graded.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from grader.player.absent import Absent


@dataclass
class Library:
    """The modules of one submission: what is loaded, what failed and why, what is noted.

    Attributes:
        sources: module name -> (path shown in tracebacks, text).
        roots: folders on which other files of the submission are looked up, helpers of the course first.
        exports: module name -> public names of the reference's module, bound by a failing ``import *``.
    """

    sources: dict[str, tuple[str, str]]
    roots: Sequence[Path]
    exports: Mapping[str, Sequence[str]]
    modules: dict[str, ModuleType] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def load(self, name: str) -> ModuleType:
        """The module ``name``, executed once. Raises whatever stops it as a whole."""
        if name in self.modules:
            return self.modules[name]
        if name in self.failed:
            raise ImportError(f"{name} could not be loaded: {self.failed[name]}")
        path, text = self.sources[name]
        module = ModuleType(name)
        module.__file__ = path
        module.__spec__ = importlib.machinery.ModuleSpec(name, None, origin=path)
        self.modules[name] = module
        if not _is_installed(name):
            sys.modules[name] = module
        try:
            run(text, path, module, self)
        except BaseException as error:
            self.fail(name, f"{type(error).__name__}: {error}"[:500])
            raise
        return module

    def fail(self, name: str, reason: str) -> None:
        """``name`` is out of reach from now on: importing it raises ``reason``."""
        self.failed[name] = reason
        module = self.modules.pop(name, None)
        if module is not None and sys.modules.get(name) is module:
            del sys.modules[name]


def _is_installed(name: str) -> bool:
    if name in sys.builtin_module_names or name in sys.stdlib_module_names:
        return True
    return importlib.machinery.PathFinder.find_spec(name) is not None


# Begins the path of a package that was found here, so that Python's own finder leaves what is inside it alone.
OURS = "submission:"


class CourseFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the submission's modules, the course's helpers, the submission's other files; asked last of all."""

    def __init__(self, library: Library) -> None:
        self.library = library

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a module, or ``None`` where it is not ours."""
        if path is None and (fullname in self.library.sources or fullname in self.library.failed):
            return importlib.machinery.ModuleSpec(fullname, self)
        ours = [Path(entry.removeprefix(OURS)) for entry in path or () if entry.startswith(OURS)]
        for root in self.library.roots if path is None else ours:
            found = self._in(root, fullname)
            if found is not None:
                return found
        return None

    def _in(self, root: Path, fullname: str) -> importlib.machinery.ModuleSpec | None:
        stem = root / fullname.rpartition(".")[2]
        package, file = stem / "__init__.py", stem.with_suffix(".py")
        if package.is_file():
            return self._spec(fullname, package, [f"{OURS}{stem}"])
        if file.is_file():
            return self._spec(fullname, file, None)
        if stem.is_dir():
            spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [f"{OURS}{stem}"]
            return spec
        return None

    def _spec(self, fullname: str, file: Path, locations: list[str] | None) -> importlib.machinery.ModuleSpec:
        spec = importlib.machinery.ModuleSpec(fullname, self, origin=str(file), is_package=locations is not None)
        spec.submodule_search_locations = locations
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """The submission's own module where it is one; otherwise Python's default."""
        return self.library.load(spec.name) if spec.origin is None else None

    def exec_module(self, module: ModuleType) -> None:
        """Runs a helper file; the submission's own modules have run already."""
        file = module.__spec__.origin if module.__spec__ else None
        if file is not None and module.__name__ not in self.library.modules:
            module.__file__ = file
            run(_read(Path(file)), file, module, self.library)


def _read(path: Path) -> str:
    # The judge has written every file that it can use as UTF-8. A coding that the file declares is not followed: it
    # may read code out of what the judge, and a person, takes for a comment.
    return path.read_text(encoding="utf-8").removeprefix("\ufeff")


def run(text: str, path: str, module: ModuleType, library: Library) -> None:
    """Executes ``text`` in ``module``, statement by statement."""
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    module.__dict__.update(
        {"__scratch_absent__": _binder(module, library), "__scratch_left_out__": _noter(path, library)}
    )
    exec(compile_tolerant(text, path), module.__dict__)  # noqa: S102 - this is the player, and this is its work


def compile_tolerant(text: str, path: str) -> CodeType:
    """The code of a module in which each top-level statement fails on its own."""
    tree = ast.parse(text, path)
    tree.body = _guarded(tree.body)
    return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)


def _guarded(body: list[ast.stmt]) -> list[ast.stmt]:
    guarded: list[ast.stmt] = []
    for position, statement in enumerate(body):
        if _is_docstring(statement, position) or _is_future(statement):
            guarded.append(statement)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            guarded.extend(_guard_import(statement))
        else:
            guarded.append(_try(statement, f"__scratch_left_out__({statement.lineno}, __scratch_error__)"))
    return guarded


def _is_docstring(statement: ast.stmt, position: int) -> bool:
    return position == 0 and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_future(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def _guard_import(statement: ast.Import | ast.ImportFrom) -> list[ast.stmt]:
    """One guarded import per name, so that a missing name does not take its neighbours with it."""
    guarded: list[ast.stmt] = []
    for alias in statement.names:
        if isinstance(statement, ast.Import):
            single: ast.stmt = ast.Import([alias])
            bound, origin = alias.asname or alias.name.partition(".")[0], alias.name
            parent = bound if alias.asname is None else ""
        else:
            single = ast.ImportFrom(statement.module, [alias], statement.level)
            bound, origin, parent = alias.asname or alias.name, f"{statement.module or ''}.{alias.name}", ""
        ast.copy_location(single, statement)
        handler = f"__scratch_absent__({bound!r}, {origin!r}, __scratch_error__, {parent!r})"
        guarded.append(_try(single, handler))
    return guarded


def _try(statement: ast.stmt, handler: str) -> ast.stmt:
    body = ast.parse(f"try: pass\nexcept Exception as __scratch_error__: {handler}").body[0]
    assert isinstance(body, ast.Try)
    body.body = [statement]
    for node in ast.walk(body.handlers[0]):
        if hasattr(node, "lineno"):
            ast.copy_location(node, statement)
    return ast.copy_location(body, statement)


def _binder(module: ModuleType, library: Library) -> Any:
    def bind(name: str, origin: str, error: Exception, parent: str) -> None:
        reason = f"{type(error).__name__}: {error}"
        library.notes.append(f"{module.__name__}: the import of {origin} failed ({reason})")
        if name != "*":
            # `import torch.nowhere` fails, and leaves torch itself as it is.
            module.__dict__[name] = sys.modules.get(parent) or Absent(origin, reason)
            return
        source = origin.rpartition(".")[0]
        for public in library.exports.get(source, ()):
            module.__dict__.setdefault(public, Absent(f"{source}.{public}", reason))

    return bind


def _noter(path: str, library: Library) -> Any:
    def note(line: int, error: Exception) -> None:
        library.notes.append(
            f"{Path(path).name}, line {line}: this statement was left out: {type(error).__name__}: {error}"[:500]
        )

    return note
