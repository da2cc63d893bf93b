"""The list of a class: a CSV file that says who is behind a number, an address or a login."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path

from grader.exits import UsageError
from grader.grading.job import Person

# Column names as the platforms write them, in lower case.
_COLUMNS = {
    "name": ("name", "full name", "student", "student name", "identifier"),
    "sid": ("sid", "id", "student id", "id number", "sis user id", "participant"),
    "email": ("email", "e-mail", "email address", "mail"),
    "login": ("login", "username", "github_username", "github username", "sis login id", "user"),
}


_PARTS = ("sid", "email", "login", "name")

_ATTEMPT = re.compile(r"[-_. ]+(v|attempt)?[-_. ]*\d+$|[ _]?\(\d+\)$", re.IGNORECASE)


class Roster:
    """People of a class, found by any of their parts, whatever the capitals."""

    def __init__(self, people: Iterable[Person]) -> None:
        self.people = tuple(people)
        self._by = {key: person for person in self.people for key in _keys(person)}

    def complete(self, person: Person, name: str) -> Person:
        """``person`` with what the list knows of them.

        They are found by number, address, login or name, else by the name of the submission, with or without a number
        at its end: ``jdoe-2`` is an attempt of ``jdoe``, unless there is somebody of that name.
        """
        named = [name.casefold(), _ATTEMPT.sub("", name).casefold()]
        keys = [*_keys(person), *((part, each) for each in named for part in _PARTS)]
        known = next((self._by[key] for key in keys if key in self._by), None)
        if known is None:
            return person
        return Person(**{part: getattr(known, part) or getattr(person, part) for part in _PARTS})

    def without(self, people: Iterable[Person]) -> list[Person]:
        """Those on the list who are not among ``people``."""
        there = set(people)
        return [person for person in self.people if person not in there]


def _keys(person: Person) -> list[tuple[str, str]]:
    return [(part, getattr(person, part).casefold()) for part in _PARTS if getattr(person, part)]


def read_roster(file: Path) -> Roster:
    """The list in a CSV file whose first line names its columns; a name and one of number, address, login is enough.

    Raises:
        UsageError: if it cannot be read, or no column is known.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = list(csv.DictReader(text))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"the roster {file} cannot be read as CSV in UTF-8: {error}") from error
    columns = {
        key: part
        for key in (rows[0] if rows else {})
        for part, names in _COLUMNS.items()
        if key and key.strip().lower() in names
    }
    if not columns:
        known = "; ".join(f"{part}: {', '.join(names)}" for part, names in _COLUMNS.items())
        raise UsageError(f"the roster {file} has no column that is known. In its first line, use some of: {known}.")
    return Roster(Person(**{part: (row.get(key) or "").strip() for key, part in columns.items()}) for row in rows)
