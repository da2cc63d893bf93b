"""The outcome of one check, and the two families of errors.

A *problem of the submission* is an exception of the family :class:`SubmissionProblem`; it carries the status that the
check ends with and an :class:`Explanation` for its author. Whatever else escapes from a check is a bug of ours and
becomes :attr:`Status.GRADER_ERROR`: it never takes a point silently.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Status(str, Enum):
    """How a check ended. Exactly one of these for every check of the ledger."""

    PASSED = "passed"
    PARTIAL = "partial"
    FAILED = "failed"
    RULE_BROKEN = "rule_broken"
    STUDENT_ERROR = "student_error"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"
    BAD_ANSWER = "bad_answer"
    MISSING = "missing"
    BLOCKED = "blocked"
    GRADER_ERROR = "grader_error"
    NOT_RUN = "not_run"


@dataclass(frozen=True)
class Explanation:
    """Why a check ended as it did, in full sentences.

    Attributes:
        message: one or two sentences: what is wrong and what to do.
        expected: what the check needed, in words or numbers; empty when the message says it all.
        got: what the submission gave.
        difference: the first or the worst difference, with its index.
        hint: advice, where a known mistake fits.
        evidence: for staff only; never shown to students.
    """

    message: str
    expected: str = ""
    got: str = ""
    difference: str = ""
    hint: str = ""
    evidence: str = ""


NOT_MADE = Explanation("This check was not made.")
"""Why a check has no outcome yet; where a judge ends early, it is what is left."""

SEED_FLAG = "seed of the draws: "
"""Every verdict has a flag that begins so: with the seed, staff can repeat the check."""


class SubmissionProblem(Exception):
    """A problem of the submission. ``status`` is what the check ends with, ``explanation`` what its author reads.

    ``share`` is the part of the points that is given all the same, from 0 to 1.
    """

    status: Status = Status.FAILED
    share: float = 0.0

    def __init__(self, explanation: Explanation | str) -> None:
        self.explanation = Explanation(explanation) if isinstance(explanation, str) else explanation
        super().__init__(self.explanation.message)


class CheckFailed(SubmissionProblem):
    """The submission ran, and its answer is wrong."""


class PartlyMet(CheckFailed):
    """The answer is right in part, and earns ``share`` of the points, between 0 and 1."""

    status = Status.PARTIAL

    def __init__(self, explanation: Explanation | str, share: float) -> None:
        super().__init__(explanation)
        self.share = share


class RuleBroken(SubmissionProblem):
    """The answer may be right, but it was not reached in an allowed way."""

    status = Status.RULE_BROKEN


class StudentError(SubmissionProblem):
    """The submission's code raised an exception; ``error_types`` names its class and the classes above it."""

    status = Status.STUDENT_ERROR
    error_types: tuple[str, ...] = ()


class PlayerTimeout(SubmissionProblem):
    """The submission's code did not finish within the time limit."""

    status = Status.TIMEOUT


class PlayerOutOfMemory(SubmissionProblem):
    """The submission's code asked for more memory than the limit."""

    status = Status.OUT_OF_MEMORY


class PlayerCrashed(SubmissionProblem):
    """The player ended without an answer: an exit, a signal, a segmentation fault."""

    status = Status.CRASHED


class BadAnswer(SubmissionProblem):
    """An answer came, but it is no well-formed frame of plain data within the caps."""

    status = Status.BAD_ANSWER


class Missing(SubmissionProblem):
    """A module, class or function is absent or still a stub."""

    status = Status.MISSING


class Blocked(SubmissionProblem):
    """The check could not be made because something that it depends on failed."""

    status = Status.BLOCKED


@dataclass(frozen=True)
class Figure:
    """Something to look at beside a verdict; no point depends on it.

    Attributes:
        title: what it shows.
        curve: numbers by step, all finite; empty for a picture.
        picture: a PNG in base64; empty for a curve.
    """

    title: str
    curve: tuple[float, ...] = ()
    picture: str = ""


@dataclass(frozen=True)
class Verdict:
    """The frozen outcome of one check.

    Attributes:
        check: name of the check, unique in its assignment (``test_a2.py::test_softmax``).
        number: its number in the assignment, such as ``"2.3"``.
        title: the first paragraph of the check's docstring: what the student reads.
        status: how it ended.
        points: points earned, between 0 and ``max_points``.
        max_points: points that the check is worth.
        edge: why the check matters, where it is an edge check; empty for core checks.
        visibility: Gradescope's word: visible, hidden, after_due_date or after_published.
        explanation: why; ``None`` when the check simply passed.
        notes: remarks for the student that cost nothing.
        flags: remarks for staff only.
        output: what the submission printed during the check, cut to a cap.
        fixed_text: the text to show instead of the explanation when the check hides its errors.
        tags: the check's tags.
        leaderboard: value for a leaderboard column, as ``(name, value, order)``.
        figures: curves and pictures for those who read the report.
    """

    check: str
    number: str
    title: str
    status: Status
    points: float
    max_points: float
    edge: str = ""
    visibility: str = "visible"
    explanation: Explanation | None = None
    notes: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    output: str = ""
    fixed_text: str = ""
    tags: tuple[str, ...] = ()
    leaderboard: tuple[str, float, str] | None = None
    figures: tuple[Figure, ...] = ()
