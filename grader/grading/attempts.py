"""Several uploads of one person: which of them counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from grader.grading.job import Finished, Job

T = TypeVar("T")

POLICIES = ("latest", "best", "all")
"""What of several attempts counts: the one that was handed in last, the one with most points, or each for itself."""


def latest(jobs: Sequence[Job]) -> tuple[list[Job], list[str]]:
    """The last attempt of each person, in the order of ``jobs``, and a sentence on each person who made several."""
    last = {id(max(group, key=_when)) for group in _by_person(jobs, _itself)}
    kept = [job for job in jobs if id(job) in last]
    return kept, [_told(group, max(group, key=_when), "latest") for group in _by_person(jobs, _itself) if group[1:]]


def best(finished: Sequence[Finished]) -> tuple[list[Finished], list[str]]:
    """The attempt of each person with most points, the later one of equals, and a sentence on who made several.

    An attempt without a report has no points.
    """

    def worth(each: Finished) -> tuple[float, float]:
        return each.report.score if each.report else -1.0, _when(each.job)

    groups = _by_person(finished, lambda each: each.job)
    first = {id(max(group, key=worth)) for group in groups}
    kept = [each for each in finished if id(each) in first]
    several = [group for group in groups if group[1:]]
    return kept, [_told([each.job for each in group], max(group, key=worth).job, "best") for group in several]


def _itself(job: Job) -> Job:
    return job


def _when(job: Job) -> float:
    return job.handed_in


def _by_person(things: Iterable[T], job_of: Callable[[T], Job]) -> list[list[T]]:
    """What belongs to one person, together. Whoever has no number, address or login cannot be told from others."""
    groups: dict[object, list[T]] = {}
    for thing in things:
        person = job_of(thing).person
        known = [(part, value.casefold()) for part in ("sid", "email", "login") if (value := getattr(person, part))]
        groups.setdefault(known[0] if known else id(thing), []).append(thing)
    return list(groups.values())


def _told(attempts: Sequence[Job], counts: Job, word: str) -> str:
    person = counts.person
    who = person.name or person.sid or person.email or person.login
    return f"{who}: {len(attempts)} attempts; the {word}, {counts.name}, counts"
