"""A new assignment: a small one that works, to be replaced piece by piece."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from grader.contract.assignment import HANDOUT, NOTEBOOKS
from grader.exits import UsageError
from grader.kit import notebook
from grader.kit.template import write

_NAME = re.compile(r"[a-z][a-z0-9_]*")


class SkeletonError(UsageError):
    """The assignment cannot be written; says why and what to do."""


def write_assignment(root: Path, name: str, title: str = "") -> tuple[list[Path], str]:
    """Writes the assignment ``name`` into the course in the folder ``root``, which is made if need be.

    Returns the files, sorted, and a sentence on what was left out, if anything was. Raises :class:`SkeletonError`
    rather than touch an assignment that exists.
    """
    if not _NAME.fullmatch(name):
        raise SkeletonError(f"{name!r} is no name for an assignment; use small letters, digits and _, such as hw1.")
    places = [root / part / name for part in ("assignments", "reference", "student_template")]
    present = [place for place in places if place.exists()]
    if present:
        raise SkeletonError(f"{present[0]} exists already. Nothing was written; choose another name.")
    folder, reference, _ = places
    module = f"{name}_lesson"
    files = {
        folder / "assignment.toml": "assignment.toml.j2",
        folder / f"test_{name}.py": "checks.py.j2",
        folder / "chaffs.toml": "chaffs.toml.j2",
        folder / HANDOUT: "handout.md.j2.j2",
        folder / NOTEBOOKS / f"{module}.py": "notebook.py.j2",
        reference / f"{module}.py": "reference.py.j2",
    }
    loader = PackageLoader("grader.kit", "files/assignment")
    environment = Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701
    for path, source in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        text = environment.get_template(source).render(name=name, module=module, title=title or name.upper())
        path.write_text(text, encoding="utf-8")
    remark = write_templates(root)
    return sorted([*files, *(path for path in places[2].rglob("*") if path.is_file())]), remark


def write_templates(root: Path) -> str:
    """Derives the students' files of a course anew; returns a sentence on what was left out, or nothing.

    Raises:
        TemplateError, FileNotFoundError: as :func:`grader.kit.template.write`.
    """
    write(root)
    try:
        notebook.write_notebooks(root)
    except ModuleNotFoundError as error:
        return f"No notebooks were made: that needs {error.name}; pip install jupytext nbformat."
    return ""
