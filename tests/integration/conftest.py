"""What the tests of grading share: a zygote for the session, the toy course, and courses made for one test."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import jsonschema
import pytest
import torch

from grader import cli, cli_class
from grader.contract.course import Course
from grader.contract.report import json_schema
from grader.contract.verdict import Verdict
from grader.gradescope.results import dumps, results
from grader.grading.grade import Setting
from grader.grading.job import Job
from grader.grading.run import Finished, Run
from grader.judge.prepare import Options
from grader.judge.zygote import Zygote

TESTS = Path(__file__).parents[1]
RESULTS_SCHEMA = json.loads((TESTS / "schemas" / "gradescope_results.schema.json").read_text())

HEAD = """\
import os
import signal

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import (
    hide_errors, leaderboard, number, partial_credit, tags, visibility, weight
)

from grader.contract.verdict import CheckFailed, Explanation
"""

Grade = Callable[..., dict[str, Finished]]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Judges are forked from this process, and a second thread in it may hang them."""
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def toy() -> Path:
    """The toy course."""
    return TESTS / "toy_course"


@pytest.fixture(scope="session")
def address() -> Iterator[Path]:
    """The socket of a zygote that the session's tests share."""
    with Zygote() as zygote:
        yield zygote.wait()


@pytest.fixture(scope="session")
def grade(address: Path) -> Grade:
    """``grade(course, assignment, out, name=upload, ...)``: name -> what became of it."""

    def graded(
        course: Path, assignment: str, out: Path, options: Options | None = None, at_once: int = 1, **uploads: Path
    ) -> dict[str, Finished]:
        opened = Course(course)
        setting = Setting(opened.root, opened.assignment(assignment), options or Options("a seed"), address)
        jobs = [Job(name, upload, out / name) for name, upload in uploads.items()]
        return {each.job.name: each for each in Run(jobs, setting, at_once) if each is not None}

    return graded


@pytest.fixture(scope="session")
def make_course() -> Callable[..., Path]:
    """``make_course(folder, checks, points, ...)`` writes a course with one assignment, ``odd``.

    ``checks`` is file -> text of checks, ``points`` question -> points. All questions ask for ``work.answer`` unless
    ``functions`` says otherwise. ``extra`` is added to the top of ``assignment.toml``.
    """

    def made(
        folder: Path,
        checks: Mapping[str, str],
        points: Mapping[str, float],
        *,
        functions: Mapping[str, str] | None = None,
        modules: tuple[str, ...] = ("work",),
        extra: str = "",
    ) -> Path:
        assignment, reference = folder / "assignments" / "odd", folder / "reference" / "odd"
        assignment.mkdir(parents=True)
        reference.mkdir(parents=True)
        for module in modules:
            # Names of its own for each module, so that the intake does not take one file for another.
            name = "answer" if module == "work" else f"answer_of_{module}"
            (reference / f"{module}.py").write_text(f"def {name}():\n    return 42\n")
        for file, text in checks.items():
            (assignment / file).write_text(HEAD + text)
        toml = ['name = "odd"', 'title = "Odd"', *(f'[modules.{name}]\nfile = "{name}.py"' for name in modules), extra]
        for question, worth in points.items():
            function = (functions or {}).get(question, "work.answer")
            toml.append(f'[[questions]]\nnumber = "{question}"\nfunction = "{function}"\npoints = {worth}')
        (assignment / "assignment.toml").write_text("\n".join(toml) + "\n")
        return folder

    return made


@pytest.fixture(scope="session")
def held_to_schemas() -> Callable[[Finished], dict[str, Verdict]]:
    """Holds a report to its schema and its results.json to Gradescope's; returns its verdicts by number."""
    of_reports = jsonschema.Draft202012Validator(json_schema())
    of_results = jsonschema.Draft202012Validator(RESULTS_SCHEMA)

    def hold(finished: Finished) -> dict[str, Verdict]:
        report = finished.report
        assert report is not None, finished.log
        of_reports.validate(json.loads(finished.job.report.read_text()))
        of_results.validate(json.loads(dumps(results(report))))
        verdicts = {verdict.number: verdict for verdict in report.verdicts}
        assert len(verdicts) == len(report.verdicts)
        return verdicts

    return hold


@pytest.fixture
def grader(address, monkeypatch, capsys, toy):
    """``grader(arguments)`` -> exit code, output, errors; on the zygote of this session."""

    @contextmanager
    def ready() -> Iterator[object]:
        yield lambda: address

    def run(*arguments: object, course: Path = toy) -> tuple[int, str, str]:
        try:
            code = cli.main([*map(str, arguments), "--course", str(course)])
        except SystemExit as end:
            code = end.code
        return (code, *capsys.readouterr())

    monkeypatch.setattr(cli_class, "grading", ready)
    return run


@pytest.fixture
def with_chaffs(toy: Path, tmp_path: Path) -> Callable[[str], Course]:
    """``with_chaffs(text)``: a copy of the toy course whose ``warmup`` has these chaffs."""

    def made(text: str) -> Course:
        root = tmp_path / "course"
        shutil.copytree(toy, root)
        (root / "assignments" / "warmup" / "chaffs.toml").write_text(text)
        return Course(root)

    return made
