"""Which submissions there are to grade: their names, who handed them in, and which of them are chosen."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from grader.contract.assignment import Assignment
from grader.exits import UsageError
from grader.grading.attempts import latest
from grader.grading.exports import laid_out, read_export
from grader.grading.job import Job, Person
from grader.grading.packed import holds_several, unpacked
from grader.grading.roster import read_roster
from grader.judge.prepare import wanted
from grader.judge.submission import discover

_NAMED = 20
"""Absent people who are named."""


@dataclass(frozen=True)
class Class:
    """The submissions of a run, in order.

    Attributes:
        jobs: the submissions, each with a name of its own.
        platform: the platform that they were downloaded from; empty if that cannot be told.
        remarks: what staff should know about how they were found, in sentences.
    """

    jobs: list[Job]
    platform: str = ""
    remarks: tuple[str, ...] = ()


def find_class(
    paths: Sequence[Path],
    assignment: Assignment,
    out: Path,
    staging: Path,
    roster: Path | None = None,
    *,
    only_latest: bool = False,
) -> Class:
    """The submissions at ``paths``, each with a name of its own; with ``only_latest`` the last one of each person.

    Files that a platform laid side by side are copied below ``staging``, an empty folder, as they were handed in.

    Raises:
        UsageError: if a path does not exist, there is no submission, or the roster cannot be read.
    """
    require_paths(paths)
    people = read_roster(roster) if roster else None
    platforms: set[str] = set()
    remarks: list[str] = []
    jobs: dict[str, Job] = {}
    for name, person, upload, handed_in in _found(paths, assignment, staging, platforms, remarks):
        unique, count = name, 1
        # Names are folders, and some file systems take no notice of capitals.
        while unique.casefold() in jobs:
            count += 1
            unique = f"{name}-{count}"
        known = people.complete(person, name) if people else person
        jobs[unique.casefold()] = Job(unique, upload, out / unique, known, handed_in)
    if not jobs:
        raise UsageError(f"no submission was found in {', '.join(map(str, paths))}")
    if people and (absent := people.without(job.person for job in jobs.values())):
        names = ", ".join(_called(person) for person in absent[:_NAMED])
        more = " ..." if len(absent) > _NAMED else ""
        remarks.append(f"{len(absent)} on the roster handed nothing in: {names}{more}")
    found = list(jobs.values())
    if only_latest:
        found, told = latest(found)
        remarks += told
    return Class(found, platforms.pop() if len(platforms) == 1 else "", tuple(remarks))


def chosen_jobs(jobs: list[Job], only: Sequence[str]) -> list[Job]:
    """Those of ``jobs`` that have one of the names in ``only``, where ``*`` stands for any text; all if it is empty.

    Raises:
        UsageError: if there is none.
    """
    chosen = [job for job in jobs if not only or any(fnmatch.fnmatchcase(job.name, name) for name in only)]
    if not chosen:
        names = ", ".join(job.name for job in jobs[:10])
        raise UsageError(f"no submission is named {' or '.join(only)}; the first of {len(jobs)} are: {names}")
    return chosen


def require_paths(paths: Sequence[Path]) -> None:
    """Raises :class:`UsageError` for a path that does not exist."""
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} does not exist; give a folder, an archive, a notebook or a Python file.")


def _found(
    paths: Sequence[Path], assignment: Assignment, staging: Path, platforms: set[str], remarks: list[str]
) -> Iterator[tuple[str, Person, Path, float]]:
    looked_for, place = wanted(assignment), 0
    for number, path in enumerate(paths):
        export = read_export(unpacked(path, staging / f"unpacked-{number}") or path)
        if export is None:
            names = frozenset(each.file.casefold() for each in looked_for.values())
            if holds_several(path, names):
                remarks.append(f"{path} is graded as one submission; unpack it if it holds a class.")
            for name, upload in discover(path, looked_for):
                yield name, Person(), upload, _last_change(upload)
            continue
        platforms.add(export.platform)
        remarks.append(f"{path}: {len(export.submissions)} submissions, downloaded from {export.platform}")
        for found in export.submissions:
            place += 1
            handed_in = found.handed_in or max(map(_last_change, found.files))
            yield found.name, found.person, laid_out(found.files, staging / str(place) / found.name), handed_in


def _last_change(upload: Path) -> float:
    """When a file, or the newest file in a folder, was last changed, in seconds since 1970."""
    inside = (path for path in upload.rglob("*") if path.is_file()) if upload.is_dir() else (upload,)
    times = []
    for path in inside:
        with suppress(OSError):
            times.append(path.lstat().st_mtime)
    return max(times, default=0.0)


def _called(person: Person) -> str:
    return person.name or person.sid or person.email or person.login
