"""Grades many submissions: judges are forked from this trusted, preloaded process, some at a time."""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from grader.grading.grade import Setting, judge_in_this_process, plain_pytest
from grader.grading.job import Finished, Job, settle
from grader.judge.data import COMMON
from grader.judge.folders import remove
from grader.judge.order import DOING, UNUSABLE
from grader.player import kernel

Judge = Callable[[Job, Setting, Path], int]


class Run:
    """A run over ``jobs``, at most ``at_once`` of them at a time. Each is asked for when there is room for it.

    Each is done by ``judge`` in a process of its own, which ends with what that returns.
    """

    def __init__(
        self, jobs: Iterable[Job], setting: Setting, at_once: int, judge: Judge = judge_in_this_process
    ) -> None:
        self.judge = judge
        self.waiting = iter(jobs)
        self.setting = setting
        self.at_once = max(at_once, 1)
        self.judges: dict[int, tuple[Job, Path]] = {}  # process -> its job, and the private folder of its grading

    def __iter__(self) -> Generator[Finished | None, None, None]:
        """Each submission as it ends; ``None`` now and then, so that the caller can show that time passes."""
        with _private_folder() as folder, plain_pytest():
            # Players come through to the folders that are opened to them, and can list nothing on their way.
            os.chmod(folder, 0o711)  # noqa: S103 - players reach what lies below; they cannot list it
            Path(folder, COMMON).mkdir(mode=0o700)
            try:
                while self._fill(folder):
                    yield self._next()
            finally:
                self._end()

    @property
    def doing(self) -> str:
        """What takes long just now in one of the gradings, in a few words; empty where nothing does."""
        told = ((job.name, _text(folder / DOING)) for job, folder in self.judges.values())
        return next((f"{name}: {text}" for name, text in told if text), "")

    def _fill(self, folder: str) -> bool:
        """Starts as many judges as there is room for; whether there is any at work."""
        for job in islice(self.waiting, self.at_once - len(self.judges)):
            self._start(job, Path(tempfile.mkdtemp(dir=folder)))
        return bool(self.judges)

    def _start(self, job: Job, folder: Path) -> None:
        folder.chmod(0o711)
        job.begin()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _judge(job, self.setting, folder, self.judge)
        self.judges[pid] = job, folder

    def _next(self) -> Finished | None:
        for pid in list(self.judges):
            if os.waitpid(pid, os.WNOHANG)[0]:
                job, folder = self.judges.pop(pid)
                log = _text(_log(folder))
                finished = Finished(job, settle(job, log), log, _text(folder / UNUSABLE))
                remove(folder)
                return finished
        _wait_a_moment()
        return None

    def _end(self) -> None:
        for pid in self.judges:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        for pid in self.judges:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


@contextmanager
def _private_folder() -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="grading-")
    try:
        yield folder
    finally:
        remove(Path(folder))


def _wait_a_moment() -> None:
    # No signal wakes a process that leaves SIGCHLD at its default, and a changed one would be handed on to the judges.
    time.sleep(0.02)


def _log(folder: Path) -> Path:
    """What a judge says, beside its folder."""
    return folder.with_suffix(".log")


def _text(file: Path) -> str:
    return file.read_text(errors="replace") if file.exists() else ""


def _judge(job: Job, setting: Setting, folder: Path, judge: Judge) -> None:
    """Becomes a judge. Never returns."""
    code = 70
    try:
        # An interruption is for the parent, which ends its judges, and takes them along when it is killed itself.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with suppress(kernel.Unavailable, OSError):
            kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        # What the parent holds is no garbage of ours: it need not be looked through, nor its pages be copied.
        gc.freeze()
        descriptor = os.open(_log(folder), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        # The parent may have put something else in the place of its own standard output.
        sys.stdout = os.fdopen(os.dup(1), "w", buffering=1, errors="backslashreplace")
        sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
        code = judge(job, setting, folder)
    except BaseException:  # noqa: BLE001 - the process boundary: the parent reads the log
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
