"""Limits, feedback and best scores: what ``[gradescope]`` makes of a submission, by attempt and by date."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from test_gradescope_results import BAD, GOOD, VALIDATOR, report_of

from grader.contract.gradescope import Counts, Feedback, Gradescope, Shows, SubmissionLimit
from grader.contract.verdict import Status
from grader.gradescope.earlier import Carried, cleaned
from grader.gradescope.metadata import Dates, Metadata, Previous
from grader.gradescope.policy import POINTS_ALONE, shown, standing, with_best
from grader.gradescope.results import results

NOW = datetime(2026, 2, 3, 12, tzinfo=timezone.utc)


def before(*hours: float, **changes: Any) -> Metadata:
    """A submission of ``NOW`` after others, so many hours before."""
    previous = [Previous(NOW - timedelta(hours=each), 1.0, False, None) for each in sorted(hours, reverse=True)]
    return replace(Metadata(created_at=NOW, previous=tuple(previous)), **changes)


def limited(submissions: int, hours: float | None = None) -> Gradescope:
    return Gradescope(limit=SubmissionLimit(submissions, hours))


# -------------------------------------------------------------------------------------------------------------- limit


def test_attempts_are_counted_from_one():
    assert standing(Gradescope(), Metadata(), Carried()).attempt == 1
    assert standing(Gradescope(), before(1, 2, 3), Carried()).attempt == 4


def test_failures_of_the_grader_and_refusals_count_for_nothing():
    metadata = before(1, 2, 3)
    failed = replace(metadata.previous[0], autograder_error=True)
    metadata = replace(metadata, previous=(failed, *metadata.previous[1:]))
    # The platform may round the times that it tells.
    refused = Carried(uncounted=(NOW - timedelta(hours=2, milliseconds=300),))
    assert standing(limited(2), metadata, Carried()).refusal
    found = standing(limited(2), metadata, refused)
    assert (found.attempt, found.refusal) == (2, "")


def test_later_submissions_do_not_count_when_an_old_one_is_graded_again():
    metadata = before(1, -1, -2)
    assert standing(limited(2), metadata, Carried()).attempt == 2
    assert not standing(limited(2), metadata, Carried()).refusal


def test_a_limit_in_all():
    assert not standing(limited(3), before(1, 2), Carried()).refusal
    refusal = standing(limited(3), before(1, 2, 300), Carried()).refusal
    assert refusal == "This submission was not graded: 3 submissions are graded, and there were 3 before."


def test_a_limit_in_a_period_says_when_the_next_one_is_free():
    assert not standing(limited(2, 24), before(1, 24, 30), Carried()).refusal
    refusal = standing(limited(2, 24), before(1, 23, 30), Carried()).refusal
    assert "2 submissions are graded in any 24 hours, and there were 2" in refusal
    assert "from 2026-02-03 13:00 (UTC+0000)" in refusal
    # With more than allowed in the period, one has to wait for more than one of them.
    assert "from 2026-02-04 10:00" in standing(limited(2, 24), before(1, 2, 23), Carried()).refusal


def test_without_its_time_nothing_is_held_against_a_submission():
    assert not standing(limited(1, 24), before(1, created_at=None), Carried()).refusal


# ----------------------------------------------------------------------------------------------------------- feedback


@pytest.mark.parametrize(
    ("previous", "due_in", "shows"),
    [
        (0, None, Shows.EVERYTHING),
        (1, None, Shows.POINTS),
        (0, 100, Shows.EVERYTHING),
        (0, 24, Shows.AFTER_DUE_DATE),
        (5, 23, Shows.AFTER_DUE_DATE),
        (5, 25, Shows.POINTS),
        (5, -1, Shows.EVERYTHING),
    ],
)
def test_the_last_rule_that_holds_decides(previous, due_in, shows):
    declared = Gradescope(
        feedback=(
            Feedback(Shows.POINTS, from_attempt=2),
            Feedback(Shows.AFTER_DUE_DATE, hours_before_due=24),
            Feedback(Shows.EVERYTHING, hours_before_due=0),
        )
    )
    due = None if due_in is None else NOW + timedelta(hours=due_in)
    metadata = before(*range(1, previous + 1), dates=Dates(due=due))
    assert standing(declared, metadata, Carried()).shows is shows
    assert standing(declared, replace(metadata, created_at=None), Carried()).shows in (Shows.EVERYTHING, Shows.POINTS)


def test_points_alone_hide_what_failed_and_how():
    report = shown(report_of(GOOD, BAD, replace(BAD, check="c", number="1.3", visibility="hidden")), Shows.POINTS)
    first, second, third = results(report)["tests"]
    assert first["output"] == "Passed."
    assert second["output"] == POINTS_ALONE
    assert second["score"] == 0.0 and second["max_score"] == 3.0
    assert third["visibility"] == "hidden" and "dW" in third["output"]


@pytest.mark.parametrize("shows", [Shows.AFTER_DUE_DATE, Shows.AFTER_PUBLISHED])
def test_later_means_that_nothing_shows_now(shows):
    verdicts = (replace(GOOD, leaderboard=("acc", 0.5, "desc")), replace(BAD, visibility="hidden"))
    content = results(shown(report_of(*verdicts), shows))
    assert [test["visibility"] for test in content["tests"]] == [shows.value, "hidden"]
    assert content["leaderboard"] == []
    assert "Checks worth 2 points are hidden" in content["output"]


def test_everything_changes_nothing():
    report = report_of(GOOD, BAD)
    assert shown(report, Shows.EVERYTHING) == report


# --------------------------------------------------------------------------------------------------------------- best


def best(earlier: float | None, *verdicts: Any, most: float = 5.0) -> dict[str, Any]:
    declared = Gradescope(counts=Counts.BEST)
    found = standing(declared, Metadata(), Carried(best=earlier))
    content = with_best(results(report_of(*verdicts)), found, most)
    VALIDATOR.validate(content)
    return content


def test_the_better_score_counts_and_is_handed_on():
    content = best(4.0, GOOD, BAD)
    assert content["score"] == 4.0
    assert "This submission earned 2 points. An earlier one earned 4, and the best one counts." in content["output"]
    assert Carried.of(content).best == 4.0
    content = best(1.0, GOOD, BAD)
    assert content["score"] == 2.0 and "earlier" not in content["output"]
    assert Carried.of(content).best == 2.0
    assert best(None, GOOD)["score"] == 2.0


def test_no_earlier_score_is_worth_more_than_the_assignment():
    assert best(1000.0, GOOD, BAD)["score"] == 5.0


def test_hidden_tests_keep_the_better_score_from_being_told():
    content = best(4.0, GOOD, replace(BAD, visibility="hidden"))
    assert content["score"] == 4.0
    assert "The best of all submissions counts." in content["output"]
    assert "4" not in content["output"].replace("ab12", "").replace("cd34", "")


def test_where_the_latest_counts_an_earlier_score_is_only_handed_on():
    found = standing(Gradescope(), before(1), Carried(best=4.0))
    content = with_best(results(report_of(GOOD)), found, 5.0)
    assert content["score"] == 2.0


def test_what_the_platform_knows_serves_where_nothing_was_handed_on():
    declared = Gradescope(counts=Counts.BEST)
    metadata = before(1, 2)
    failed = Previous(NOW - timedelta(hours=9), 99.0, True, None)
    metadata = replace(metadata, previous=(failed, *metadata.previous))
    assert standing(declared, metadata, Carried()).best == 1.0
    assert standing(declared, metadata, Carried(best=0.5)).best == 0.5
    assert standing(declared, Metadata(), Carried()).best is None


# ------------------------------------------------------------------------------------------------------ earlier results


def test_what_is_handed_on_comes_back():
    carried = Carried(2.5, (NOW,)).without(NOW - timedelta(days=1))
    assert Carried.of({"extra_data": carried.to_json()}) == carried
    assert carried.without(NOW).without(None) == carried


@pytest.mark.parametrize(
    "earlier",
    [
        None,
        {},
        {"extra_data": 3},
        {"extra_data": {"scratchgrade": []}},
        {"extra_data": {"scratchgrade": {"best": "9", "uncounted": "x"}}},
        {"extra_data": {"scratchgrade": {"best": float("inf"), "uncounted": [1, "x"]}}},
        {"extra_data": {"scratchgrade": {"best": -1}}},
        {"extra_data": {"scratchgrade": {"best": True}}},
    ],
)
def test_nothing_is_believed_that_is_not_of_the_kind(earlier):
    assert Carried.of(earlier) == Carried()


def test_only_so_many_times_are_handed_on():
    carried = Carried()
    for hour in range(600):
        carried = carried.without(NOW + timedelta(hours=hour))
    assert len(carried.uncounted) == 500
    assert carried.uncounted[-1] == NOW + timedelta(hours=599)


def test_earlier_results_are_cleaned():
    content = results(report_of(GOOD, BAD))
    again = cleaned(content)
    VALIDATOR.validate(again)
    assert again["score"] == 2.0
    assert [test["output"] for test in again["tests"]] == [test["output"] for test in content["tests"]]
    wild = {
        "score": float("nan"),
        "output": "a\0b" + "x" * 200_000,
        "stdout_visibility": "visible",
        "unknown": 1,
        "leaderboard": [{"name": "acc", "value": 0.5, "order": "up"}, {"name": "x", "value": 10**400}, {"value": 1}, 3],
        "tests": [
            {"score": 50, "max_score": 2, "status": "passed", "visibility": "all", "tags": [1, "ok"], "output": None},
            {"score": -1, "name": "\x1b[31mred", "number": 7, "output_format": "html", "output": "<b>"},
            "no test",
        ],
    }
    clean = cleaned(wild)
    VALIDATOR.validate(clean)
    first, second = clean["tests"]
    assert (first["score"], first["visibility"], first["tags"]) == (2.0, "hidden", ["ok"])
    assert (second["score"], second["name"], second["output_format"]) == (0.0, "red", "text")
    assert clean["leaderboard"] == [{"name": "acc", "value": 0.5}]
    assert clean["score"] == 0.0 and clean["stdout_visibility"] == "hidden"
    VALIDATOR.validate(cleaned(None))


def test_a_failed_check_of_ours_is_not_hidden_by_a_policy():
    verdict = replace(BAD, status=Status.GRADER_ERROR)
    (test,) = results(shown(report_of(verdict), Shows.POINTS))["tests"]
    assert "The grader itself failed" in test["output"]
