"""Submitted checkpoints: found by name in the judge, read in a player, and never unpickled here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from grader.contract.text import one_line
from grader.contract.verdict import StudentError
from grader.judge.data import Data
from grader.judge.student import Student

SUFFIXES = (".pt", ".pth", ".safetensors")


def checkpoints_among(files: Sequence[str]) -> list[str]:
    """Those of ``files`` that are checkpoints by their names."""
    return [file for file in files if PurePath(file).suffix.lower() in SUFFIXES]


@dataclass(frozen=True)
class Checkpoints:
    """The fixture ``checkpoint``: what was handed in beside the code.

    A check evaluates a checkpoint where there is one that can be read, and otherwise trains. When it runs again with
    right functions in the place of those that the question relies on, it trains: that is what they are lent for.

    Attributes:
        student: the submission.
        files: its files.
        data: the data sets at hand.
        ignored: whether nothing is looked for.
        note: takes a remark for the student.
        flag: takes a remark for staff.
    """

    student: Student
    files: Sequence[str]
    data: Data
    ignored: bool
    note: Callable[[str], None]
    flag: Callable[[str], None]

    def __call__(self, name: str, trained_on: str = "cifar10") -> Any:
        """The content of the checkpoint ``name``, with whichever of the usual endings: containers, numbers, tensors.

        ``None`` where none was handed in, where it cannot be read, which is told to the student and to staff, or where
        the data set at hand is another than it was ``trained_on``.
        """
        path = None if self.ignored else self._find(name)
        if path is None:
            return None
        if self.data.images().name != trained_on:
            self.note(f"{path.name} was left out: it belongs to {trained_on}, and another data set is graded with.")
            return None
        try:
            content = self.student.checkpoint(str(path))
        except StudentError as problem:
            self._refuse(path.name, problem)
            return None
        self.note(f"{path.name} was evaluated.")
        return content

    def _find(self, name: str) -> Path | None:
        stem = PurePath(name).stem.lower()
        found = [Path(file) for file in checkpoints_among(self.files) if PurePath(file).stem.lower() == stem]
        if len(found) > 1:
            self.note(f"{len(found)} files are called {stem}; the one nearest to the top is taken.")
        return min(found, key=lambda path: (len(path.parts), str(path)), default=None)

    def _refuse(self, name: str, problem: StudentError) -> None:
        self.note(
            f"{name} cannot be read as plain data, so your own training is graded instead. Save tensors in plain "
            "dictionaries with torch.save or safetensors."
        )
        reason = one_line(problem.explanation.message, 300)
        holds_code = "UnpicklingError" in problem.error_types
        told = "names code or classes of its own, none of which was run" if holds_code else "cannot be read"
        self.flag(f"the checkpoint {name} {told}: {reason}")
