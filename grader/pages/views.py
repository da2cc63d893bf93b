"""What a page shows of a report, prepared: texts cleaned and capped, points summed, checks grouped by question.

A student's view holds what the student may read and nothing else: hidden checks are left out, and fields for staff are
empty.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from grader.contract.picture import Picture
from grader.contract.report import Report
from grader.contract.text import natural_key, one_line, printable
from grader.contract.verdict import Status, Verdict
from grader.contract.wording import WORDS, Telling, student_pictures, student_text

TEXT_CAP = 20_000
"""Most characters of one check's text on a page."""

_VISIBLE = "visible"
_TONES = {Status.PASSED: "good", Status.PARTIAL: "partly", Status.GRADER_ERROR: "ours", Status.NOT_RUN: "ours"}


@dataclass(frozen=True)
class CheckView:
    """One check. ``tone`` is good, partly, bad or ours; ``staff`` is what only staff may read."""

    number: str
    title: str
    word: str
    tone: str
    points: float
    max_points: float
    edge: bool
    text: str
    notes: bool
    pictures: tuple[Picture, ...]
    staff: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Whether its text is shown without a click."""
        return self.tone != "good" or self.notes or bool(self.pictures)


@dataclass(frozen=True)
class QuestionView:
    """The checks of one question, and the points of those that are shown."""

    number: str
    checks: tuple[CheckView, ...]

    @property
    def points(self) -> float:
        """Points earned."""
        return _sum(check.points for check in self.checks)

    @property
    def max_points(self) -> float:
        """Points that can be earned."""
        return _sum(check.max_points for check in self.checks)


@dataclass(frozen=True)
class SubmissionView:
    """One submission. ``hidden_points`` are those of checks that this view leaves out."""

    name: str
    assignment: str
    points: float
    max_points: float
    hidden_points: float
    complete: bool
    remarks: tuple[tuple[str, str], ...]
    questions: tuple[QuestionView, ...]
    facts: tuple[tuple[str, str], ...]
    staff: bool


def submission_view(report: Report, *, staff: bool = False, telling: Telling = Telling.FULL) -> SubmissionView:
    """What a page shows of ``report``: to its author, who sees no hidden check, or to staff, who see all.

    ``telling`` says how much is told of checks that did not pass.
    """
    shown = [verdict for verdict in report.verdicts if staff or verdict.visibility == _VISIBLE]
    return SubmissionView(
        name=one_line(report.submission.name, 200),
        assignment=one_line(report.assignment.title, 200),
        points=_sum(verdict.points for verdict in shown),
        max_points=_sum(verdict.max_points for verdict in shown),
        hidden_points=_sum(verdict.max_points for verdict in report.verdicts if verdict not in shown),
        complete=not any(verdict.status in (Status.GRADER_ERROR, Status.NOT_RUN) for verdict in shown),
        remarks=tuple(_remarks(report)),
        questions=tuple(_questions(shown, staff, telling)),
        facts=tuple(_facts(report, staff)),
        staff=staff,
    )


def question_of(verdict: Verdict) -> str:
    """The number of the question that a check belongs to: ``"2"`` for the check ``"2.3"``."""
    return one_line(verdict.number, 40).partition(".")[0]


def in_order(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The verdicts as people number them."""
    return sorted(verdicts, key=lambda verdict: (natural_key(verdict.number), verdict.check))


def _questions(verdicts: Iterable[Verdict], staff: bool, telling: Telling) -> Iterator[QuestionView]:
    for number, checks in groupby(in_order(verdicts), key=question_of):
        yield QuestionView(number, tuple(_check(verdict, staff, telling) for verdict in checks))


def _check(verdict: Verdict, staff: bool, telling: Telling) -> CheckView:
    return CheckView(
        number=one_line(verdict.number, 40),
        title=one_line(verdict.title, 400),
        word=WORDS[verdict.status],
        tone=_TONES.get(verdict.status, "bad"),
        points=verdict.points,
        max_points=verdict.max_points,
        edge=bool(verdict.edge),
        text=printable(student_text(verdict, telling), TEXT_CAP),
        notes=bool(verdict.notes),
        pictures=verdict.pictures if staff else student_pictures(verdict, telling),
        staff=tuple(_for_staff(verdict)) if staff else (),
    )


def _for_staff(verdict: Verdict) -> Iterator[str]:
    if verdict.visibility != _VISIBLE:
        yield f"shown to students: {one_line(verdict.visibility, 40)}"
    explanation = verdict.explanation
    if verdict.fixed_text and explanation is not None:
        parts = (explanation.message, explanation.expected, explanation.got, explanation.difference)
        yield printable("\n".join(part for part in parts if part), TEXT_CAP)
    yield from (printable(flag, TEXT_CAP) for flag in verdict.flags)
    if explanation is not None and explanation.evidence:
        yield printable(explanation.evidence, TEXT_CAP)


def _remarks(report: Report) -> Iterator[tuple[str, str]]:
    submission = report.submission
    for label, names in (
        ("Problems", submission.problems),
        ("Graded", submission.found),
        ("Taken under another name", submission.renamed),
        ("Missing", submission.missing),
        ("Not graded", submission.ignored),
    ):
        if names:
            yield label, printable("\n".join(one_line(name, 1000) for name in names), TEXT_CAP)


def _facts(report: Report, staff: bool) -> Iterator[tuple[str, str]]:
    environment = report.environment
    yield "Started", report.times.started
    yield "Took", f"{report.times.seconds:.1f} s"
    yield "Python, torch, device", f"{environment.python}, {environment.torch}, {environment.device}"
    if environment.data:
        yield "Data", one_line(environment.data, 300)
    if staff:
        yield "Seed", one_line(environment.seed, 100)
        yield "Submission, SHA-256", one_line(report.submission.digest, 100)
        yield "Assignment, SHA-256", one_line(report.assignment.digest, 100)
        for measure, state in sorted(environment.confinement.items()):
            yield f"Confinement: {one_line(measure, 100)}", one_line(state, 300)


def _sum(numbers: Iterable[float]) -> float:
    return round(math.fsum(numbers), 6)
