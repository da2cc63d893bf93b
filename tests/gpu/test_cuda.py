"""Grading on a CUDA device, where this machine has one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from grader.contract.course import default_course
from grader.contract.report import from_json
from grader.contract.verdict import Status

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch can use no CUDA device of this machine"),
]


@pytest.mark.parametrize("device", ["cuda", "auto"])
def test_the_reference_is_graded_on_cuda(device: str, tmp_path: Path) -> None:
    reference = default_course().root / "reference" / "a2"
    command = [sys.executable, "-m", "grader.cli", "grade", str(reference), "-a", "a2", "--device", device]
    done = subprocess.run([*command, "-o", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = from_json((tmp_path / "a2" / "report.json").read_text(encoding="utf-8"))
    assert report.environment.device.startswith("cuda")
    assert all(verdict.status is Status.PASSED for verdict in report.verdicts)


def test_an_upload_that_starts_cuda_at_import_is_told_so(tmp_path: Path) -> None:
    upload = tmp_path / "eager"
    upload.mkdir()
    text = (default_course().root / "reference" / "a1" / "knn.py").read_text(encoding="utf-8")
    (upload / "knn.py").write_text(f"{text}\n\nHERE = torch.zeros(1).cuda()\n", encoding="utf-8")
    command = [sys.executable, "-m", "grader.cli", "grade", str(upload), "-a", "a1", "--device", "cuda"]
    done = subprocess.run([*command, "-o", str(tmp_path / "out")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = from_json((tmp_path / "out" / "eager" / "report.json").read_text(encoding="utf-8"))
    assert all("while it is imported" in verdict.explanation.message for verdict in report.verdicts)
