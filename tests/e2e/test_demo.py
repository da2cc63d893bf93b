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
from grader.judge.variants import read_variants

ASSIGNMENTS = [
    name for name in default_course().names if (default_course().root / "assignments" / name / "demo.toml").exists()
]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reports of ``grader demo``."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "grader.cli", "demo", "-o", str(folder), "-j", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "TERM": "dumb"})
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_each_submission_loses_exactly_what_it_got_wrong(out: Path, name: str) -> None:
    folder = default_course().root / "assignments" / name
    for variant in read_variants(folder / "demo.toml"):
        report = from_json((out / name / variant.name / "report.json").read_text(encoding="utf-8"))
        lost = {verdict.number for verdict in report.verdicts if verdict.status is not Status.PASSED}
        expected = {verdict.number for verdict in report.verdicts if variant.loses_check(verdict.number)}
        assert lost == expected, variant.name
        assert report.complete
        assert (out / name / variant.name / "results.json").exists()
