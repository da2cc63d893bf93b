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

pytestmark = pytest.mark.skipif(
    not DATA, reason="SCRATCHGRADE_CIFAR10 names no folder with the official CIFAR-10 files"
)


@pytest.mark.slow
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


@pytest.mark.long
@pytest.mark.parametrize(("assignment", "selection"), [("a3", "on_images or by_heart")])
def test_networks_train_on_real_images(assignment: str, selection: str, tmp_path: Path) -> None:
    root, report = default_course().root, tmp_path / "report.json"
    command = [sys.executable, "-m", "pytest", "-q", str(root / "assignments" / assignment), "-k", selection]
    options = ["--submission", str(root / "reference" / assignment), "--data", str(DATA), "--report", str(report)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    notes = [note for verdict in from_json(report.read_text(encoding="utf-8")).verdicts for note in verdict.notes]
    assert sum("on CIFAR-10" in note for note in notes) == 2
