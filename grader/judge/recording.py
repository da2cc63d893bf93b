"""The part of the pytest plugin that keeps the report: in the only process, or in the controller of xdist's workers."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from grader.contract.assignment import Question
from grader.contract.ledger import Ledger, missing_entry
from grader.contract.report import write_atomically
from grader.judge.checks import name_in
from grader.judge.data import Data
from grader.judge.judging import LOADING
from grader.judge.order import Order
from grader.judge.outcome import verdict_from_json
from grader.judge.recorder import Recorder
from grader.judge.reports import VERDICT


class Recording:
    """Hooks of the process that answers for the report.

    Args:
        order: the grading.
        whole: whether all checks run, so that their points must add up to what ``assignment.toml`` says.
    """

    def __init__(self, order: Order, *, whole: bool = True) -> None:
        self.order = order
        self.whole = whole and not order.visible_only and not order.questions
        self.assignment = order.open_assignment()
        data = Data(order.data, order.folder / "shared")
        self.names = data.names
        self.recorder = Recorder(order, self.assignment, data.summary())
        self.not_collected: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remembers a file of checks that could not be collected."""
        if report.failed:
            self.not_collected.append(f"{report.nodeid}: {report.longreprtext}")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        """Opens the report with the ledger, in the process that collected it."""
        self._open()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Any) -> None:
        """Opens the report with the ledger that the first worker has written."""
        self._open()

    def _open(self) -> None:
        if self.recorder.ledger.entries or not self.order.ledger_file.exists():
            return
        ledger = Ledger.from_json(self.order.ledger_file.read_text())
        if not self.not_collected and self.whole:
            problems = ledger.problems(self.assignment, self.names)
            if problems:
                text = "\n".join([f"{self.assignment.folder}: the checks are not usable:", *problems])
                write_atomically(self.order.unusable_file, text)
                raise pytest.UsageError(text)
        self.recorder.open(ledger)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Takes the verdict that a report carries; a report without one, that failed, is our error."""
        text = getattr(report, VERDICT, None)
        if text is not None:
            self.recorder.tell(json.loads(getattr(report, LOADING)))
            self.recorder.add(verdict_from_json(text), report.duration)
        elif report.failed:
            entry = self.recorder.entry(name_in(report.nodeid))
            if entry is not None:
                self.recorder.fail(entry, f"the check ended without a verdict:\n{report.longreprtext}")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Gives every question of which checks were not collected a verdict for them, and writes the report."""
        self._open()
        if self.not_collected:
            for question in self.assignment.content.questions:
                lost = self._lost_points(question)
                if lost > 0 and question.asked_with(self.names):
                    self.recorder.fail(missing_entry(question, lost), "\n".join(self.not_collected))
        self.recorder.write(final=True)

    def _lost_points(self, question: Question) -> float:
        """What the checks of a question are worth that are not in the ledger."""
        entries = self.recorder.ledger.entries
        mine = [entry.points for entry in entries if self.assignment.question_of(entry.number) is question]
        return round(question.points - math.fsum(mine), 6)
