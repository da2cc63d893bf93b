"""The table ``[gradescope]`` of ``assignment.toml``: how often one may hand in there, and how much is shown when."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class Shows(str, Enum):
    """How much of the visible checks a student is shown. The last two are Gradescope's own words."""

    EVERYTHING = "everything"
    POINTS = "points"
    AFTER_DUE_DATE = "after_due_date"
    AFTER_PUBLISHED = "after_published"


class Counts(str, Enum):
    """Which of a student's submissions gives the score."""

    LATEST = "latest"
    BEST = "best"


@dataclass(frozen=True)
class SubmissionLimit:
    """How many submissions are graded.

    Attributes:
        submissions: so many; those on which the grader itself failed do not count.
        hours: in any period of so many hours; in all where it is left out.
    """

    submissions: int
    hours: float | None = None


@dataclass(frozen=True)
class Feedback:
    """From when on how much is shown; it holds for a submission that meets both conditions.

    Attributes:
        shows: how much.
        from_attempt: the first submission, counted from 1, for which it holds.
        hours_before_due: it holds from so many hours before the due date on; a negative number means after it. Without
            a due date it never holds. Where it is left out, the date does not matter.
    """

    shows: Shows
    from_attempt: int = 1
    hours_before_due: float | None = None


@dataclass(frozen=True)
class Gradescope:
    """What is declared for Gradescope.

    Attributes:
        timeout_seconds: the platform's time limit for one submission, as it is set there.
        memory_mb: the container's memory, in MiB, as it is set there.
        counts: which submission gives the score.
        limit: how many submissions are graded; ``None`` for all.
        feedback: rules, of which the last one that holds decides; where none holds, everything is shown.
    """

    timeout_seconds: float = 600.0
    memory_mb: int = 768
    counts: Counts = Counts.LATEST
    limit: SubmissionLimit | None = None
    feedback: tuple[Feedback, ...] = ()


LEAST_SECONDS = 60.0
"""Half of it is kept in reserve to write the results before the platform's limit."""

LEAST_MB = 512
"""Python, torch and the grader alone need most of it."""


def problems(declared: Gradescope) -> Iterator[str]:
    """What types cannot express and is wrong, one sentence for each key."""
    if declared.timeout_seconds < LEAST_SECONDS:
        yield (
            f"gradescope.timeout_seconds: {declared.timeout_seconds:g} is below {LEAST_SECONDS:g}, which leaves no "
            "time to grade; write what is set on Gradescope."
        )
    if declared.memory_mb < LEAST_MB:
        yield (
            f"gradescope.memory_mb: {declared.memory_mb} is below {LEAST_MB}, in which torch does not run; "
            "choose a larger container on Gradescope, and write its size."
        )
    if declared.limit is not None:
        yield from _problems_of_limit(declared.limit)
    for index, rule in enumerate(declared.feedback):
        if rule.from_attempt < 1:
            yield (
                f"gradescope.feedback[{index}].from_attempt: {rule.from_attempt} is below 1; "
                "the first submission is number 1."
            )


def _problems_of_limit(limit: SubmissionLimit) -> Iterator[str]:
    if limit.submissions < 1:
        yield f"gradescope.limit.submissions: {limit.submissions} is below 1; nothing would be graded."
    if limit.hours is not None and not (math.isfinite(limit.hours) and limit.hours > 0):
        yield f"gradescope.limit.hours: {limit.hours:g} is not above 0; leave it out to limit submissions in all."
