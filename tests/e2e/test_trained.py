"""The references train on data sets that are drawn from a seed, and pass the bars that are set there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grader.contract.course import default_course
from grader.contract.report import from_json
from grader.contract.verdict import Status

CASES = [
    pytest.param("a2", "shapes10", ("18", "19"), "all_images"),
    pytest.param("a3", "shapes10", ("33", "34"), "on_images", marks=pytest.mark.long),
    pytest.param("a4", f"scenes{os.pathsep}arithmetic", ("60", "61"), "learns or calculates", marks=pytest.mark.long),
]


@pytest.mark.parametrize(("assignment", "data", "questions", "selection"), CASES)
def test_the_reference_passes_the_bars(
    assignment: str, data: str, questions: tuple[str, ...], selection: str, tmp_path: Path
) -> None:
    root, report = default_course().root, tmp_path / "report.json"
    command = [sys.executable, "-m", "pytest", "-q", str(root / "assignments" / assignment), "-k", selection]
    options = ["--submission", str(root / "reference" / assignment), "--data", data, "--seed", "s"]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, *options, "--report", str(report)], capture_output=True, text=True, check=False, env=alone
    )
    assert done.returncode == 0, done.stdout + done.stderr
    judged = from_json(report.read_text(encoding="utf-8"))
    asked = [verdict for verdict in judged.verdicts if verdict.number.partition(".")[0] in questions]
    passed = [verdict for verdict in asked if verdict.status is Status.PASSED]
    assert {verdict.number.partition(".")[0] for verdict in passed} == set(questions)
    assert all(any(note.startswith("needed ") for note in verdict.notes) for verdict in passed)
    learned = [verdict for verdict in passed if verdict.number != "61.1"]  # its training returns no losses
    assert all(any("loss" in picture.title for picture in verdict.pictures) for verdict in learned)
