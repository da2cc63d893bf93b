"""The journal of a class: one line for each graded submission, so that nothing is lost and nothing is graded twice.

A line is written, and forced to the disk, once the report and what is made of it are in their folder. A run that was
killed continues behind the last whole line; a run over an unchanged class finds every line and grades nothing. At its
end, a run writes the journal anew, in the order of the class: the same class with the same seed gives the same journal,
in however many pieces it was graded.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from grader.contract.assignment import Assignment
from grader.contract.report import Report, ReportError, comparable, from_json, write_atomically
from grader.exits import UsageError

JOURNAL = "journal.jsonl"
_LOCK = ".journal.lock"
_GRADER = Path(__file__).resolve().parent.parent


class JournalError(UsageError):
    """An output folder cannot be used; the message says why, and what to do."""


@dataclass(frozen=True)
class Line:
    """What the journal says of one submission.

    Attributes:
        name: its name, unique in the class.
        key: SHA-256 of the upload and of all that decides its verdicts.
        score: points earned.
        max_score: points that could be earned.
        complete: whether every check was made, and none failed through the grader's own fault.
        report: SHA-256 of its report without times.
    """

    name: str
    key: str
    score: float
    max_score: float
    complete: bool
    report: str


def line_of(name: str, key: str, report: Report) -> Line:
    """The line of a submission whose report is final."""
    digest = hashlib.sha256(comparable(report).encode()).hexdigest()
    return Line(name, key, report.score, report.max_score, report.complete, digest)


class Journal:
    """The journal in the folder ``out``. Open it with :func:`opened`, which keeps other runs out."""

    def __init__(self, out: Path) -> None:
        self.path = out / JOURNAL
        self.lines = _read(self.path)

    def key(self, name: str) -> str | None:
        """The key under which a submission was graded last."""
        return self.lines[name].key if name in self.lines else None

    def report(self, name: str, key: str, file: Path) -> Report | None:
        """The report of a submission that need not be graded again, or ``None``.

        It need not if its line has the same key, nothing failed in it that the grader has to answer for, and ``file``
        still holds its report.
        """
        line = self.lines.get(name)
        if line is None or line.key != key or not line.complete:
            return None
        try:
            report = from_json(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, ReportError):
            return None
        return report if (report.score, report.max_score) == (line.score, line.max_score) else None

    def add(self, line: Line) -> None:
        """Appends a line, and returns once it is on the disk."""
        self.lines[line.name] = line
        with self.path.open("a+b") as file:
            file.write(_line_end_that_lacks(file) + _dumped(line).encode())
            file.flush()
            os.fsync(file.fileno())

    def put_in_order(self, names: Sequence[str]) -> None:
        """Writes one line for each of ``names`` that was graded, in this order, before those of other submissions."""
        places = {name: place for place, name in enumerate(names)}
        lines = sorted(self.lines.values(), key=lambda line: (places.get(line.name, len(places)), line.name))
        text = "".join(map(_dumped, lines))
        if not self.path.exists() or self.path.read_text(encoding="utf-8", errors="replace") != text:
            write_atomically(self.path, text)


@contextmanager
def opened(out: Path) -> Iterator[Journal]:
    """The journal of the folder ``out``, which is made; no other run can use the folder meanwhile.

    Raises:
        JournalError: if another run is using the folder.
        OSError: if the folder cannot be written to.
    """
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise JournalError(
            f"Another run is writing its reports into {out}; wait for its end, or name another folder with -o."
        ) from None
    try:
        yield Journal(out)
    finally:
        lock.release()


def key_of(upload: Path, circumstances: str) -> str:
    """SHA-256 of an upload, names and bytes, together with the circumstances of its grading."""
    total = hashlib.sha256(circumstances.encode())
    for path in [upload, *sorted(upload.rglob("*"))] if upload.is_dir() else [upload]:
        name = os.fsencode(path.relative_to(upload.parent))
        total.update(len(name).to_bytes(8, "big") + name + _content(path))
    return total.hexdigest()


def circumstances(assignment: Assignment, *options: str) -> str:
    """What decides a verdict beside the upload: the assignment, this grader's own code, and what was chosen."""
    versions = platform.python_version(), version("torch"), version("numpy")
    return json.dumps([assignment.digest, _grader(), *versions, *options])


def _content(path: Path) -> bytes:
    kind = path.lstat().st_mode
    if stat.S_ISLNK(kind):
        return b"link to " + os.fsencode(os.readlink(path))
    if not stat.S_ISREG(kind):
        return b"no file"  # folders, and what can never be read
    return hashlib.sha256(path.read_bytes()).digest()


@cache
def _grader() -> str:
    total = hashlib.sha256()
    for path in sorted(_GRADER.rglob("*.py")):
        total.update(str(path.relative_to(_GRADER)).encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _read(path: Path) -> dict[str, Line]:
    """The lines of a journal by name; the last of each counts. A line that was not written to its end is left out."""
    lines: dict[str, Line] = {}
    for text in path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else ():
        try:
            line = Line(**json.loads(text))
        except (ValueError, TypeError):
            continue
        lines[line.name] = line
    return lines


def _line_end_that_lacks(file: BinaryIO) -> bytes:
    """A line feed, where the last line of an open file was not written to its end."""
    if file.seek(0, os.SEEK_END) == 0:
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"


def _dumped(line: Line) -> str:
    # Escaped, a name that is no UTF-8 comes back as it was.
    return json.dumps(asdict(line)) + "\n"
