"""What ``[gradescope]`` in ``assignment.toml`` makes of one submission: graded or not, and how much is shown.

Times are those at which submissions were handed in, never the present one: when the staff grade everything again,
nobody falls under another rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from grader.contract.gradescope import Counts, Feedback, Gradescope, Shows, SubmissionLimit
from grader.contract.report import Report
from grader.contract.verdict import Verdict
from grader.gradescope.earlier import Carried
from grader.gradescope.metadata import Metadata, Previous

POINTS_ALONE = "Not passed. For this submission only points are shown."
_VISIBLE = "visible"


@dataclass(frozen=True)
class Standing:
    """What holds for one submission.

    Attributes:
        attempt: its number, from 1; submissions that were not graded, or on which the grader failed, have none.
        shows: how much is shown.
        refusal: why it is not graded, in a sentence for the student; empty when it is.
        best: the best score of the earlier submissions, where the best one counts and there is one.
        carried: what is handed on to the next submission.
    """

    attempt: int
    shows: Shows
    refusal: str
    best: float | None
    carried: Carried


def standing(declared: Gradescope, metadata: Metadata, carried: Carried) -> Standing:
    """How ``declared`` applies to the submission with these metadata; ``carried`` comes from the one before."""
    counted = [each for each in metadata.previous if _counts(each, metadata.created_at, carried)]
    attempt = len(counted) + 1
    refusal = _refusal(declared.limit, counted, metadata.created_at) if declared.limit else ""
    shows = [rule.shows for rule in declared.feedback if _holds(rule, attempt, metadata)]
    best = _best(metadata, carried) if declared.counts is Counts.BEST else None
    return Standing(attempt, shows[-1] if shows else Shows.EVERYTHING, refusal, best, carried)


def _counts(previous: Previous, now: datetime | None, carried: Carried) -> bool:
    if previous.autograder_error or carried.leaves_out(previous.submitted):
        return False
    # When an old submission is graded again, later ones are there as well.
    return now is None or previous.submitted is None or previous.submitted < now


def _refusal(limit: SubmissionLimit, counted: list[Previous], now: datetime | None) -> str:
    graded = f"{limit.submissions} {'submission is' if limit.submissions == 1 else 'submissions are'} graded"
    if limit.hours is None:
        if len(counted) < limit.submissions:
            return ""
        return f"This submission was not graded: {graded}, and there were {len(counted)} before."
    if now is None:
        return ""  # without its time, nothing can be held against it
    period = timedelta(hours=limit.hours)
    recent = [each.submitted for each in counted if each.submitted is not None and now - each.submitted < period]
    if len(recent) < limit.submissions:
        return ""
    # The next one is free once all but submissions - 1 of them are out of the period.
    again = sorted(recent)[-limit.submissions] + period
    return (
        f"This submission was not graded: {graded} in any {limit.hours:g} hours, and there were {len(recent)}. "
        f"The next one can be handed in from {again.strftime('%Y-%m-%d %H:%M')} (UTC{again.strftime('%z')})."
    )


def _holds(rule: Feedback, attempt: int, metadata: Metadata) -> bool:
    if attempt < rule.from_attempt:
        return False
    if rule.hours_before_due is None:
        return True
    if metadata.created_at is None or metadata.due is None:
        return False
    return (metadata.due - metadata.created_at).total_seconds() <= rule.hours_before_due * 3600


def _best(metadata: Metadata, carried: Carried) -> float | None:
    """What was handed on; where nothing was, what the platform knows of earlier scores."""
    if carried.best is not None:
        return carried.best
    return max((each.score for each in metadata.previous if each.score and not each.autograder_error), default=None)


def shown(report: Report, shows: Shows) -> Report:
    """``report`` with its visible checks showing no more than ``shows`` says."""
    return replace(report, verdicts=tuple(_shown(verdict, shows) for verdict in report.verdicts))


def _shown(verdict: Verdict, shows: Shows) -> Verdict:
    if verdict.visibility != _VISIBLE or shows is Shows.EVERYTHING:
        return verdict
    if shows is Shows.POINTS:
        return replace(verdict, fixed_text=POINTS_ALONE)
    # A place on the leaderboard would tell how the check ended.
    return replace(verdict, visibility=shows.value, leaderboard=None)


def with_best(content: dict[str, Any], standing: Standing, most: float) -> dict[str, Any]:
    """``content`` of a ``results.json`` with the best score so far, where that counts, and with what is handed on.

    ``most`` is what the assignment is worth: no earlier score counts for more.
    """
    score = content["score"]
    earlier = None if standing.best is None else min(max(standing.best, 0.0), most)
    kept = score if earlier is None else max(score, earlier)
    open_to_all = all(test["visibility"] == _VISIBLE for test in content["tests"])
    lines = [content["output"], *_on_the_best(score, earlier, open_to_all)]
    handed_on = replace(standing.carried, best=kept)
    return {
        **content,
        "score": kept,
        "output": "\n".join(line for line in lines if line),
        "extra_data": {**content["extra_data"], **handed_on.to_json()},
    }


def _on_the_best(score: float, earlier: float | None, open_to_all: bool) -> Iterator[str]:
    if earlier is None:
        return
    if not open_to_all:
        # A number would tell how checks ended that are still hidden.
        yield "The best of all submissions counts."
    elif earlier > score:
        yield f"This submission earned {score:g} points. An earlier one earned {earlier:g}, and the best one counts."
