"""The demonstration class, graded end to end: each submission loses exactly what its description says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grader.contract.course import default_course
from grader.contract.report import from_json
from grader.contract.verdict import Status
from grader.judge.variants import read_variants, shown_unasked

COURSE = default_course()
DEMOS = {name: COURSE.root / "assignments" / name / "demo.toml" for name in COURSE.names}
QUICK = [name for name, path in DEMOS.items() if shown_unasked(path)]


def demonstrate(folder: Path, *names: str) -> None:
    """Runs ``grader demo`` and leaves its reports in ``folder``."""
    command = [sys.executable, "-m", "grader.cli", "demo", *names, "-o", str(folder), "-j", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "TERM": "dumb"})
    assert done.returncode == 0, done.stderr


def check(folder: Path, name: str) -> None:
    """Every submission of a demonstration class lost exactly what its description says."""
    for variant in read_variants(DEMOS[name]):
        report = from_json((folder / name / variant.name / "report.json").read_text(encoding="utf-8"))
        lost = {verdict.number for verdict in report.verdicts if verdict.status is not Status.PASSED}
        expected = {verdict.number for verdict in report.verdicts if variant.loses_check(verdict.number)}
        assert lost == expected, variant.name
        assert report.complete
        assert (folder / name / variant.name / "results.json").exists()


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reports of ``grader demo``."""
    folder = tmp_path_factory.mktemp("demo")
    demonstrate(folder)
    return folder


@pytest.mark.parametrize("name", QUICK)
def test_each_submission_loses_exactly_what_it_got_wrong(out: Path, name: str) -> None:
    check(out, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(DEMOS) - set(QUICK)))
def test_each_submission_of_a_larger_class_loses_exactly_what_it_got_wrong(tmp_path: Path, name: str) -> None:
    demonstrate(tmp_path, name)
    check(tmp_path, name)
