"""What a judge is asked to do: everything about one grading, as plain data that crosses to xdist workers as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from grader.contract.assignment import Assignment
from grader.contract.course import Course
from grader.contract.report import SubmissionInfo

UNUSABLE = "unusable.txt"
DOING = "doing.txt"
"""Holds, below the private folder of a grading, what takes long just now, in a few words for the terminal."""


@dataclass(frozen=True)
class Order:
    """One grading.

    Attributes:
        course: folder of the course.
        assignment: name of the assignment.
        submission: what was handed in, for the report.
        sources: module -> (path, text) as it will be executed, dependencies first.
        missing: module -> why it is not there, in a sentence.
        roots: folders for imports, helpers of the course first.
        files: every file of the submission that was kept: source for the rules, and checkpoints.
        address: socket of the zygote.
        folder: private folder of this grading; holds ``scratch/`` and ``shared/``, which players see.
        seed: secret from which all draws are derived, as text.
        device: what was asked for: ``cpu``, ``cuda`` or ``auto``.
        data: path of the data set, or empty.
        visible_only: leave out checks that a student may not see.
        questions: numbers of the questions that are asked; empty for all of them.
        hints: whether known mistakes are looked for in what fails.
        record: where the reference's answers are to be recorded; ``None`` but for that.
        required: level of confinement below which nothing of the submission runs; empty for any.
        report: where the report is written.
        policy: differences from the usual confinement of players, for lesser machines.
    """

    course: Path
    assignment: str
    submission: SubmissionInfo
    sources: dict[str, tuple[str, str]]
    missing: dict[str, str]
    roots: tuple[str, ...]
    files: tuple[str, ...]
    address: Path
    folder: Path
    seed: str
    device: str = "cpu"
    data: str = ""
    visible_only: bool = False
    questions: tuple[str, ...] = ()
    hints: bool = True
    record: Path | None = None
    required: str = ""
    report: Path | None = None
    policy: dict[str, Any] = field(default_factory=dict)

    def open_assignment(self) -> Assignment:
        """The assignment, read again from its file."""
        return Course(self.course).assignment(self.assignment)

    @property
    def ledger_file(self) -> Path:
        """Where the first process that collects the checks writes the ledger."""
        return self.folder / "ledger.json"

    @property
    def provided(self) -> Path:
        """The course's helpers, copied to where players can read them: the course's own folders are closed to them."""
        return self.folder / "provided"

    @property
    def unusable_file(self) -> Path:
        """Where the judge writes why the assignment's checks cannot be used, if so: nothing is graded then."""
        return self.folder / UNUSABLE

    def to_json(self) -> str:
        """The order as JSON."""
        text: str = _adapter().dump_json(self).decode()
        return text

    @staticmethod
    def from_json(text: str) -> Order:
        """The order that :meth:`to_json` wrote."""
        return _adapter().validate_json(text)


def understudy_of(order: Order, assignment: Assignment) -> Order:
    """The order to judge the reference in the submission's place, on the same draws."""
    sources = {}
    for name, spec in assignment.content.modules.items():
        path = assignment.reference / spec.file
        sources[name] = (str(path), path.read_text(encoding="utf-8"))
    roots = tuple(root for root in order.roots if Path(root) == order.provided)
    return replace(order, sources=sources, missing={}, roots=roots, files=())


@cache
def _adapter() -> TypeAdapter[Order]:
    return TypeAdapter(Order)
