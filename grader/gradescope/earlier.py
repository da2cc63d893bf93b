"""What one submission hands on to the next through ``extra_data``, and an earlier ``results.json`` shown once more.

Both come back through the platform, and the run that wrote them graded a submission that may have tampered with it:
every value is taken for what it is, or left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from grader.contract.text import natural_key, one_line, printable
from grader.gradescope.metadata import date_of
from grader.gradescope.outputs import shown
from grader.gradescope.results import MAX_LENGTH

_KEY = "scratchgrade"
_MOST_TIMES = 500
_MOST_TESTS = 1000
_MOST_POINTS = 1e6
_HUGE = 1e300
_VISIBILITIES = ("visible", "hidden", "after_due_date", "after_published")


@dataclass(frozen=True)
class Carried:
    """What is handed on.

    Attributes:
        best: the best score so far; ``None`` before the first.
        uncounted: when submissions were handed in that count for no limit: they were refused, or the grader failed.
    """

    best: float | None = None
    uncounted: tuple[datetime, ...] = ()

    def without(self, moment: datetime | None) -> Carried:
        """The same, with the submission of ``moment`` counting for no limit."""
        if moment is None or self.leaves_out(moment):
            return self
        return replace(self, uncounted=(*self.uncounted, moment)[-_MOST_TIMES:])

    def leaves_out(self, moment: datetime | None) -> bool:
        """Whether the submission of ``moment`` counts for no limit. The platform may round the times it tells."""
        return moment is not None and any(abs((moment - each).total_seconds()) < 1 for each in self.uncounted)

    def to_json(self) -> dict[str, Any]:
        """Its entry in ``extra_data``."""
        plain: dict[str, Any] = {"uncounted": [moment.isoformat() for moment in self.uncounted]}
        if self.best is not None:
            plain["best"] = self.best
        return {_KEY: plain}

    @staticmethod
    def of(results: Mapping[str, Any] | None) -> Carried:
        """What an earlier ``results.json`` hands on; nothing where it holds nothing of the kind."""
        entry = _table(_table(results).get("extra_data")).get(_KEY)
        found = _table(entry)
        times = found.get("uncounted")
        moments = [date_of(text) for text in times[-_MOST_TIMES:]] if isinstance(times, list) else []
        return Carried(_points(found.get("best")), tuple(moment for moment in moments if moment is not None))


def cleaned(results: Mapping[str, Any] | None) -> dict[str, Any]:
    """An earlier ``results.json`` as one that can be written again: known keys, finite numbers, capped texts."""
    table = _table(results)
    tests = table.get("tests")
    listed = tests[:_MOST_TESTS] if isinstance(tests, list) else []
    found = [_test(each, place) for place, each in enumerate(listed, start=1) if isinstance(each, dict)]
    found.sort(key=lambda test: natural_key(test["number"]))
    return {
        "score": _points(table.get("score")) or 0.0,
        "output": _text(table.get("output")),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "stdout_visibility": "hidden",
        "tests": found,
        "leaderboard": list(_columns(table.get("leaderboard"))),
    }


def _columns(value: object) -> Iterator[dict[str, Any]]:
    for entry in value[:100] if isinstance(value, list) else []:
        column = _table(entry)
        name, number = one_line(_text(column.get("name")), 100), _number(column.get("value"))
        if name and number is not None:
            order = {"order": column["order"]} if column.get("order") in ("asc", "desc") else {}
            yield {"name": name, "value": number, **order}


def _test(table: Mapping[str, Any], place: int) -> dict[str, Any]:
    most = _points(table.get("max_score")) or 0.0
    visibility = table.get("visibility")
    return {
        "number": one_line(_text(table.get("number")), 40) or f"#{place}",
        "name": one_line(_text(table.get("name")), 400),
        "score": min(_points(table.get("score")) or 0.0, most),
        "max_score": most,
        "status": "passed" if table.get("status") == "passed" else "failed",
        # Pictures are left out: text can do no harm, whoever wrote it.
        "output": _text(shown(_text(table.get("output"), MAX_LENGTH), _text(table.get("output_format"))).text),
        "output_format": "text",
        # A word that the platform does not know means hidden: the mistake that can be taken back.
        "visibility": visibility if visibility in _VISIBILITIES else "hidden",
        "tags": sorted(_tags(table.get("tags"))),
    }


def _tags(value: object) -> Iterator[str]:
    for tag in value[:100] if isinstance(value, list) else []:
        if text := one_line(_text(tag), 100):
            yield text


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object, most: int = MAX_LENGTH // 4) -> str:
    # A character takes at most four bytes, and the cap holds for both.
    return printable(value, most) if isinstance(value, str) else ""


def _points(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and 0 <= number <= _MOST_POINTS else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_HUGE < value < _HUGE:
        return None
    return float(value)
