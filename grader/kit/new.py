"""Gives a student the files to start from."""

from __future__ import annotations

import shutil
from pathlib import Path

from grader.contract.assignment import Assignment
from grader.exits import UsageError
from grader.kit.handout import readme

README = "README.md"


class NewError(UsageError):
    """The files could not be laid out; says why and what to do."""


def lay_out(assignment: Assignment, folder: Path) -> list[Path]:
    """Copies the template of ``assignment`` and the helpers that the course provides into ``folder``; adds a README.

    Returns the files that were written, sorted. Raises :class:`NewError` rather than touch a file that exists.
    """
    if not assignment.template.is_dir():
        raise NewError(f"{assignment.template} does not exist: the course has no template for {assignment.name!r}.")
    wanted = {
        folder / path.relative_to(root): path
        for root in (assignment.provided, assignment.template)
        for path in _files(root)
    }
    about = folder / README
    present = sorted(str(path) for path in (*wanted, about) if path.exists())
    if present:
        raise NewError(f"{present[0]} exists already. Nothing was written; choose another folder.")
    for target, source in wanted.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    about.write_text(readme(assignment), encoding="utf-8")
    return sorted([*wanted, about])


def _files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
