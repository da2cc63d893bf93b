"""Faults of the machine and of ours, at bad moments: what was graded stays graded, and what was not says so."""

from __future__ import annotations

import errno
import os
import signal
import tempfile
import time
from pathlib import Path

import pytest

from grader import cli, cli_class
from grader.contract.course import Course
from grader.contract.report import from_json
from grader.contract.verdict import Status
from grader.grading import job as jobs
from grader.grading.grade import Setting
from grader.grading.job import Job
from grader.grading.run import Run
from grader.judge import recorder
from grader.judge.prepare import Options
from grader.judge.zygote import Zygote

CHECK = '''
@number("{number}")
@weight(1)
def test_{name}(student, play):
    """It answers."""
    {before}
    assert student.work.answer() == 42
'''


def checks(*before: str) -> dict[str, str]:
    """Four checks, each of a question of its own; ``before`` is what happens in each before it asks."""
    names = ("first", "second", "third", "fourth")
    texts = [
        CHECK.format(number=f"{place}.1", name=name, before=text or "pass")
        for place, (name, text) in enumerate(zip(names, before, strict=True), 1)
    ]
    return {"test_odd.py": "\n".join(texts)}


@pytest.fixture
def graded(make_course, address, tmp_path, held_to_schemas):
    """Grades ``def answer(): return 42`` by four checks; returns its statuses, and the seconds that it took."""
    (tmp_path / "work.py").write_text("def answer():\n    return 42\n")

    def run(*before: str, zygote: Path = address) -> tuple[list[str], float]:
        course = make_course(tmp_path / "course", checks(*before), {"1": 1, "2": 1, "3": 1, "4": 1})
        opened = Course(course)
        setting = Setting(opened.root, opened.assignment("odd"), Options("s"), zygote)
        start = time.monotonic()
        (finished,) = [
            each for each in Run([Job("ann", tmp_path / "work.py", tmp_path / "out")], setting, 1) if each is not None
        ]
        seconds = time.monotonic() - start
        verdicts = held_to_schemas(finished)
        return [verdicts[f"{number}.1"].status.value for number in range(1, 5)], seconds

    return run


def test_a_player_that_is_killed_costs_its_check_alone(graded):
    killed = "student.work.answer(); os.kill(play.player.watched.pid, 9)"
    assert graded("", killed, "", "")[0] == ["passed", "crashed", "passed", "passed"]


def test_a_loader_that_is_killed_is_started_again(graded):
    # The player ends with its loader, a moment later: the check asks it again when it has.
    ended = "import select; select.select([os.pidfd_open(play.player.watched.pid)], [], [], 20)"
    killed = f"student.work.answer(); os.kill(play.bench.loader.watched.pid, 9); {ended}"
    assert graded("", "", killed, "")[0] == ["passed", "passed", "crashed", "passed"]


def test_a_zygote_that_is_killed_is_our_error_and_is_not_waited_for_again(graded):
    with Zygote() as zygote:
        killed = f"student.work.answer(); os.kill({zygote.process.pid}, 9)"
        statuses, seconds = graded("", killed, "", "", zygote=zygote.wait())
    assert statuses[0] == "passed"
    assert statuses[1] in ("passed", "crashed", "grader_error")  # the player ends with the zygote, a moment later
    assert statuses[2:] == ["grader_error", "grader_error"]
    assert seconds < 40


@pytest.mark.parametrize("moment", [1, 3])
def test_a_judge_that_is_killed_leaves_what_it_graded(make_course, address, tmp_path, held_to_schemas, moment):
    (tmp_path / "work.py").write_text("def answer():\n    return 42\n")
    wait = f"student.work.answer(); open({str(tmp_path / 'here')!r}, 'w').close(); signal.pause()"
    course = make_course(
        tmp_path / "course", checks(*[wait if place == moment else "" for place in range(4)]), dict.fromkeys("1234", 1)
    )
    opened = Course(course)
    setting = Setting(opened.root, opened.assignment("odd"), Options("s"), address)
    run = Run([Job("ann", tmp_path / "work.py", tmp_path / "out")], setting, 1)
    killed, finished = False, None
    for each in run:
        if not killed and (tmp_path / "here").exists():
            (judge,) = run.judges
            os.kill(judge, signal.SIGKILL)
            killed = True
        finished = each or finished
    assert finished is not None and finished.grader_failed
    verdicts = held_to_schemas(finished)
    statuses = [verdicts[f"{number}.1"].status for number in range(1, 5)]
    assert statuses == [Status.PASSED] * moment + [Status.GRADER_ERROR] * (4 - moment)


def test_no_descriptors_left_costs_the_check_that_has_none(graded):
    none_left = (
        "import resource; play.bench.limits = resource.getrlimit(resource.RLIMIT_NOFILE); "
        "play.bench.loader.close(); resource.setrlimit(resource.RLIMIT_NOFILE, (3, play.bench.limits[1]))"
    )
    again = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, play.bench.limits)"
    statuses = graded("", none_left, again, "")[0]
    assert statuses == ["passed", "grader_error", "passed", "passed"]


def test_a_clock_that_jumps_changes_nothing(graded, monkeypatch):
    moments = iter(range(10**9, 0, -(10**5)))
    monkeypatch.setattr(time, "time", lambda: float(next(moments)))
    assert graded("", "", "", "")[0] == ["passed"] * 4


# ----------------------------------------------------------------------------------------------- what cannot be written


def full_disk(path: Path, text: str, *, durable: bool = True) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def test_a_disk_that_is_full_for_a_while_loses_nothing(graded, monkeypatch, tmp_path):
    writes, write = [], recorder.write_atomically

    def sometimes(path: Path, text: str, *, durable: bool) -> None:
        writes.append(path)
        full_disk(path, text) if len(writes) in (2, 3) else write(path, text)

    monkeypatch.setattr(recorder, "write_atomically", sometimes)
    assert graded("", "", "", "")[0] == ["passed"] * 4


def test_a_disk_that_stays_full_leaves_the_last_report_and_says_what_is_not_in_it(graded, monkeypatch):
    writes, write = [], recorder.write_atomically

    def at_first(path: Path, text: str, *, durable: bool) -> None:
        writes.append(path)
        full_disk(path, text) if len(writes) > 3 else write(path, text)

    monkeypatch.setattr(recorder, "write_atomically", at_first)
    monkeypatch.setattr(jobs, "write_atomically", full_disk)
    assert graded("", "", "", "")[0] == ["passed", "passed", "grader_error", "grader_error"]


@pytest.fixture
def command(address, monkeypatch, toy, tmp_path, capsys):
    """``grader grade`` of two submissions to the toy course's series, on the zygote of this session."""
    from contextlib import contextmanager

    @contextmanager
    def ready():
        yield lambda: address

    monkeypatch.setattr(cli_class, "grading", ready)

    def run(out: Path) -> tuple[int, str]:
        reference = str(toy / "reference" / "series")
        code = cli.main(["grade", reference, reference, "-a", "series", "-o", str(out), "--course", str(toy)])
        return code, capsys.readouterr().err

    return run


def test_results_that_cannot_be_written_are_our_error_and_the_class_goes_on(command, monkeypatch, tmp_path):
    write = cli_class._write

    def refuse_the_first(job: Job, report: object) -> None:
        full_disk(job.results, "") if job.name == "series" else write(job, report)

    monkeypatch.setattr(cli_class, "_write", refuse_the_first)
    code, errors = command(tmp_path / "out")
    assert code == 3
    assert "No space left on device" in errors and "Traceback" not in errors
    assert from_json((tmp_path / "out" / "series-2" / "report.json").read_text()).score == 5
    assert (tmp_path / "out" / "series-2" / "results.json").exists()


def test_a_folder_of_results_that_is_read_only_is_refused_at_once(command, monkeypatch, tmp_path):
    def refuse(self: Path, *_: object, **__: object) -> None:
        if "out" in self.parts:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))
        os.mkdir(self, 0o700)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Path, "mkdir", refuse)
    code, errors = command(tmp_path / "out")
    assert code == 2
    assert "Read-only file system" in errors and "Traceback" not in errors
    assert [path.name for path in tmp_path.iterdir()] == []
