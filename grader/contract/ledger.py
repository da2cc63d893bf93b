"""The ledger: all checks of an assignment with their points, fixed at collection.

Whatever happens later, every entry of the ledger ends as exactly one verdict.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from grader.contract.assignment import MOST_EDGE, Assignment, AssignmentError, Question
from grader.contract.text import natural_key
from grader.contract.verdict import Explanation, Status, Verdict

VISIBILITIES = ("visible", "hidden", "after_due_date", "after_published")


@dataclass(frozen=True)
class Entry:
    """One check of the ledger: what its decorators and its docstring say.

    Attributes:
        check: unique name, ``file.py::function``.
        number: number within the assignment, ``"2.3"``.
        title: first paragraph of the docstring.
        points: what it is worth.
        edge: why it matters, for an edge check.
        visibility: Gradescope's word.
        tags: its tags.
        fixed_text: what a student reads instead of the explanation, where the check hides its errors.
        leaderboard: name and order of its column, if it has one.
    """

    check: str
    number: str
    title: str
    points: float
    edge: str = ""
    visibility: str = "visible"
    tags: tuple[str, ...] = ()
    fixed_text: str = ""
    leaderboard: tuple[str, str] | None = None

    def verdict(self, status: Status, explanation: Explanation | None = None, *, share: float = 0.0) -> Verdict:
        """A verdict on this check that earns ``share`` (0 to 1) of its points."""
        share = min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.0
        return Verdict(
            check=self.check,
            number=self.number,
            title=self.title,
            status=status,
            points=round(self.points * share, 6),
            max_points=self.points,
            edge=self.edge,
            visibility=self.visibility,
            explanation=explanation,
            fixed_text=self.fixed_text,
            tags=self.tags,
        )


@dataclass(frozen=True)
class Ledger:
    """The entries of one grading, in the order of their numbers."""

    entries: tuple[Entry, ...]

    @staticmethod
    def of(entries: list[Entry]) -> Ledger:
        """A ledger of ``entries``, sorted by number."""
        return Ledger(tuple(sorted(entries, key=lambda entry: (natural_key(entry.number), entry.check))))

    def to_json(self) -> str:
        """The ledger as JSON."""
        return json.dumps([asdict(entry) for entry in self.entries])

    @staticmethod
    def from_json(text: str) -> Ledger:
        """The ledger that :meth:`to_json` wrote."""
        return Ledger(tuple(_entry(fields) for fields in json.loads(text)))

    def problems(self, assignment: Assignment, data: frozenset[str]) -> list[str]:
        """What does not fit between these checks and ``assignment.toml``, in sentences; ``data``: the sets at hand."""
        return [*self._of_entries(assignment), *self._of_questions(assignment, data)]

    def _of_entries(self, assignment: Assignment) -> Iterator[str]:
        numbers: dict[str, str] = {}
        for check, count in Counter(entry.check for entry in self.entries).items():
            if count > 1:
                yield f"{check}: {count} checks have this name; give files of checks names of their own."
        for entry in self.entries:
            if assignment.question_of(entry.number) is None:
                yield f"{entry.check}: number {entry.number!r} belongs to no question of assignment.toml; correct it."
            if entry.number in numbers:
                yield f"{entry.check}: number {entry.number} is taken by {numbers[entry.number]}; numbers are unique."
            if not (math.isfinite(entry.points) and entry.points >= 0):
                yield f"{entry.check}: {entry.points} points; a finite number from 0 was expected."
            if not entry.title:
                yield f"{entry.check}: it has no docstring; students read its first paragraph."
            if entry.visibility not in VISIBILITIES:
                yield f"{entry.check}: visibility {entry.visibility!r}; write one of {', '.join(VISIBILITIES)}."
            numbers[entry.number] = entry.check

    def _of_questions(self, assignment: Assignment, data: frozenset[str]) -> Iterator[str]:
        for question in assignment.content.questions:
            if not question.asked_with(data):
                continue
            mine = [entry for entry in self.entries if assignment.question_of(entry.number) is question]
            points = math.fsum(entry.points for entry in mine)
            edge = math.fsum(entry.points for entry in mine if entry.edge)
            if not math.isclose(points, question.points):
                yield (
                    f"question {question.number}: its checks are worth {points:g} points together; "
                    f"assignment.toml says {question.points:g}."
                )
            if edge > question.points * MOST_EDGE + 1e-9:
                yield (
                    f"question {question.number}: {edge:g} of {question.points:g} points are edge; "
                    "at most a quarter may be."
                )
            for number in sorted(question.edge.keys() - {entry.number for entry in mine}):
                yield f"question {question.number}: edge names check {number}, which does not exist."
            for name, goals in question.goals.items():
                for number in sorted(goals.keys() - {entry.number for entry in mine}):
                    yield f"question {question.number}: goals.{name} names check {number}, which does not exist."


def missing_entry(question: Question, points: float) -> Entry:
    """Stands for the checks of a question, worth ``points`` together, whose file could not be collected."""
    return Entry(f"question {question.number}", question.number, question.function, points)


def _entry(fields: dict[str, object]) -> Entry:
    leaderboard = fields.pop("leaderboard")
    tags = fields.pop("tags")
    assert isinstance(tags, list)
    column = (str(leaderboard[0]), str(leaderboard[1])) if isinstance(leaderboard, list) else None
    return Entry(**fields, tags=tuple(tags), leaderboard=column)  # type: ignore[arg-type]


__all__ = ["AssignmentError", "Entry", "Ledger", "missing_entry"]
