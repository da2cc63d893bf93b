"""Every way in which a check can end, and the verdict that it ends in."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, cast

import pytest

from grader.contract.ledger import Entry
from grader.contract.verdict import (
    BadAnswer,
    Blocked,
    CheckFailed,
    Explanation,
    Missing,
    PartlyMet,
    PlayerCrashed,
    PlayerOutOfMemory,
    PlayerTimeout,
    RuleBroken,
    Status,
    StudentError,
    SubmissionProblem,
)
from grader.judge.outcome import grader_error, verdict_from_json, verdict_of, verdict_to_json
from grader.judge.play import Play

ENTRY = Entry("test_a.py::test_f", "1.1", "F.", 4.0, tags=("x",))


def played(output: str = "") -> Play:
    play: Any = SimpleNamespace(
        notes=["a\nnote"],
        flags=["a flag"],
        pictures=[],
        draw=SimpleNamespace(seed_text="ab12"),
        output=lambda: output,
        without_places=lambda text: text.replace("/private/", ""),
    )
    return cast(Play, play)


def raised(kind: type[BaseException], *args: object) -> BaseException:
    try:
        raise kind(*args)
    except BaseException as error:
        return error


def test_a_check_that_returns_has_passed() -> None:
    verdict = verdict_of(ENTRY, None, None)
    assert (verdict.status, verdict.points, verdict.explanation) == (Status.PASSED, 4.0, None)


@pytest.mark.parametrize(
    ("score", "status", "points"),
    [
        (4, Status.PASSED, 4.0),
        (5.0, Status.PASSED, 4.0),
        (1, Status.PARTIAL, 1.0),
        (0, Status.FAILED, 0.0),
        (-2, Status.FAILED, 0.0),
        (math.nan, Status.GRADER_ERROR, 0.0),
        (math.inf, Status.GRADER_ERROR, 0.0),
        ("4", Status.GRADER_ERROR, 0.0),
        (True, Status.GRADER_ERROR, 0.0),
    ],
)
def test_a_score_is_a_number_of_points(score: object, status: Status, points: float) -> None:
    verdict = verdict_of(ENTRY, None, None, score)
    assert (verdict.status, verdict.points) == (status, points)
    assert (verdict.explanation is None) is (status is Status.PASSED)


def test_what_is_right_in_part_earns_its_share_and_says_why() -> None:
    told = Explanation("Nearly.", got="51 %")
    verdict = verdict_of(ENTRY, None, PartlyMet(told, 0.75))
    assert (verdict.status, verdict.points, verdict.explanation) == (Status.PARTIAL, 3.0, told)


def test_a_check_that_is_worth_nothing_passes_with_any_score() -> None:
    assert verdict_of(Entry("t::f", "1.1", "F.", 0.0), None, None, 0).status is Status.PASSED


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (CheckFailed, Status.FAILED),
        (RuleBroken, Status.RULE_BROKEN),
        (StudentError, Status.STUDENT_ERROR),
        (PlayerTimeout, Status.TIMEOUT),
        (PlayerOutOfMemory, Status.OUT_OF_MEMORY),
        (PlayerCrashed, Status.CRASHED),
        (BadAnswer, Status.BAD_ANSWER),
        (Missing, Status.MISSING),
        (Blocked, Status.BLOCKED),
    ],
)
def test_each_problem_has_a_status_and_keeps_its_words(problem: type[SubmissionProblem], status: Status) -> None:
    told = Explanation("m", "e", "g", "d", "h", "v")
    verdict = verdict_of(ENTRY, None, problem(told), 4)
    assert (verdict.status, verdict.points, verdict.explanation) == (status, 0.0, told)


def test_a_plain_assertion_is_a_failed_check() -> None:
    verdict = verdict_of(ENTRY, None, raised(AssertionError, "no"))
    assert verdict.status is Status.FAILED and verdict.explanation == Explanation("no")
    assert verdict_of(ENTRY, None, raised(AssertionError)).explanation is not None
    assert verdict_of(ENTRY, None, raised(pytest.fail.Exception, "no")).status is Status.FAILED


def test_a_skipped_check_was_not_made() -> None:
    verdict = verdict_of(ENTRY, None, raised(pytest.skip.Exception, "no data"))
    assert verdict.status is Status.NOT_RUN and verdict.explanation == Explanation("This check was not made: no data")


@pytest.mark.parametrize("kind", [ValueError, KeyError, TypeError, RuntimeError, KeyboardInterrupt])
def test_everything_else_is_our_error_and_is_shown_to_staff_alone(kind: type[BaseException]) -> None:
    verdict = verdict_of(ENTRY, None, raised(kind, "secret value 7"))
    assert verdict.status is Status.GRADER_ERROR and verdict.explanation is not None
    told = verdict.explanation
    assert "not your fault" in told.message and "secret value 7" not in told.message + told.got + told.difference
    assert "secret value 7" in told.evidence and "in raised" in told.evidence


def test_remarks_and_output_are_in_every_verdict() -> None:
    for error in (None, CheckFailed("no"), raised(ValueError)):
        verdict = verdict_of(ENTRY, played("said"), error)
        assert verdict.output == "said" and verdict.flags == ("a flag", "seed of the draws: ab12")
        assert len(verdict.notes) == 1 and "\n" not in verdict.notes[0]


def test_texts_of_a_submission_are_made_fit_to_be_shown() -> None:
    bad = "\x1b[31mred\ud800\x00" + "x" * 10**5
    told = Explanation(bad, bad, bad, bad, bad, bad)
    verdict = verdict_of(ENTRY, played(bad), CheckFailed(told))
    assert verdict.explanation is not None
    for text in (*vars(verdict.explanation).values(), verdict.output):
        assert len(text) < 25_000 and "red" in text
        assert not {"\x1b", "\ud800", "\x00"} & set(text)
        text.encode()


def test_a_verdict_survives_as_text() -> None:
    for error in (None, CheckFailed(Explanation("é\n", "1", "2", "3", "4", "5"))):
        verdict = verdict_of(ENTRY, played("out"), error)
        assert verdict_from_json(verdict_to_json(verdict)) == verdict
    error = grader_error(ENTRY, "told")
    assert verdict_from_json(verdict_to_json(error)) == error and error.status is Status.GRADER_ERROR


def test_private_folders_are_in_no_text() -> None:
    error = CheckFailed(Explanation("/private/scratch/w.pt is not there", got="/private/x"))
    told = verdict_of(ENTRY, played(), error).explanation
    assert told is not None
    assert (told.message, told.got) == ("scratch/w.pt is not there", "x")
