"""The part of the pytest plugin that runs checks: in the only process, or in each xdist worker."""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from grader.contract.ledger import Entry, Ledger
from grader.contract.report import write_atomically
from grader.contract.verdict import RuleBroken, Status, SubmissionProblem, Verdict
from grader.judge.bench import Bench
from grader.judge.checks import entry_of, forget, given, wanted
from grader.judge.fixtures import CAST, ENTRY, PLAY, Cast, Fixtures
from grader.judge.order import Order, understudy_of
from grader.judge.outcome import grader_error, unusable_answer, verdict_from_json, verdict_of, verdict_to_json

VERDICT = "scratchgrade_verdict"
LOADING = "scratchgrade_loading"


class Judging:
    """Hooks of a process that runs checks; its fixtures are a plugin of their own."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.bench = Bench(order)
        self.fixtures = Fixtures(self.bench, lambda: self.understudy)

    @cached_property
    def understudy(self) -> Bench:
        """The reference in the submission's place; made when a check raises an error of ours."""
        return Bench(understudy_of(self.order, self.bench.assignment))

    # ---------------------------------------------------------------- collection

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Fixes the ledger, and leaves out what does not belong to this grading."""
        assignment, names = self.bench.assignment, self.bench.data.names
        kept: list[pytest.Item] = []
        for item in items:
            if isinstance(item, pytest.Function):
                entry = entry_of(item, assignment)
                if wanted(entry, assignment.question_of(entry.number), names, self.order.visible_only):
                    item.stash[ENTRY] = entry
                    kept.append(item)
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept
        ledger = Ledger.of([item.stash[ENTRY] for item in kept])
        if not self.order.ledger_file.exists():
            write_atomically(self.order.ledger_file, ledger.to_json())

    # ---------------------------------------------------------------- running

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Runs a check, and again where that tells more.

        A check that failed runs again with the reference's version of what its question relies on. A check that raised
        an error of ours runs again on the reference: if that passes, the check is sound, and the answer was at fault.
        """
        if ENTRY not in item.stash:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = self._run(item, nextitem, Cast.SUBMISSION)
        if self._may_rely(item, reports):
            again = self._run(item, nextitem, Cast.PATCHED)
            reports = again if _tells_more(again, reports) else reports
        if _status(reports) is Status.GRADER_ERROR and _is_of_the_call(reports):
            sound = _status(self._run(item, nextitem, Cast.UNDERSTUDY)) is Status.PASSED
            reports = [_blame_the_answer(report) for report in reports] if sound else reports
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _run(self, item: pytest.Item, nextitem: pytest.Item | None, cast: Cast) -> list[pytest.TestReport]:
        item.stash[CAST] = cast
        assert isinstance(item, pytest.Function)
        forget(item)
        if hasattr(item, "_request"):
            item._initrequest()
        return runtestprotocol(item, nextitem=nextitem, log=False)

    def _may_rely(self, item: pytest.Item, reports: list[pytest.TestReport]) -> bool:
        status = _status(reports)
        question = self.bench.assignment.question_of(item.stash[ENTRY].number)
        if question is None or not question.relies_on or status in (Status.PASSED, Status.NOT_RUN, None):
            return False
        return status is not Status.RULE_BROKEN or self.bench.text_of(question).broken_rule is None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Generator[None, None, None]:
        """Keeps a fixture from ending the session."""
        with _no_way_out():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Generator[None, None, None]:
        """Keeps a fixture from ending the session."""
        with _no_way_out():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """Refuses a check whose function breaks a rule, before it runs."""
        play = item.stash.get(PLAY, None)
        if play is not None and item.stash[CAST] is not Cast.UNDERSTUDY:
            problem = self.bench.text_of(play.question).broken_rule
            if problem is not None:
                raise RuleBroken(problem.explanation)
            play.watch_text()
        with _no_way_out():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Puts the verdict into pytest's report, so that it travels with it from worker to controller."""
        report = yield
        entry = item.stash.get(ENTRY, None)
        if entry is not None and (call.when == "call" or call.excinfo is not None):
            verdict = self._verdict(item, entry, call)
            # Text crosses from worker to controller whole; enums and nested tuples do not.
            setattr(report, VERDICT, verdict_to_json(verdict))
            setattr(report, LOADING, json.dumps(self.bench.loading()))
            _settle(report, verdict)
        return report

    def _verdict(self, item: pytest.Item, entry: Entry, call: pytest.CallInfo[None]) -> Verdict:
        error = call.excinfo.value if call.excinfo is not None else None
        if error is not None and not _is_of_the_submission(error, call.when):
            return grader_error(entry, error)
        assert isinstance(item, pytest.Function)
        play = item.stash.get(PLAY, None)
        verdict = verdict_of(entry, play, error, given(item, "__score__"))
        if play is not None and verdict.status is not Status.PASSED:
            play.bench.lose(play, limit=verdict.status is Status.TIMEOUT)
        if play is not None and play.patched:
            names, more = ", ".join(play.question.relies_on), verdict.status is not Status.PASSED
            note = f"This was graded with a right version of {names}: yours made {'more of it' if more else 'it'} fail."
            verdict = replace(verdict, notes=(*verdict.notes, note))
        return _with_leaderboard(verdict, entry, given(item, "__leaderboard_value__"))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Ends the submission's processes."""
        self.bench.close()
        if "understudy" in self.__dict__:
            self.understudy.close()


@contextmanager
def _no_way_out() -> Iterator[None]:
    """``pytest.exit`` within a check is our error in this check, and ends no other."""
    try:
        yield
    except pytest.exit.Exception as error:
        raise RuntimeError(f"pytest.exit was called: {error.msg}") from error


def _is_of_the_submission(error: BaseException, when: str) -> bool:
    """Whether ``error`` may say something about the submission, by the phase of the check in which it was raised.

    What fails while a fixture is set up is ours, unless the submission was asked there and did wrong.
    """
    if when == "teardown":
        return False
    return when == "call" or isinstance(error, SubmissionProblem | pytest.skip.Exception | pytest.xfail.Exception)


def _verdict_in(reports: list[pytest.TestReport]) -> Verdict | None:
    """The last verdict that these reports carry."""
    for report in reversed(reports):
        text = getattr(report, VERDICT, None)
        if text is not None:
            return verdict_from_json(text)
    return None


def _status(reports: list[pytest.TestReport]) -> Status | None:
    """How the check ended."""
    verdict = _verdict_in(reports)
    return None if verdict is None else verdict.status


def _tells_more(again: list[pytest.TestReport], first: list[pytest.TestReport]) -> bool:
    """Whether a run with right parts in the place of the submission's says what the first one could not.

    It earns more, or an exception of the first, which may have come from a part, hid what is the question's own.
    """
    now, before = _verdict_in(again), _verdict_in(first)
    if now is None or before is None:
        return False
    hidden = now.status is Status.FAILED and before.status is Status.STUDENT_ERROR
    return now.points > before.points or now.status is Status.PASSED or hidden


def _is_of_the_call(reports: list[pytest.TestReport]) -> bool:
    """Whether the check itself failed, rather than what pytest does around it."""
    return any(report.when == "call" and report.failed for report in reports)


def _blame_the_answer(report: pytest.TestReport) -> pytest.TestReport:
    """The report of a check that could not use an answer, although it works on the reference's."""
    text = getattr(report, VERDICT, None)
    if text is not None and report.when == "call":
        verdict = unusable_answer(verdict_from_json(text))
        setattr(report, VERDICT, verdict_to_json(verdict))
        _settle(report, verdict)
    return report


def _with_leaderboard(verdict: Verdict, entry: Entry, value: Any) -> Verdict:
    if entry.leaderboard is None or not isinstance(value, int | float) or not math.isfinite(value):
        return verdict
    return replace(verdict, leaderboard=(entry.leaderboard[0], float(value), entry.leaderboard[1]))


def _settle(report: pytest.TestReport, verdict: Verdict) -> None:
    """pytest's own outcome follows the verdict, with a text that a person can read."""
    passed = verdict.status in (Status.PASSED, Status.NOT_RUN)
    report.outcome = "skipped" if verdict.status is Status.NOT_RUN else "passed" if passed else "failed"
    told = verdict.explanation
    if not passed and told is not None and verdict.status is not Status.GRADER_ERROR:
        parts = [
            told.message,
            told.expected and f"expected: {told.expected}",
            told.got and f"got: {told.got}",
            told.difference,
        ]
        report.longrepr = f"[{verdict.status.value}] {verdict.number} {verdict.title}\n" + "\n".join(
            filter(None, parts)
        )
