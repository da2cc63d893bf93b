"""Several uploads of one person: which of them counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from grader.grading.job import Finished, Job

T = TypeVar("T")

POLICIES = ("latest", "best", "all")
"""What of several attempts counts: the one that was handed in last, the one with most points, or each for itself."""


def latest(jobs: Sequence[Job]) -> tuple[list[Job], list[str]]:
    """The last attempt of each person, in the order of ``jobs``, and a sentence on each person who made several."""
    return _counting(jobs, lambda job: job, lambda job: job.handed_in, "latest")


def best(finished: Sequence[Finished]) -> tuple[list[Finished], list[str]]:
    """The attempt of each person with most points, the later one of equals, and a sentence on who made several.

    An attempt without a report has no points.
    """

    def worth(each: Finished) -> tuple[float, float]:
        return each.report.score if each.report else -1.0, each.job.handed_in

    return _counting(finished, lambda each: each.job, worth, "best")


def _counting(
    things: Sequence[T], job_of: Callable[[T], Job], worth: Callable[[T], Any], word: str
) -> tuple[list[T], list[str]]:
    """Of what belongs to one person, what is worth most; and a sentence on each person of whom there is more."""
    groups = _by_person(things, job_of)
    chosen = [max(group, key=worth) for group in groups]
    kept = {id(each) for each in chosen}
    several = [(len(group), job_of(each)) for group, each in zip(groups, chosen, strict=True) if group[1:]]
    return [each for each in things if id(each) in kept], [_told(count, job, word) for count, job in several]


def _by_person(things: Iterable[T], job_of: Callable[[T], Job]) -> list[list[T]]:
    """What belongs to one person, together. Whoever has no number, address or login cannot be told from others."""
    groups: dict[object, list[T]] = {}
    for thing in things:
        person = job_of(thing).person
        known = [(part, value.casefold()) for part in ("sid", "email", "login") if (value := getattr(person, part))]
        groups.setdefault(known[0] if known else id(thing), []).append(thing)
    return list(groups.values())


def _told(count: int, counts: Job, word: str) -> str:
    person = counts.person
    who = person.name or person.sid or person.email or person.login
    return f"{who}: {count} attempts; the {word}, {counts.name}, counts"
