"""A submission judged by hand, its checks spread over xdist's workers: the same verdicts, and a lost worker costs one check."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from grader.contract.report import Report, comparable, from_json
from grader.contract.verdict import Status
from grader.judge.prepare import Options


def by_hand(assignment: Path, upload: Path, report: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, str(assignment)]
    options = ["--submission", str(upload), "--seed", "a seed", "--report", str(report), *arguments]
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    temporary = report.parent / "t"
    temporary.mkdir()
    return subprocess.run(
        [*command, *options],
        env={**kept, "OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)},
        cwd=report.parent,
        capture_output=True,
        text=True,
        timeout=300,
    )


def same(report: Report) -> str:
    """All of the report but what legitimately differs: the name, which is taken from the path."""
    return comparable(replace(report, submission=replace(report.submission, name="")))


@pytest.fixture(scope="module")
def upload(toy: Path, tmp_path_factory) -> Path:
    """Some checks pass, some fail, some earn a part; one module cannot be read."""
    folder = tmp_path_factory.mktemp("upload")
    text = (toy / "reference" / "warmup" / "vectors.py").read_text()
    text = text.replace("return (x * y).sum()", "return (x + y).sum()").replace("sum(dim=1)", "sum()[None]")
    (folder / "vectors.py").write_text(text)
    (folder / "fitting.py").write_text("class Line\n")
    return folder


def test_two_workers_give_the_verdicts_of_one_judge(grade, toy, upload, tmp_path):
    alone = grade(toy, "warmup", tmp_path / "out", Options("a seed"), ann=upload)["ann"].report
    report = tmp_path / "report.json"
    done = by_hand(toy / "assignments" / "warmup", upload, report, "-n", "2")
    assert done.returncode == 1, done.stdout + done.stderr
    spread = from_json(report.read_text())
    assert {verdict.status for verdict in spread.verdicts} >= {Status.PASSED, Status.FAILED, Status.PARTIAL}
    assert same(spread) == same(alone)
    assert list((tmp_path / "t").iterdir()) == []
    assert "[gw" not in done.stderr


CHECKS = '''
@number("1.1")
@weight(1)
def test_before(student):
    """before."""
    assert student.work.answer() == 42


@number("1.2")
@weight(1)
def test_kills(student):
    """kills its worker."""
    student.work.answer()
    os.kill(os.getpid(), signal.SIGKILL)


@number("1.3")
@weight(1)
def test_after(student):
    """after, in the same question."""
    assert student.work.answer() == 42


@number("2.1")
@weight(1)
def test_elsewhere(student):
    """elsewhere."""
    assert student.work.answer() == 42


@number("3.1")
@weight(1)
def test_bug(student):
    """bug."""
    student.work.answer().no_such_attribute


@number("4.1")
@weight(1)
def test_skips(student):
    """skips."""
    pytest.skip("not today")
'''


def test_a_check_that_kills_its_worker_is_our_error_and_the_rest_goes_on(make_course, tmp_path):
    lost = 'import no_such_module\n\n\n@number("5.1")\n@weight(1)\ndef test_lost():\n    """lost."""\n'
    course = make_course(
        tmp_path / "course", {"test_odd.py": CHECKS, "test_lost.py": lost}, {"1": 3, "2": 1, "3": 1, "4": 1, "5": 1}
    )
    (tmp_path / "work.py").write_text("def answer():\n    return 42\n")
    report = tmp_path / "report.json"
    done = by_hand(course / "assignments" / "odd", tmp_path / "work.py", report, "-n", "2")
    assert done.returncode != 0
    verdicts = {verdict.number: verdict for verdict in from_json(report.read_text()).verdicts}
    statuses = {number: verdict.status.value for number, verdict in verdicts.items()}
    assert statuses == {
        "1.1": "passed",
        "1.2": "grader_error",
        "1.3": "passed",
        "2.1": "passed",
        "3.1": "grader_error",
        "4.1": "not_run",
        "5": "grader_error",
    }, done.stdout + done.stderr
    assert "crashed" in verdicts["1.2"].explanation.evidence
    assert "no_such_module" in verdicts["5"].explanation.evidence
    assert list((tmp_path / "t").iterdir()) == []


def test_checks_that_do_not_fit_end_a_run_by_hand(make_course, tmp_path):
    course = make_course(tmp_path / "course", {"test_odd.py": CHECKS}, {"1": 3})
    (tmp_path / "work.py").write_text("def answer():\n    return 42\n")
    report = tmp_path / "report.json"
    done = by_hand(course / "assignments" / "odd", tmp_path / "work.py", report)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "test_odd.py::test_elsewhere: number '2.1' belongs to no question" in done.stderr
    assert not report.exists()
