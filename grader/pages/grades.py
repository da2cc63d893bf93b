"""A class as a table for spreadsheets: CSV (RFC 4180), one line a submission, one column a question."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

from grader.contract.report import Report
from grader.contract.text import natural_key, one_line
from grader.pages.views import question_of

# A cell that begins with one of these is run as a formula by the common spreadsheets.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "|", "%")


def grades_csv(rows: Sequence[tuple[str, Report | None]]) -> str:
    """The class as CSV text.

    Columns: name, score, max_score, complete (``yes``, or ``no`` where the grader itself failed in some check), then
    the points of each question under its number. A submission without a report has empty cells and is not complete.
    """
    questions = sorted(
        {question_of(verdict) for _, report in rows if report for verdict in report.verdicts}, key=natural_key
    )
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\r\n").writerow
    write(["name", "score", "max_score", "complete", *(_safe(f"question {number}") for number in questions)])
    for name, report in rows:
        write([_safe(name), *(_cells(report, questions) if report else ["", "", "no", *("" for _ in questions)])])
    return text.getvalue()


def _cells(report: Report, questions: Sequence[str]) -> list[str]:
    points: dict[str, list[float]] = {number: [] for number in questions}
    for verdict in report.verdicts:
        points[question_of(verdict)].append(verdict.points)
    sums = [_number(math.fsum(earned)) for earned in points.values()]
    return [_number(report.score), _number(report.max_score), "yes" if report.complete else "no", *sums]


def _number(value: float) -> str:
    return f"{round(value, 6):g}"


def _safe(text: str) -> str:
    """``text`` as a cell that no spreadsheet runs."""
    line = one_line(text, 300)
    return f"'{line}" if line.startswith(_FORMULA) else line
