"""A class as a table for spreadsheets: CSV (RFC 4180), one line a submission, one column a question."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence

from grader.contract.report import Report
from grader.contract.text import natural_key, one_line
from grader.pages.views import question_of

# A cell that begins with one of these is run as a formula by the common spreadsheets.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "|", "%")


People = Mapping[str, Mapping[str, str]]
"""Name of a submission -> name, sid, email and login of who handed it in, as far as they are known."""


def grades_csv(rows: Sequence[tuple[str, Report | None]], people: People | None = None) -> str:
    """The class as CSV text.

    Columns: submission, those of name, sid, email and login that are known of anybody, score, max_score, complete
    (``yes``, or ``no`` where the grader itself failed in some check), then the points of each question under its
    number. A submission without a report has empty cells and is not complete.
    """
    people = people or {}
    known = [part for part in ("name", "sid", "email", "login") if any(each.get(part) for each in people.values())]
    questions = sorted(
        {question_of(verdict) for _, report in rows if report for verdict in report.verdicts}, key=natural_key
    )
    lines = [
        ["submission", *known, "score", "max_score", "complete", *(f"question {number}" for number in questions)],
        *(
            [
                name,
                *(people.get(name, {}).get(part, "") for part in known),
                *(_cells(report, questions) if report else ["", "", "no", *("" for _ in questions)]),
            ]
            for name, report in rows
        ),
    ]
    return _written(lines)


def canvas_csv(rows: Sequence[tuple[str, Report | None]], people: People, title: str) -> str:
    """What Canvas' gradebook imports: one column for the assignment, found by Canvas' own number of the student."""
    most = max((report.max_score for _, report in rows if report), default=0.0)
    lines = [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", title],
        ["Points Possible", "", "", "", "", _number(most)],
    ]
    for name, report in rows:
        person = people.get(name, {})
        if report and report.complete:
            who = [person.get("name", "") or name, person.get("sid", ""), "", person.get("login", ""), ""]
            lines.append([*who, _number(report.score)])
    return _written(lines)


def moodle_csv(rows: Sequence[tuple[str, Report | None]], people: People) -> str:
    """What Moodle's grading worksheet imports."""
    lines = [["Identifier", "Full name", "Email address", "Grade", "Maximum grade"]]
    for name, report in rows:
        person = people.get(name, {})
        if report and report.complete:
            who = [f"Participant {person.get('sid', '')}", person.get("name", "") or name, person.get("email", "")]
            lines.append([*who, _number(report.score), _number(report.max_score)])
    return _written(lines)


def _written(lines: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([_safe(cell) for cell in line] for line in lines)
    return text.getvalue()


def points_by_question(report: Report) -> dict[str, float]:
    """Number of a question -> the points that its checks earned, in the order of the numbers."""
    points: dict[str, list[float]] = {}
    for verdict in report.verdicts:
        points.setdefault(question_of(verdict), []).append(verdict.points)
    return {number: round(math.fsum(points[number]), 6) for number in sorted(points, key=natural_key)}


def _cells(report: Report, questions: Sequence[str]) -> list[str]:
    points = points_by_question(report)
    sums = [_number(points.get(number, 0.0)) for number in questions]
    return [_number(report.score), _number(report.max_score), "yes" if report.complete else "no", *sums]


def _number(value: float) -> str:
    return f"{round(value, 6):g}"


def _safe(text: str) -> str:
    """``text`` as a cell that no spreadsheet runs."""
    line = one_line(text, 300)
    return f"'{line}" if line.startswith(_FORMULA) else line
