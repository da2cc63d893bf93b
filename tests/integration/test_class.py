"""A class: killed at any moment and taken up again, graded in part, graded twice, compared with an older grading."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from grader.grading.journal import JOURNAL

NAMES = [f"student-{number}" for number in range(8)]


@pytest.fixture
def uploads(toy: Path, tmp_path: Path) -> Path:
    for name in NAMES:
        shutil.copytree(toy / "reference" / "series", tmp_path / "class" / name)
    (tmp_path / "class" / NAMES[3] / "sums.py").write_text("def running_sum(x):\n    return x\n")
    return tmp_path / "class"


@pytest.fixture
def arguments(toy: Path, uploads: Path):
    """``arguments(out)`` grade the class into a folder."""
    return lambda out: ["grade", uploads, "-a", "series", "--seed", "s", "-j", 2, "-o", out]


def test_a_run_that_is_killed_again_and_again_ends_like_one_that_is_not(grader, arguments, toy, tmp_path):
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    assert grader(*arguments(whole))[0] == 0
    for lines in (1, 4):
        command = [sys.executable, "-m", "grader.cli", *map(str, arguments(pieces)), "--course", str(toy)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_lines(pieces / JOURNAL, lines, process)
        descendants = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        # The zygote, judges and players end with the process that is gone.
        assert psutil.wait_procs(descendants, timeout=20)[1] == []
    code, output, _ = grader(*arguments(pieces))
    assert code == 0
    assert "were graded before and did not change" in output
    assert (pieces / JOURNAL).read_bytes() == (whole / JOURNAL).read_bytes()
    assert grades(pieces) == grades(whole)


@pytest.mark.slow
def test_ten_kills_at_random_moments_change_nothing(grader, arguments, toy, tmp_path):
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    assert grader(*arguments(whole))[0] == 0
    command = [sys.executable, "-m", "grader.cli", *map(str, arguments(pieces)), "--course", str(toy)]
    chance = random.Random()
    moments, killed = [], 0
    while killed < 10:
        moments.append(chance.uniform(0.0, 8.0))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(moments[-1])
            shutil.rmtree(pieces)  # it came to its end: once more from the start
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
    assert grader(*arguments(pieces))[0] == 0
    assert (pieces / JOURNAL).read_bytes() == (whole / JOURNAL).read_bytes(), moments
    assert grades(pieces) == grades(whole), moments


def wait_for_lines(journal: Path, lines: int, process: subprocess.Popen[bytes]) -> None:
    """Waits until the journal has some whole lines."""
    deadline = time.monotonic() + 200
    while not (journal.exists() and journal.read_bytes().count(b"\n") >= lines):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_an_unchanged_class_is_not_graded_again_and_a_changed_part_is(grader, arguments, uploads, tmp_path):
    out = tmp_path / "out"
    assert grader(*arguments(out))[0] == 0
    before = times(out)
    assert "8 of 8 were graded before" in grader(*arguments(out))[1]
    assert times(out) == before
    shutil.copytree(out, tmp_path / "old")
    shutil.copy(uploads / NAMES[0] / "sums.py", uploads / NAMES[3] / "sums.py")
    _, output, _ = grader(*arguments(out), "--diff", tmp_path / "old")
    assert "7 of 8 were graded before" in output
    assert [name for name, moment in times(out).items() if moment != before[name]] == [NAMES[3]]
    changed = output.partition("changed since")[2]
    assert "-> passed" in changed
    assert [name for name in NAMES if name in changed] == [NAMES[3]]


def test_a_part_of_a_class_can_be_graded_and_the_rest_stays(grader, arguments, tmp_path):
    out = tmp_path / "out"
    assert grader(*arguments(out), "--only", NAMES[1])[0] == 0
    assert list(grades(out)) == [NAMES[1]]
    assert grader(*arguments(out), "--only", "*-2")[0] == 0
    assert list(grades(out)) == NAMES[1:3]
    code, _, errors = grader(*arguments(out), "--only", "nobody")
    assert code == 2
    assert "no submission is named nobody" in errors


def test_those_that_lost_a_check_can_be_graded_once_more(grader, arguments, tmp_path):
    out = tmp_path / "out"
    assert grader(*arguments(out))[0] == 0
    before = times(out)
    assert grader(*arguments(out), "--failed")[0] == 0
    assert [name for name, moment in times(out).items() if moment != before[name]] == [NAMES[3]]
    assert list(grades(out)) == NAMES
    code, _, errors = grader(*arguments(out), "--failed", "--only", NAMES[0])
    assert code == 2
    assert "lost a check" in errors


def test_what_is_alike_is_told_on_request_and_never_of_another_run(grader, arguments, tmp_path):
    pytest.importorskip("copydetect", reason="copydetect is an optional dependency")
    out = tmp_path / "out"
    only = ("--only", NAMES[0], "--only", NAMES[3])
    code, output, _ = grader(*arguments(out), *only, "--similar")
    assert code == 0
    assert "0 pairs of submissions are alike" in output
    assert "No two submissions are alike" in (out / "similar.html").read_text()
    assert 'href="similar.html"' in (out / "class.html").read_text()
    assert grader(*arguments(out), *only)[0] == 0
    assert not (out / "similar.html").exists()
    assert 'href="similar.html"' not in (out / "class.html").read_text()


def grades(out: Path) -> dict[str, str]:
    """Name -> its line in the table of grades."""
    lines = (out / "grades.csv").read_text().splitlines()[1:]
    return {line.partition(",")[0]: line for line in lines}


def times(out: Path) -> dict[str, int]:
    return {name: (out / name / "report.json").stat().st_mtime_ns for name in NAMES}


def test_a_download_is_graded_under_the_names_of_its_people(grader, toy, tmp_path):
    download = tmp_path / "download"
    download.mkdir()
    shutil.copy(toy / "reference" / "series" / "sums.py", download / "doejane_12_34_sums-1.py")
    (download / "roebob_LATE_13_35_sums.py").write_text("def running_sum(x):\n    return x\n")
    (tmp_path / "roster.csv").write_text("name,id,email\nJane Doe,12,jane@x.edu\nAl Li,14,al@x.edu\n")
    code, output, errors = grader(
        "grade", download, "-a", "series", "-o", tmp_path / "out", "--roster", tmp_path / "roster.csv"
    )
    assert code == 0, errors
    assert "2 submissions, downloaded from Canvas" in output
    assert "1 on the roster handed nothing in: Al Li" in output
    assert grades(tmp_path / "out")["doejane-12"].startswith("doejane-12,Jane Doe,12,jane@x.edu,5,5,yes")
    assert (tmp_path / "out" / "canvas.csv").read_text().splitlines()[2].startswith("Jane Doe,12,,,,5")
