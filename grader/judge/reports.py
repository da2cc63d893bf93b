"""Verdicts within pytest's reports, with which they travel from worker to controller."""

from __future__ import annotations

from dataclasses import replace

import pytest

from grader.contract.text import one_line
from grader.contract.verdict import Status, Verdict
from grader.judge.outcome import unusable_answer, verdict_from_json, verdict_to_json

VERDICT = "scratchgrade_verdict"


def put(report: pytest.TestReport, verdict: Verdict) -> None:
    """Makes ``report`` carry ``verdict``: pytest's own outcome follows it, with a text that a person can read."""
    # Text crosses from worker to controller whole; enums and nested tuples do not.
    setattr(report, VERDICT, verdict_to_json(verdict))
    passed = verdict.status in (Status.PASSED, Status.NOT_RUN)
    report.outcome = "skipped" if verdict.status is Status.NOT_RUN else "passed" if passed else "failed"
    told = verdict.explanation
    if not passed and told is not None and verdict.status is not Status.GRADER_ERROR:
        parts = [
            told.message,
            told.expected and f"expected: {told.expected}",
            told.got and f"got: {told.got}",
            told.difference,
            told.hint and f"hint: {told.hint}",
        ]
        report.longrepr = f"[{verdict.status.value}] {verdict.number} {verdict.title}\n" + "\n".join(
            filter(None, parts)
        )


def verdict_in(report: pytest.TestReport) -> Verdict | None:
    """The verdict that a report carries, if it carries one."""
    text = getattr(report, VERDICT, None)
    return None if text is None else verdict_from_json(text)


def last_verdict(reports: list[pytest.TestReport]) -> Verdict | None:
    """The last verdict that these reports carry."""
    verdicts = [verdict for verdict in map(verdict_in, reports) if verdict is not None]
    return verdicts[-1] if verdicts else None


def status_of(reports: list[pytest.TestReport]) -> Status | None:
    """How the check ended."""
    verdict = last_verdict(reports)
    return None if verdict is None else verdict.status


def told_in(reports: list[pytest.TestReport]) -> str:
    """The first line that a student reads about why the check failed."""
    verdict = last_verdict(reports)
    told = verdict.explanation if verdict is not None else None
    return told.message.partition("\n")[0] if told is not None else ""


def with_note(reports: list[pytest.TestReport], label: str, told: str) -> list[pytest.TestReport]:
    """The reports, with a remark in each verdict on how the check ended otherwise."""
    for report in reports:
        verdict = verdict_in(report)
        if verdict is not None and told:
            put(report, replace(verdict, notes=(*verdict.notes, one_line(f"{label}: {told}", 1000))))
    return reports


def tells_more(again: list[pytest.TestReport], first: list[pytest.TestReport]) -> bool:
    """Whether a run with right parts in the place of the submission's says what the first one could not.

    It earns more, or an exception of the first, which may have come from a part, hid what is the question's own.
    """
    now, before = last_verdict(again), last_verdict(first)
    if now is None or before is None:
        return False
    hidden = now.status is Status.FAILED and before.status is Status.STUDENT_ERROR
    return now.points > before.points or now.status is Status.PASSED or hidden


def is_of_the_call(reports: list[pytest.TestReport]) -> bool:
    """Whether the check itself failed, rather than what pytest does around it."""
    return any(report.when == "call" and report.failed for report in reports)


def blame_the_answer(report: pytest.TestReport) -> pytest.TestReport:
    """The report of a check that could not use an answer, although it works on the reference's."""
    verdict = verdict_in(report)
    if verdict is not None and report.when == "call":
        put(report, unusable_answer(verdict))
    return report
