"""From what pytest saw of a check to its verdict. Every path ends in exactly one explicit status."""

from __future__ import annotations

import math
import traceback
from dataclasses import fields, replace
from functools import cache

import pytest
from pydantic import TypeAdapter

from grader.contract.ledger import Entry
from grader.contract.text import one_line, printable
from grader.contract.verdict import SEED_FLAG, Explanation, Status, SubmissionProblem, Verdict
from grader.judge.play import Play

MAX_OUTPUT = 20_000
MAX_EVIDENCE = 20_000
MAX_TEXT = 8_000


def verdict_of(entry: Entry, play: Play | None, error: BaseException | None, score: object = None) -> Verdict:
    """The verdict on a check whose function raised ``error``, or returned when that is ``None``.

    ``score`` is what the check gave to gradescope-utils' ``set_score``: points, or ``None``.
    """
    if error is None:
        return _finished(entry, play, score)
    if isinstance(error, SubmissionProblem):
        return _clean(entry.verdict(error.status, error.explanation, share=error.share), play)
    if isinstance(error, pytest.skip.Exception | pytest.xfail.Exception):
        reason = Explanation(f"This check was not made: {error.msg}")
        return _clean(entry.verdict(Status.NOT_RUN, reason), play)
    if isinstance(error, pytest.fail.Exception | AssertionError):
        # The check's own assertion: the values that it compared are the submission's.
        return _clean(
            entry.verdict(Status.FAILED, Explanation(str(error) or "The answer is not what was expected.")), play
        )
    return _clean(grader_error(entry, error), play)


def grader_error(entry: Entry, error: BaseException | str) -> Verdict:
    """The verdict that says that we failed, not the submission."""
    text = error if isinstance(error, str) else "".join(traceback.format_exception(error))
    explanation = Explanation(
        "The grader itself failed in this check. This is not your fault; your instructor sees the details.",
        evidence=printable(text, MAX_EVIDENCE),
    )
    return entry.verdict(Status.GRADER_ERROR, explanation)


def unusable_answer(verdict: Verdict) -> Verdict:
    """The verdict instead of a grader error, once the same check has passed on the reference."""
    evidence = verdict.explanation.evidence if verdict.explanation else ""
    last = evidence.strip().splitlines()[-1] if evidence.strip() else ""
    explanation = Explanation(
        "The answer is not of the form that this check can use. Compare the types and shapes that the function returns "
        "with its description.",
        got=one_line(last, 300),
        evidence=evidence,
    )
    return replace(verdict, status=Status.BAD_ANSWER, points=0.0, explanation=explanation)


def _finished(entry: Entry, play: Play | None, score: object) -> Verdict:
    if score is None:
        return _clean(entry.verdict(Status.PASSED, share=1.0), play)
    if not isinstance(score, int | float) or isinstance(score, bool) or not math.isfinite(score):
        return _clean(grader_error(entry, f"set_score was given {score!r}; a number of points was expected"), play)
    share = float(score) / entry.points if entry.points else 1.0
    verdict = entry.verdict(Status.PASSED, share=share)
    if verdict.points < verdict.max_points:
        status = Status.PARTIAL if verdict.points > 0 else Status.FAILED
        text = f"This check earned {verdict.points:g} of {verdict.max_points:g} points."
        verdict = replace(verdict, status=status, explanation=Explanation(text))
    return _clean(verdict, play)


def _clean(verdict: Verdict, play: Play | None) -> Verdict:
    """The verdict with the check's remarks, and with every text made fit to be shown."""
    told = verdict.explanation
    if told is not None:
        texts = {field.name: getattr(told, field.name) for field in fields(told)}
        if play is not None:
            texts = {name: play.without_places(text) for name, text in texts.items()}
        told = Explanation(
            **{name: printable(text, MAX_EVIDENCE if name == "evidence" else MAX_TEXT) for name, text in texts.items()}
        )
    if play is None:
        return replace(verdict, explanation=told)
    return replace(
        verdict,
        explanation=told,
        notes=tuple(one_line(note, 1000) for note in play.notes),
        flags=tuple(one_line(flag, 1000) for flag in [*play.flags, f"{SEED_FLAG}{play.draw.seed_text}"]),
        output=printable(play.output(), MAX_OUTPUT),
        pictures=tuple(play.pictures),
    )


@cache
def _adapter() -> TypeAdapter[Verdict]:
    return TypeAdapter(Verdict)


def verdict_to_json(verdict: Verdict) -> str:
    """The verdict as text that travels between processes."""
    text: str = _adapter().dump_json(verdict).decode()
    return text


def verdict_from_json(text: str) -> Verdict:
    """The verdict that :func:`verdict_to_json` wrote."""
    return _adapter().validate_json(text)
