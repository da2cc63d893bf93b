"""The reference on the real CIFAR-10, where an environment variable says where its official files are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grader.contract.course import default_course
from grader.contract.report import from_json
from grader.contract.verdict import Status

DATA = os.environ.get("SCRATCHGRADE_CIFAR10")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA, reason="SCRATCHGRADE_CIFAR10 names no folder with the official CIFAR-10 files"),
]


@pytest.mark.parametrize(("assignment", "question"), [("a1", "9"), ("a2", "17")])
def test_the_reference_reaches_the_figures_of_the_course(assignment: str, question: str, tmp_path: Path) -> None:
    reference = default_course().root / "reference" / assignment
    command = [sys.executable, "-m", "grader.cli", "grade", str(reference), "-a", assignment, "--data", str(DATA)]
    done = subprocess.run([*command, "-o", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = from_json((tmp_path / assignment / "report.json").read_text(encoding="utf-8"))
    assert "CIFAR-10" in report.environment.data
    asked = [verdict for verdict in report.verdicts if verdict.number.startswith(f"{question}.")]
    assert asked
    assert all(verdict.status is Status.PASSED for verdict in report.verdicts)
