"""Mistakes of A2 that an ordinary draw does not show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "reference" / "a2" / "linear_classifier.py"


def test_a_rival_with_the_same_score_counts(tmp_path: Path) -> None:
    text, right = REFERENCE.read_text(encoding="utf-8"), "margins[rows, y] = 0"
    assert text.count(right) == 1
    # The true class has the margin 1 exactly, but so has a class with the same score.
    (tmp_path / REFERENCE.name).write_text(text.replace(right, "margins[margins == 1] = 0"), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-rf",
        "-k",
        "svm_vectorized and not cost",
    ]
    command += ["assignments/a2/test_linear_classifier.py", "--submission", str(tmp_path), "--seed", "s"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lost = [line.split()[1].partition("::")[2] for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert lost == ["test_svm_vectorized_small"], done.stdout[-4000:]
