"""A submission judged by hand: two workers give the verdicts of one judge, and a lost worker costs one check."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from grader.contract.report import Report, comparable, from_json
from grader.contract.verdict import Status
from grader.judge import zygote
from grader.judge.prepare import Options


@dataclass(frozen=True)
class Done:
    """A pytest run that has ended: its exit code, what it said, and what it left among the temporary files."""

    code: int
    said: str
    left: list[str]


class SharedZygote:
    """Stands for the zygote that a run by hand starts: the one of this session."""

    def __init__(self, address: Path) -> None:
        self.address = address

    def wait(self) -> Path:
        return self.address

    def close(self) -> None:
        pass


@pytest.fixture
def by_hand(address):
    """``pytest ASSIGNMENT --submission UPLOAD``, in a fork of this process, which has imported torch already."""

    def run(assignment: Path, upload: Path, report: Path, *arguments: str) -> Done:
        return forked(address, assignment, upload, report, *arguments)

    return run


def forked(address: Path, assignment: Path, upload: Path, report: Path, *arguments: str) -> Done:
    said, temporary = report.with_suffix(".log"), report.parent / "t"
    temporary.mkdir()
    options = ["--submission", str(upload), "--seed", "a seed", "--report", str(report), *arguments]
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            for descriptor in (1, 2):
                os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
            sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
            for name in [name for name in os.environ if name.startswith("PYTEST_")]:
                del os.environ[name]
            zygote.Zygote = lambda: SharedZygote(address)
            tempfile.tempdir, os.environ["TMPDIR"] = str(temporary), str(temporary)
            code = pytest.main(["-q", "-p", "no:cacheprovider", "-c", os.devnull, str(assignment), *options])
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    left = [path.name for path in temporary.iterdir() if not path.name.startswith("pytest-of-")]
    left += [each.name() for each in psutil.process_iter(["cmdline"]) if str(temporary) in str(each.info["cmdline"])]
    return Done(code, said.read_text(), left)


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


def test_two_workers_give_the_verdicts_of_one_judge(by_hand, grade, toy, upload, tmp_path):
    alone = grade(toy, "warmup", tmp_path / "out", Options("a seed"), ann=upload)["ann"].report
    report = tmp_path / "report.json"
    done = by_hand(toy / "assignments" / "warmup", upload, report, "-n", "2")
    assert done.code == pytest.ExitCode.TESTS_FAILED, done.said
    spread = from_json(report.read_text())
    assert {verdict.status for verdict in spread.verdicts} >= {Status.PASSED, Status.FAILED, Status.PARTIAL}
    assert same(spread) == same(alone)
    assert done.left == []


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


def test_a_check_that_kills_its_worker_is_our_error_and_the_rest_goes_on(by_hand, make_course, tmp_path):
    lost = 'import no_such_module\n\n\n@number("5.1")\n@weight(1)\ndef test_lost():\n    """lost."""\n'
    course = make_course(
        tmp_path / "course", {"test_odd.py": CHECKS, "test_lost.py": lost}, {"1": 3, "2": 1, "3": 1, "4": 1, "5": 1}
    )
    (tmp_path / "work.py").write_text("def answer():\n    return 42\n")
    report = tmp_path / "report.json"
    done = by_hand(course / "assignments" / "odd", tmp_path / "work.py", report, "-n", "2")
    assert done.code == pytest.ExitCode.TESTS_FAILED, done.said
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
    }, done.said
    assert "crashed" in verdicts["1.2"].explanation.evidence
    assert "no_such_module" in verdicts["5"].explanation.evidence
    assert done.left == []


def test_checks_that_do_not_fit_end_a_run_by_hand(by_hand, make_course, tmp_path):
    course = make_course(tmp_path / "course", {"test_odd.py": CHECKS}, {"1": 3})
    (tmp_path / "work.py").write_text("def answer():\n    return 42\n")
    report = tmp_path / "report.json"
    done = by_hand(course / "assignments" / "odd", tmp_path / "work.py", report)
    assert done.code == pytest.ExitCode.USAGE_ERROR
    assert "test_odd.py::test_elsewhere: number '2.1' belongs to no question" in done.said
    assert not report.exists()
