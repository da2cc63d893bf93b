"""Statistics over a class: how its points are spread, and how well each check tells those who can from those who can't.

Difficulty is the mean share of its points that a check gives; discrimination is the correlation of these points with
those of all other checks together. Source of both: classical test theory, Lord and Novick, *Statistical Theories of
Mental Test Scores* (1968), chapter 15.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import StatisticsError, correlation, fmean

from grader.contract.report import Report
from grader.contract.text import one_line
from grader.contract.verdict import Status, Verdict
from grader.pages.views import in_order


@dataclass(frozen=True)
class Item:
    """One check over a class.

    Attributes:
        number: the check's number.
        title: what it is about.
        graded: how many submissions it was made on.
        passed: how many passed it.
        difficulty: mean share of its points, from 0 (nobody) to 1 (everybody).
        discrimination: from -1 to 1; ``None`` where all submissions, or all their other points, are alike.
        seconds: mean time of the check.
    """

    number: str
    title: str
    graded: int
    passed: int
    difficulty: float
    discrimination: float | None
    seconds: float


def items(reports: Sequence[Report]) -> list[Item]:
    """The checks of a class, as people number them; those that the grader failed on are left out of the means."""
    outcomes: dict[str, list[tuple[Verdict, float, float]]] = {}
    for report in reports:
        score, seconds = report.score, report.times.per_check
        for verdict in report.verdicts:
            made = outcomes.setdefault(verdict.check, [])
            made.append((verdict, score - verdict.points, seconds.get(verdict.check, 0.0)))
    examples = in_order(made[-1][0] for made in outcomes.values())
    return [_item(example, outcomes[example.check]) for example in examples]


def shares(reports: Sequence[Report]) -> list[float]:
    """The part of all points that each submission earned, from 0 to 1."""
    return [report.score / report.max_score if report.max_score else 0.0 for report in reports]


def bins(values: Sequence[float], count: int = 20) -> list[int]:
    """How many of ``values``, each between 0 and 1, fall into each of ``count`` equal parts; 1 is in the last."""
    filled = [0] * count
    for value in values:
        filled[min(int(value * count), count - 1)] += 1
    return filled


def _item(example: Verdict, outcomes: Sequence[tuple[Verdict, float, float]]) -> Item:
    """The item of one check. ``outcomes``: in each report its verdict, the points of all other checks, its seconds."""
    made = [each for each in outcomes if each[0].status not in (Status.GRADER_ERROR, Status.NOT_RUN)]
    points = [verdict.points / verdict.max_points if verdict.max_points else 0.0 for verdict, _, _ in made]
    return Item(
        one_line(example.number, 40),
        one_line(example.title, 400),
        len(made),
        sum(verdict.status is Status.PASSED for verdict, _, _ in made),
        fmean(points) if made else 0.0,
        _correlation(points, [rest for _, rest, _ in made]),
        fmean(seconds for _, _, seconds in made) if made else 0.0,
    )


def _correlation(left: Sequence[float], right: Sequence[float]) -> float | None:
    try:
        return correlation(left, right)
    except StatisticsError:  # fewer than two values, or all of them equal
        return None
