"""Renders a report as Gradescope's ``results.json``.

Source of the format: the specification in Gradescope's autograder documentation, and how its harness treats the file.
The platform takes what it is given: scores above the maximum, ``NaN``, texts of any length that it then cuts. So every
field is cleaned, clamped and capped here, whatever the report holds.

Gradescope knows two statuses. Only a check that passed is shown as passed; one that earned a part of its points is
shown as failed, next to the points that it earned, so that nobody overlooks what is left to do.
"""

from __future__ import annotations

import json
import math
from collections.abc import Container, Iterable, Iterator
from typing import Any

from grader.contract.report import Report
from grader.contract.text import natural_key, one_line, printable
from grader.contract.verdict import Status, Verdict
from grader.contract.wording import student_pictures, student_text
from grader.gradescope.outputs import html_of

MAX_LENGTH = 100_000
"""Longest text of any field, in characters and in bytes of UTF-8: the harness cuts what is longer."""

# No assignment is worth more. The bound keeps the sum of absurd maxima finite.
_MAX_POINTS = 1e6
_DECIMALS = 6
_VISIBLE = "visible"
_LATER = {
    "after_due_date": "after the due date",
    "after_published": "when the grades are published",
    "hidden": "to staff only",
}


def results(report: Report, *, staff_notes: bool = False) -> dict[str, Any]:
    """The content of ``results.json`` for ``report``.

    Args:
        report: what to render; its verdicts may hold anything, their numbers are clamped and their texts cleaned.
        staff_notes: add :func:`staff_text` as a hidden test. Gradescope shows students no total as soon as any test is
            hidden, so the usual way is to print that text instead: what is printed is shown to staff only.
    """
    numbered = _numbered(report.verdicts)
    tests = [_test(verdict, number) for number, verdict in numbered]
    total = _sum(test["score"] for test in tests)
    if staff_notes:
        tests.append(_staff_test(report, {test["number"] for test in tests}))
    return {
        "score": total,
        "execution_time": round(_finite(report.times.seconds, math.inf), 3),
        "output": _field("\n".join(_remarks(report, numbered))),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "stdout_visibility": "hidden",
        "tests": tests,
        "leaderboard": _leaderboard(numbered),
        "extra_data": {
            "grader_version": one_line(report.grader_version, 100),
            "assignment": one_line(report.assignment.name, 100),
            "assignment_digest": one_line(report.assignment.digest, 100),
            "submission_digest": one_line(report.submission.digest, 100),
            "score": total,
            "complete": report.complete,
        },
    }


def dumps(content: dict[str, Any]) -> str:
    """``content`` as the text of the file: JSON that any reader takes, with a line feed at the end.

    Raises:
        ValueError: if it holds a number that is not finite, which JSON cannot express.
    """
    return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def staff_text(report: Report) -> str:
    """What only staff may read: seed, environment, flags and evidence. At most ``MAX_LENGTH`` long."""
    environment = report.environment
    lines = [
        f"Seed: {environment.seed}",
        f"Environment: Python {environment.python}, torch {environment.torch}, device {environment.device}",
        *(f"Confinement, {measure}: {state}" for measure, state in sorted(environment.confinement.items())),
    ]
    for number, verdict in _numbered(report.verdicts):
        remarks = list(verdict.flags)
        if verdict.explanation is not None and verdict.explanation.evidence:
            remarks.append(verdict.explanation.evidence)
        lines += [f"{number} {verdict.check} ({verdict.status.value}): {remark}" for remark in remarks]
    return _field("\n".join(lines))


def _numbered(verdicts: Iterable[Verdict]) -> list[tuple[str, Verdict]]:
    """The verdicts in the natural order of their numbers, each with a number that no other has."""
    numbered: dict[str, Verdict] = {}
    for place, verdict in enumerate(sorted(verdicts, key=_order), start=1):
        numbered[_unused(one_line(verdict.number, 40) or f"#{place}", numbered)] = verdict
    return list(numbered.items())


def _order(verdict: Verdict) -> tuple[object, ...]:
    return natural_key(one_line(verdict.number, 40)), natural_key(verdict.check)


def _unused(number: str, taken: Container[str]) -> str:
    candidate, again = number, 1
    while candidate in taken:
        again += 1
        candidate = f"{number}-{again}"
    return candidate


def _test(verdict: Verdict, number: str) -> dict[str, Any]:
    max_score = _finite(verdict.max_points, _MAX_POINTS)
    tags = [one_line(tag, 100) for tag in verdict.tags]
    text = _field(student_text(verdict))
    with_pictures = html_of(text, pictures, MAX_LENGTH) if (pictures := student_pictures(verdict)) else ""
    return {
        "number": number,
        # The platform writes the number in front.
        "name": one_line(verdict.title, 400) or one_line(verdict.check, 400),
        "score": _finite(verdict.points, max_score),
        "max_score": max_score,
        "status": "passed" if verdict.status is Status.PASSED else "failed",
        "output": with_pictures or text,
        "output_format": "html" if with_pictures else "text",
        "visibility": _visibility(verdict),
        "tags": sorted({tag for tag in tags if tag}),
        "extra_data": {"check": one_line(verdict.check, 400), "edge": bool(verdict.edge)},
    }


def _staff_test(report: Report, taken: Container[str]) -> dict[str, Any]:
    return {
        "number": _unused("staff", taken),
        "name": "Notes for staff",
        "score": 0.0,
        "max_score": 0.0,
        "status": "passed",
        "output": staff_text(report),
        "output_format": "text",
        "visibility": "hidden",
        "tags": [],
    }


def _visibility(verdict: Verdict) -> str:
    """The verdict's word if Gradescope knows it. Any other means hidden: the mistake that can be taken back."""
    known = verdict.visibility == _VISIBLE or verdict.visibility in _LATER
    return verdict.visibility if known else "hidden"


def _remarks(report: Report, numbered: list[tuple[str, Verdict]]) -> Iterator[str]:
    """What the student reads about the whole submission. Nothing here tells how a hidden check ended."""
    submission = report.submission
    yield from submission.problems
    for label, names in (
        ("Graded files", submission.found),
        ("Taken under another name", submission.renamed),
        ("Missing files", submission.missing),
        ("Files that were not graded", submission.ignored),
    ):
        if names:
            yield f"{label}: {', '.join(one_line(name, 300) for name in names)}"
    if report.environment.data:
        yield f"Data: {one_line(report.environment.data, 300)}"
    yield from _own_failures(numbered)
    yield from _points_to_come(report.verdicts)


def _own_failures(numbered: list[tuple[str, Verdict]]) -> Iterator[str]:
    """Whatever went wrong on the grader's side, said plainly."""
    numbers = {status: [number for number, verdict in numbered if verdict.status is status] for status in Status}
    if failed := numbers[Status.GRADER_ERROR]:
        yield (
            f"The grader itself failed on {_checks(failed)}. This is not the fault of the submission, "
            "and the points shown are not final: the staff have to grade it again."
        )
    if skipped := numbers[Status.NOT_RUN]:
        yield f"The grader did not run {_checks(skipped)}. The points shown are not final."
    if clamped := [number for number, verdict in numbered if not _in_range(verdict)]:
        yield (
            f"The grader recorded impossible points for {_checks(clamped)}; they were limited to the allowed range. "
            "Please tell the staff."
        )


def _checks(numbers: list[str]) -> str:
    return f"{len(numbers)} {'check' if len(numbers) == 1 else 'checks'} ({', '.join(numbers)})"


def _points_to_come(verdicts: tuple[Verdict, ...]) -> Iterator[str]:
    for visibility, when in _LATER.items():
        points = _sum(
            _finite(verdict.max_points, _MAX_POINTS) for verdict in verdicts if _visibility(verdict) == visibility
        )
        if points:
            yield f"Checks worth {points:g} points are hidden; their outcome is shown {when}."


def _leaderboard(numbered: list[tuple[str, Verdict]]) -> list[dict[str, Any]]:
    """One column a name, the first in the order of the checks. A value that is not finite gives no entry."""
    columns: dict[str, dict[str, Any]] = {}
    for _, verdict in numbered:
        if verdict.leaderboard is None:
            continue
        name, value, order = verdict.leaderboard
        name, number = one_line(name, 100), _number(value)
        if name and math.isfinite(number):
            direction = {"order": order} if order in ("asc", "desc") else {}
            columns.setdefault(name, {"name": name, "value": number, **direction})
    return list(columns.values())


def _field(text: str) -> str:
    """``text``, cleaned, and short enough both in characters and in bytes."""
    shown = printable(text, MAX_LENGTH)
    # A character takes at most four bytes.
    return shown if len(shown.encode()) <= MAX_LENGTH else printable(shown, MAX_LENGTH // 4)


def _in_range(verdict: Verdict) -> bool:
    points, most = _number(verdict.points), _number(verdict.max_points)
    return 0 <= points <= most + 10**-_DECIMALS and most <= _MAX_POINTS


def _finite(value: float, most: float) -> float:
    """``value`` between 0 and ``most``, rounded; 0 if it is no finite number."""
    number = _number(value)
    return round(min(max(number, 0.0), most), _DECIMALS) if math.isfinite(number) else 0.0


def _number(value: Any) -> float:
    """``value`` as a float, not a number if it is none. An integer beyond every float counts as infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    except (TypeError, ValueError):
        return math.nan


def _sum(numbers: Iterable[float]) -> float:
    return round(math.fsum(numbers), _DECIMALS)
