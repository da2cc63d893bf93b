"""Grades many submissions: judges are forked from this trusted, preloaded process, some at a time."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from grader.contract.report import Report
from grader.grading.grade import Job, Setting, judge_in_this_process, plain_pytest, settle


@dataclass(frozen=True)
class Finished:
    """A submission whose judge has ended.

    Attributes:
        job: the submission.
        report: its report; ``None`` when the judge failed before it knew the checks.
        log: what the judge said, for staff.
    """

    job: Job
    report: Report | None
    log: str

    @property
    def grader_failed(self) -> bool:
        """Whether a check failed through our own fault, or was not made."""
        return self.report is None or not self.report.complete


class Run:
    """A run over ``jobs``, at most ``at_once`` of them at a time."""

    def __init__(self, jobs: Sequence[Job], setting: Setting, at_once: int) -> None:
        self.waiting = list(reversed(jobs))
        self.setting = setting
        self.at_once = max(at_once, 1)
        self.judges: dict[int, tuple[Job, Path]] = {}

    def __iter__(self) -> Iterator[Finished | None]:
        """Each submission as it ends; ``None`` now and then, so that the caller can show that time passes."""
        with tempfile.TemporaryDirectory(prefix="logs-") as logs, plain_pytest():
            try:
                while self.waiting or self.judges:
                    while self.waiting and len(self.judges) < self.at_once:
                        self._start(self.waiting.pop(), Path(logs))
                    yield self._next()
            finally:
                self._end()

    def _start(self, job: Job, logs: Path) -> None:
        job.out.mkdir(parents=True, exist_ok=True)
        job.report.unlink(missing_ok=True)
        log = logs / f"{len(self.waiting)}.log"
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _judge(job, self.setting, log)
        self.judges[pid] = job, log

    def _next(self) -> Finished | None:
        for pid in list(self.judges):
            if os.waitpid(pid, os.WNOHANG)[0]:
                job, log = self.judges.pop(pid)
                text = log.read_text(errors="replace") if log.exists() else ""
                return Finished(job, settle(job, text), text)
        _wait_a_moment()
        return None

    def _end(self) -> None:
        for pid in self.judges:
            with suppress(ProcessLookupError):
                os.kill(pid, 15)
        for pid in self.judges:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _wait_a_moment() -> None:
    """Sleeps until a child ends, but not for long."""
    import signal

    if hasattr(signal, "sigtimedwait"):
        signal.sigtimedwait([signal.SIGCHLD], 0.05)


def _judge(job: Job, setting: Setting, log: Path) -> None:
    """Becomes a judge. Never returns."""
    code = 70
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        code = judge_in_this_process(job, setting)
    except BaseException:  # noqa: BLE001 - the process boundary: the parent reads the log
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
