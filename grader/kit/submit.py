"""Packs what a student hands in: the modules, own helpers that they import, trained networks, and a list of it all."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grader import __version__
from grader.contract.assignment import Assignment
from grader.exits import UsageError
from grader.gradescope.wheel import entry
from grader.kit.tasks import definitions, is_unwritten

MANIFEST = "manifest.json"


class SubmitError(UsageError):
    """There is nothing to pack; says what was expected."""


@dataclass(frozen=True)
class Contents:
    """What is handed in from a folder.

    Attributes:
        files: relative path -> content, modules first.
        missing: sentences on modules that are not there or cannot be read by Python; they earn nothing.
        unwritten: functions that are still as they were handed out, as ``file: name``.
        notes: sentences on what is left out, or is not there and need not be.
    """

    files: dict[str, bytes]
    missing: tuple[str, ...]
    unwritten: tuple[str, ...]
    notes: tuple[str, ...]

    def manifest(self, assignment: Assignment) -> str:
        """The text of ``manifest.json``: files with their sizes and SHA-256, and what is missing."""
        files = [
            {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in self.files.items()
        ]
        told = {"missing": self.missing, "unwritten": self.unwritten}
        return json.dumps(
            {"assignment": assignment.name, "grader_version": __version__, "files": files, **told}, indent=1
        )

    def write(self, assignment: Assignment, path: Path) -> int:
        """Writes the zip, whole or not at all; the same files give the same bytes. Returns its size in bytes."""
        beside = path.with_name(f".{path.name}.part")
        try:
            with zipfile.ZipFile(beside, "w") as archive:
                for name, data in {**self.files, MANIFEST: self.manifest(assignment).encode()}.items():
                    archive.writestr(entry(name), data)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
        return path.stat().st_size


def gather(folder: Path, assignment: Assignment) -> Contents:
    """What ``folder`` has to hand in for ``assignment``.

    Raises:
        SubmitError: if it is no folder, or holds none of the modules.
    """
    content = assignment.content
    if not folder.is_dir():
        raise SubmitError(f"{folder} is no folder; give the folder that grader new made.")
    present = {name: folder / spec.file for name, spec in content.modules.items() if (folder / spec.file).is_file()}
    if not present:
        files = ", ".join(spec.file for spec in content.modules.values())
        raise SubmitError(f"{folder} holds none of the files of {assignment.name}: {files}.")
    missing = [f"{spec.file} is missing." for name, spec in content.modules.items() if name not in present]
    faults = [fault for path in present.values() if (fault := _fault(path))]
    helpers, notes = _helpers(folder, list(present.values()), assignment)
    networks = [folder / name for name in content.checkpoints if (folder / name).is_file()]
    absent = [name for name in content.checkpoints if not (folder / name).is_file()]
    if absent:
        notes.append(f"Not there, and need not be: {', '.join(absent)}. Your training code is run instead.")
    chosen = [*present.values(), *helpers, *networks]
    return Contents(
        {path.relative_to(folder).as_posix(): path.read_bytes() for path in chosen},
        (*missing, *faults),
        tuple(dict.fromkeys(_unwritten(folder, assignment))),
        tuple(notes),
    )


def _fault(path: Path) -> str:
    try:
        ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        return f"{path.name} cannot be read by Python: {error}."
    return ""


def _helpers(folder: Path, modules: list[Path], assignment: Assignment) -> tuple[list[Path], list[str]]:
    """The student's own files that the modules import, one from another; and remarks on changed ones of the course."""
    found: dict[Path, None] = {}
    notes: list[str] = []
    queue = list(modules)
    while queue:
        for path in _imported(queue.pop(), folder):
            given = assignment.provided / path.relative_to(folder)
            if given.is_file():
                changed = given.read_bytes() != path.read_bytes()
                note = f"{path.relative_to(folder)} was changed, and is left out: the course's own is used in grading."
                notes += [note] if changed and note not in notes else []
            elif path not in modules and path not in found:
                found[path] = None
                queue.append(path)
    return list(found), notes


def _imported(path: Path, folder: Path) -> Iterator[Path]:
    """The files in ``folder`` that ``path`` imports; of a package, all of its source."""
    if _fault(path):
        return
    for node in ast.walk(ast.parse(path.read_bytes())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names = [node.module]
        for name in names:
            top = folder / name.partition(".")[0]
            yield from [top.with_suffix(".py")] if top.with_suffix(".py").is_file() else sorted(top.rglob("*.py"))


def _unwritten(folder: Path, assignment: Assignment) -> Iterator[str]:
    for question in assignment.content.questions:
        file = assignment.content.modules[question.module].file
        path, name = folder / file, question.function.partition(".")[2]
        if path.is_file() and not _fault(path):
            node = dict(definitions(path)).get(name)
            if node is not None and is_unwritten(node):
                yield f"{file}: {name}"
