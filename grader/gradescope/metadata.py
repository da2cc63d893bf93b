"""Gradescope's ``submission_metadata.json``, read so that no missing or odd key stops a grading.

Source of the format: the platform's autograder documentation, and what submissions were seen to hold beyond it. What is
missing or of another type counts as absent and is told to staff. Results of earlier submissions come back in this file;
they were written by an earlier run, which a submission may have tampered with, so they are data to be cleaned.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

MOST_BYTES = 64 * 2**20
"""A larger file is not read: the results of earlier submissions are capped far below."""

_FRACTION = re.compile(r"\.([0-9]+)")
_MOST_PROBLEMS = 50


@dataclass(frozen=True)
class Dates:
    """Dates of an assignment, for all or for one student; ``None`` where none is given."""

    release: datetime | None = None
    due: datetime | None = None
    late_due: datetime | None = None


@dataclass(frozen=True)
class User:
    """One of the students who handed in. ``dates`` are their own, with extensions, where the platform gives them."""

    id: str
    email: str
    name: str
    dates: Dates = Dates()


@dataclass(frozen=True)
class Previous:
    """An earlier submission of the same students.

    Attributes:
        submitted: when it was handed in.
        score: what it earned, as the platform knows it.
        autograder_error: the grader itself failed on it.
        results: the content of its ``results.json``, unchecked; given for the latest one only.
    """

    submitted: datetime | None
    score: float | None
    autograder_error: bool
    results: Mapping[str, Any] | None


@dataclass(frozen=True)
class Metadata:
    """What the platform tells about a submission. Everything may be absent.

    Attributes:
        id: the submission's number, as text.
        created_at: when it was handed in, with its offset from UTC.
        title: the assignment's title on the platform.
        dates: the assignment's dates for all.
        total_points: points of the assignment, those given by hand included.
        method: how it was handed in: ``upload``, ``GitHub``, ...
        users: who handed it in; several for a group.
        previous: earlier submissions, oldest first.
        digest: hexadecimal SHA-256 of the file; empty when there is none.
        problems: what is missing or not as expected, in sentences for staff.
    """

    id: str = ""
    created_at: datetime | None = None
    title: str = ""
    dates: Dates = Dates()
    total_points: float | None = None
    method: str = ""
    users: tuple[User, ...] = ()
    previous: tuple[Previous, ...] = ()
    digest: str = ""
    problems: tuple[str, ...] = ()

    @property
    def due(self) -> datetime | None:
        """The due date: a student's own, else the assignment's; for a group the latest of its members' dates."""
        own = [user.dates.due or self.dates.due for user in self.users]
        return max((date for date in own if date is not None), default=self.dates.due)

    @property
    def latest_results(self) -> Mapping[str, Any] | None:
        """The results of the latest earlier submission that has any, unchecked."""
        return next((each.results for each in reversed(self.previous) if each.results is not None), None)


def read(path: Path) -> Metadata:
    """What the file holds; with ``problems`` where it is absent, too large or no JSON. Raises nothing for its content.

    Raises:
        OSError: if it is there and cannot be read.
    """
    if not path.is_file():
        return Metadata(problems=(f"{path.name} is not there; nothing is known about the submission.",))
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        return Metadata(problems=(f"{path.name} is larger than {MOST_BYTES:,} bytes and was not read.",))
    return parse(data)


def parse(data: bytes) -> Metadata:
    """What ``data``, the bytes of the file, hold."""
    digest = hashlib.sha256(data).hexdigest()
    try:
        # Numbers that JSON does not know count as absent.
        content = json.loads(data, parse_constant=lambda name: None)
    except (ValueError, RecursionError) as error:
        return Metadata(digest=digest, problems=(f"The metadata are no JSON: {error}.",))
    return _Reader().metadata(content, digest)


class _Reader:
    """Takes values out of nested plain data, and notes what is not as expected."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def metadata(self, content: object, digest: str) -> Metadata:
        top = self._table(content, "the top level")
        assignment = self._table(top.get("assignment"), "assignment")
        previous = [self._previous(each, place) for place, each in self._list(top, "previous_submissions")]
        known = sorted((each for each in previous if each.submitted is not None), key=_time_of)
        return Metadata(
            id=self._text(top, "id"),
            created_at=self._date(top, "created_at", required=True),
            title=self._text(assignment, "title"),
            dates=self._dates(assignment),
            total_points=self._number(assignment, "total_points"),
            method=self._text(top, "submission_method"),
            users=tuple(self._user(each, place) for place, each in self._list(top, "users")),
            previous=(*(each for each in previous if each.submitted is None), *known),
            digest=digest,
            problems=tuple(self.problems[:_MOST_PROBLEMS]),
        )

    def _user(self, content: object, place: str) -> User:
        user = self._table(content, place)
        # Observed, and not documented: absent is usual.
        own = user.get("assignment")
        dates = self._dates(self._table(own, f"{place}.assignment")) if own is not None else Dates()
        return User(self._text(user, "id"), self._text(user, "email"), self._text(user, "name"), dates)

    def _dates(self, table: Mapping[str, Any]) -> Dates:
        return Dates(*(self._date(table, key) for key in ("release_date", "due_date", "late_due_date")))

    def _previous(self, content: object, place: str) -> Previous:
        table = self._table(content, place)
        results = table.get("results")
        return Previous(
            submitted=self._date(table, "submission_time", required=True),
            score=self._number(table, "score"),
            autograder_error=table.get("autograder_error") is True,
            results=results if isinstance(results, dict) else None,
        )

    def _table(self, value: object, place: str) -> Mapping[str, Any]:
        if isinstance(value, dict):
            return value
        self._note(f"{place}: a table was expected, and it is {_kind(value)}.")
        return {}

    def _list(self, table: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
        value = table.get(key)
        if not isinstance(value, list):
            self._note(f"{key}: a list was expected, and it is {_kind(value)}.")
            return []
        return [(f"{key}[{index}]", each) for index, each in enumerate(value)]

    def _text(self, table: Mapping[str, Any], key: str) -> str:
        value = table.get(key)
        return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""

    def _number(self, table: Mapping[str, Any], key: str) -> float | None:
        value = table.get(key)
        # Points of an assignment come as text.
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return None
        try:
            number = float(value)
        except (ValueError, OverflowError):
            self._note(f"{key}: a number was expected, and it is {str(value)[:100]!r}.")
            return None
        return number if math.isfinite(number) else None

    def _date(self, table: Mapping[str, Any], key: str, *, required: bool = False) -> datetime | None:
        value = table.get(key)
        if value is None and not required:
            return None
        found = date_of(value)
        if found is None:
            shown = repr(value[:100]) if isinstance(value, str) else _kind(value)
            self._note(f"{key}: a date such as 2026-01-31T12:00:00-05:00 was expected, and it is {shown}.")
        return found

    def _note(self, problem: str) -> None:
        self.problems.append(problem)


def date_of(value: object) -> datetime | None:
    """The moment that an ISO 8601 text means; UTC where it has no offset; ``None`` when it is no such text."""
    if not isinstance(value, str) or len(value) > 100:
        return None
    # Python 3.10 reads three or six decimals of a second, and no Z.
    text = _FRACTION.sub(lambda found: f".{found[1][:6]:0<6}", value.strip(), count=1).replace("Z", "+00:00")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not 1970 <= moment.year < 3000:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)


def _time_of(previous: Previous) -> datetime:
    assert previous.submitted is not None
    return previous.submitted


def _kind(value: object) -> str:
    names = {type(None): "absent", bool: "a truth value", str: "a text", list: "a list", dict: "a table"}
    return names.get(type(value), "a number")
