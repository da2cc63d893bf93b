"""The part of the pytest plugin that runs checks: in the only process, or in each xdist worker."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from grader.contract.ledger import Entry, Ledger
from grader.contract.report import write_atomically
from grader.contract.text import one_line
from grader.contract.verdict import RuleBroken, Status, SubmissionProblem, Verdict
from grader.judge.advice.hints import Hints
from grader.judge.advice.theatre import Ran
from grader.judge.bench import Bench
from grader.judge.checks import entry_of, forget, given, wanted
from grader.judge.fixtures import ANSWERED, ENTRY, PART, PLAY, Fixtures, Part
from grader.judge.home import left_out
from grader.judge.order import Order, understudy_of
from grader.judge.outcome import grader_error, verdict_of
from grader.judge.players import Answered
from grader.judge.reports import (
    blame_the_answer,
    is_of_the_call,
    put,
    status_of,
    tells_more,
    told_in,
    verdict_in,
    with_note,
)

LOADING = "scratchgrade_loading"

# How a check can end with borrowed functions that says something about what is the submission's own.
_OWN = (Status.FAILED, Status.STUDENT_ERROR, Status.BAD_ANSWER)


class Judging:
    """Hooks of a process that runs checks; its fixtures are a plugin of their own."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.bench = Bench(order)
        self.fixtures = Fixtures(self.bench)
        self.hints = Hints(order, self.bench.assignment)

    @cached_property
    def understudy(self) -> Bench:
        """The reference in the submission's place; made when a check raises an error of ours."""
        return Bench(understudy_of(self.order, self.bench.assignment))

    # ---------------------------------------------------------------- collection

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Fixes the ledger, and leaves out what does not belong to this grading."""
        assignment, names = self.bench.assignment, self.bench.data.names
        away = left_out(assignment.answers)
        kept: list[pytest.Item] = []
        for item in items:
            if isinstance(item, pytest.Function):
                entry = entry_of(item, assignment)
                question = assignment.question_of(entry.number)
                asked = wanted(entry, question, names, self.order.visible_only, self.order.questions)
                if asked and entry.check not in away:
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
        """Judges a check, and tells pytest of it."""
        if ENTRY not in item.stash:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self.judged(item, nextitem):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def judged(self, item: pytest.Item, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
        """Runs a check, and again where that tells more; returns pytest's reports, of which one has the verdict.

        A check that failed runs again with the reference's version of what its question relies on. A check that raised
        an error of ours runs again on the reference: if that passes, the check is sound, and the answer was at fault.
        A check that failed may run on other draws and on wrong variants, too, for a hint (:mod:`.advice.hints`).
        """
        part = Part(lambda: self.bench)
        reports = self._run(item, nextitem, part)
        answered = _answered(item)
        if self._may_rely(item, reports):
            patched = Part(lambda: self.bench, patched=True)
            again = self._run(item, nextitem, patched)
            if status_of(again) in _OWN:
                # Without other functions' mistakes its own is easier to recognise.
                part, answered = patched, _answered(item)
            if tells_more(again, reports):
                reports = with_note(again, "What came of yours", told_in(reports))
            elif status_of(again) in _OWN and told_in(again) != told_in(reports):
                label = "With right versions of what it relies on it fails as well"
                reports = with_note(reports, label, told_in(again))
        if status_of(reports) is Status.GRADER_ERROR and is_of_the_call(reports):
            sound = self._at_home or (
                status_of(self._run(item, nextitem, Part(lambda: self.understudy, trusted=True))) is Status.PASSED
            )
            reports = [blame_the_answer(report) for report in reports] if sound else reports
        if self.order.hints and not self._at_home:
            if status_of(reports) is Status.FAILED:
                self._look_for_hint(item, nextitem, reports, part, answered)
            elif status_of(reports) is Status.PASSED:
                self.hints.passed(item.stash[ENTRY].number)
        return reports

    @property
    def _at_home(self) -> bool:
        """Whether the reference is away; every check that is made there has passed on it when answers were recorded."""
        return self.bench.home is not None and not self.bench.home.recording

    def _look_for_hint(
        self,
        item: pytest.Item,
        nextitem: pytest.Item | None,
        reports: list[pytest.TestReport],
        part: Part,
        answered: Answered,
    ) -> None:
        def run(other: Part) -> Ran:
            again = self._run(item, nextitem, other)
            return Ran(_answered(item), told_in(again))

        for report in reports:
            verdict = verdict_in(report)
            if verdict is not None and report.when == "call":
                found = _attempted(partial(self.hints.improved, verdict, part, answered, run))
                put(report, found if isinstance(found, Verdict) else replace(verdict, flags=(*verdict.flags, found)))

    def _run(self, item: pytest.Item, nextitem: pytest.Item | None, part: Part) -> list[pytest.TestReport]:
        item.stash[PART] = part
        item.stash[ANSWERED] = Answered()
        assert isinstance(item, pytest.Function)
        forget(item)
        if hasattr(item, "_request"):
            item._initrequest()
        return runtestprotocol(item, nextitem=nextitem, log=False)

    def _may_rely(self, item: pytest.Item, reports: list[pytest.TestReport]) -> bool:
        status = status_of(reports)
        question = self.bench.assignment.question_of(item.stash[ENTRY].number)
        if question is None or not question.relies_on or status in (Status.PASSED, Status.NOT_RUN, None):
            return False
        if self.bench.home is not None:
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
        if play is not None and not item.stash[PART].trusted:
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
            put(report, verdict)
            setattr(report, LOADING, json.dumps(self.bench.loading()))
        return report

    def _verdict(self, item: pytest.Item, entry: Entry, call: pytest.CallInfo[None]) -> Verdict:
        error = call.excinfo.value if call.excinfo is not None else None
        if error is not None and not _is_of_the_submission(error, call.when):
            return grader_error(entry, error)
        assert isinstance(item, pytest.Function)
        play = item.stash.get(PLAY, None)
        if play is not None:
            play.watch_autograd()
        verdict = verdict_of(entry, play, error, given(item, "__score__"))
        if play is not None and verdict.status is not Status.PASSED and not item.stash[PART].draw:
            play.lose(limit=verdict.status is Status.TIMEOUT)
        if play is not None and play.patched:
            names, more = ", ".join(play.question.relies_on), verdict.status is not Status.PASSED
            note = f"This was graded with a right version of {names}: yours made {'more of it' if more else 'it'} fail."
            verdict = replace(verdict, notes=(*verdict.notes, note))
        if play is not None and play.bench.home and play.question.relies_on and verdict.status is not Status.PASSED:
            names = ", ".join(play.question.relies_on)
            told = f"This runs through {names}. At home nothing is lent: see first whether these pass."
            verdict = replace(verdict, notes=(*verdict.notes, told))
        return _with_leaderboard(verdict, entry, given(item, "__leaderboard_value__"))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Ends the submission's processes."""
        self.bench.close()
        if "understudy" in self.__dict__:
            self.understudy.close()


def _attempted(improve: Callable[[], Verdict]) -> Verdict | str:
    """A verdict with a hint, or for staff why there is none: advice that fails costs nobody a verdict."""
    call = pytest.CallInfo.from_call(improve, "call", reraise=KeyboardInterrupt)
    if call.excinfo is None:
        return call.result
    return one_line(f"no hint was found, through a fault of ours: {call.excinfo.exconly()}", 1000)


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


def _answered(item: pytest.Item) -> Answered:
    """What was answered in the last run of a check."""
    return item.stash.get(ANSWERED, Answered())


def _with_leaderboard(verdict: Verdict, entry: Entry, value: Any) -> Verdict:
    if entry.leaderboard is None or not isinstance(value, int | float) or not math.isfinite(value):
        return verdict
    return replace(verdict, leaderboard=(entry.leaderboard[0], float(value), entry.leaderboard[1]))
