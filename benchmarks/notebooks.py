"""The class of ``peers.py`` graded by nbgrader: one course, one notebook, one graded cell for each check.

The notebook's first cell runs the checks once, in the kernel that imports the submission, and each graded cell holds
the outcome of its check to "passed". Modules are handed in beside the notebook. ``nbgrader autograde`` is nbgrader's
own batch mode; it needs no container.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

CONFIGURATION = """c = get_config()
c.CourseDirectory.course_id = "deep-learning"
c.ExecutePreprocessor.timeout = {timeout}
c.ExecutePreprocessor.interrupt_on_timeout = True
c.ExecutePreprocessor.startup_timeout = 120
"""

RUN = """import os, sys
sys.path[:0] = [{here!r}]
os.environ["SUBMISSION"] = os.getcwd()
import pytest

class Outcomes(dict):
    def pytest_runtest_logreport(self, report):
        name = report.nodeid.rpartition("::")[2]
        self[name] = report.outcome if self.get(name, "passed") == "passed" else self[name]

outcomes = Outcomes()
pytest.main({arguments!r}, plugins=[outcomes])
"""


def graded(
    folder: Path, arguments: list[str], unpacked: Callable[[Path, Path], Path], timeout: float
) -> dict[str, set[str] | None]:
    """What each submission of ``folder / "class"`` passed.

    Args:
        folder: holds the class; the course is made beside it.
        arguments: of pytest, to make the checks.
        unpacked: makes a folder of an upload, and returns where its modules are.
        timeout: seconds that a cell has.
    """
    import nbformat

    course = folder / "course"
    names = _names(arguments)
    _lay_out(course, names, arguments, timeout)
    _nbgrader(course, "generate_assignment", "a2")
    for upload in sorted((folder / "class").iterdir()):
        there = course / "submitted" / upload.stem / "a2"
        shutil.copytree(course / "release" / "a2", there)
        for file in unpacked(upload, folder / "unpacked" / upload.stem).rglob("*"):
            if file.is_file() and not file.is_symlink():
                shutil.copyfile(file, there / file.name)
    _nbgrader(course, "autograde", "a2")
    passed: dict[str, set[str] | None] = {}
    for upload in (folder / "class").iterdir():
        notebook = course / "autograded" / upload.stem / "a2" / "a2.ipynb"
        cells = nbformat.read(notebook, 4).cells if notebook.exists() else None
        passed[upload.stem] = cells and {
            names[int(cell.metadata.nbgrader.grade_id.removeprefix("check-"))] for cell in cells if _is_passed(cell)
        }
    return passed


def _names(arguments: list[str]) -> list[str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return [line.rpartition("::")[2] for line in told.splitlines() if "::" in line]


def _lay_out(course: Path, names: list[str], arguments: list[str], timeout: float) -> None:
    import nbformat.v4 as made

    run = made.new_code_cell(RUN.format(here=str(Path(__file__).parent), arguments=arguments))
    run.metadata["nbgrader"] = _metadata("run", grade=False)
    cells = [run]
    for number, name in enumerate(names):
        cell = made.new_code_cell(f'assert outcomes.get({name!r}) == "passed"')
        cell.metadata["nbgrader"] = {**_metadata(f"check-{number}", grade=True), "points": 1}
        cells.append(cell)
    notebook = made.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    source = course / "source" / "a2"
    source.mkdir(parents=True)
    import nbformat

    nbformat.write(notebook, source / "a2.ipynb")
    (course / "nbgrader_config.py").write_text(CONFIGURATION.format(timeout=int(timeout)))


def _metadata(identifier: str, *, grade: bool) -> Mapping[str, Any]:
    kind = {"cell_type": "code", "grade": grade, "locked": True, "solution": False, "task": False}
    return {**kind, "grade_id": identifier, "schema_version": 3}


def _is_passed(cell: Any) -> bool:
    graded_cell = cell.metadata.get("nbgrader", {}).get("grade", False)
    ran = cell.get("execution_count") is not None
    return bool(graded_cell and ran and not any(output.output_type == "error" for output in cell.outputs))


def _nbgrader(course: Path, *command: str) -> None:
    """A command of nbgrader's, which ends with an error where one submission did. It calls alembic by its name."""
    programs = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    with (course / "log").open("ab") as log:
        command = (str(programs / "nbgrader"), *command)
        subprocess.run(command, cwd=course, env=environment, stdout=log, stderr=log, check=False)
