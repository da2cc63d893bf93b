"""What people see of a ``results.json`` on the platform: the student before anything is published, and staff."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grader.gradescope.outputs import Shown, shown

_VISIBLE = "visible"
_LABELS = {
    "hidden": "never shown to the student",
    "after_due_date": "shown after the due date",
    "after_published": "shown once grades are published",
}


@dataclass(frozen=True)
class ShownTest:
    """One test as a person sees it; points are ``None`` where it has none. ``remark`` says who does not see it."""

    title: str
    score: float | None
    max_score: float | None
    passed: bool
    output: Shown
    remark: str
    tags: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """What one kind of person sees.

    Attributes:
        who: who sees it, in words.
        total: points of the whole; ``None`` where the platform shows none.
        most: points of all tests; ``None`` where they have no maximum.
        output: message on the whole submission.
        tests: in their order.
        leaderboard: name and value of each column.
        stdout: what was printed, where it is shown.
        seconds: execution time, if known.
    """

    who: str
    total: float | None
    most: float | None
    output: str
    tests: tuple[ShownTest, ...]
    leaderboard: tuple[tuple[str, str], ...]
    stdout: str
    seconds: float | None


def of_student(results: Mapping[str, Any], stdout: str) -> View:
    """What the student sees before the due date and before grades are published.

    As soon as any test is hidden from the student, the platform shows no total.
    """
    tests = _tests(results)
    seen = [test for test in tests if _visibility(test, results) == _VISIBLE]
    total = _total(results, tests) if len(seen) == len(tests) else None
    printed = stdout if results.get("stdout_visibility") == _VISIBLE else ""
    return _view("The student sees", results, seen, total, printed)


def of_staff(results: Mapping[str, Any], stdout: str) -> View:
    """What staff see: everything, at all times."""
    tests = _tests(results)
    return _view("Staff see", results, tests, _total(results, tests), stdout)


def _view(
    who: str, results: Mapping[str, Any], tests: list[Mapping[str, Any]], total: float | None, stdout: str
) -> View:
    maxima = [number for test in tests if (number := _number(test.get("max_score"))) is not None]
    board = [entry for entry in results.get("leaderboard") or () if isinstance(entry, dict)]
    return View(
        who=who,
        total=total,
        most=math.fsum(maxima) if maxima else None,
        output=str(results.get("output") or ""),
        tests=tuple(_shown(test, place, results) for place, test in enumerate(tests, start=1)),
        leaderboard=tuple((str(entry.get("name")), str(entry.get("value"))) for entry in board),
        stdout=stdout,
        seconds=_number(results.get("execution_time")),
    )


def _shown(test: Mapping[str, Any], place: int, results: Mapping[str, Any]) -> ShownTest:
    score, most = _number(test.get("score")), _number(test.get("max_score"))
    status = test.get("status")
    earned_all = score is not None and most is not None and score >= most
    return ShownTest(
        title=f"{test.get('number') or place}) {test.get('name') or 'Test'}",
        score=score,
        max_score=most,
        # A status decides over the points.
        passed=status == "passed" if status else earned_all,
        output=shown(str(test.get("output") or ""), str(test.get("output_format") or "text")),
        remark=_LABELS.get(_visibility(test, results), ""),
        tags=tuple(map(str, test.get("tags") or ())),
    )


def _tests(results: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [test for test in results.get("tests") or () if isinstance(test, dict)]


def _visibility(test: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    return str(test.get("visibility") or results.get("visibility") or _VISIBLE)


def _total(results: Mapping[str, Any], tests: list[Mapping[str, Any]]) -> float:
    """The score of the whole, which overrides the sum of the tests."""
    own = _number(results.get("score"))
    return own if own is not None else math.fsum(_number(test.get("score")) or 0.0 for test in tests)


def _number(value: object) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if usable and isinstance(value, int | float) else None
