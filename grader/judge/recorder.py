"""Keeps the report: every entry of the ledger has a verdict from the start, and each change is written at once."""

from __future__ import annotations

import platform
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from grader import __version__
from grader.contract.assignment import Assignment
from grader.contract.ledger import Entry, Ledger
from grader.contract.report import (
    SCHEMA_VERSION,
    AssignmentInfo,
    EnvironmentInfo,
    Report,
    Times,
    to_json,
    write_atomically,
)
from grader.contract.verdict import NOT_MADE, Explanation, Status, Verdict
from grader.judge.order import Order
from grader.judge.outcome import grader_error
from grader.judge.rules.checks import FORBIDDEN_CALL


@dataclass(frozen=True)
class Loading:
    """What became of the submission when it was loaded.

    Attributes:
        layers: layer of confinement -> whether it is on, and a word on it.
        problems: modules that could not be imported, and statements that were left out.
    """

    layers: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class Recorder:
    """The report of one grading, in the process that answers for it."""

    def __init__(self, order: Order, assignment: Assignment, data: str) -> None:
        self.order = order
        self.assignment = assignment
        self.data = data
        self.ledger = Ledger(())
        self.entries: dict[str, Entry] = {}  # the ledger's, by the name of the check
        self.verdicts: dict[str, Verdict] = {}
        self.seconds: dict[str, float] = {}
        self.loading = Loading()
        self.started = datetime.now(timezone.utc)
        self.clock = time.monotonic()

    def open(self, ledger: Ledger) -> None:
        """Fixes the ledger; every check is *not run* until its verdict comes."""
        self.ledger = ledger
        self.entries = {entry.check: entry for entry in ledger.entries}
        for entry in ledger.entries:
            self.verdicts.setdefault(entry.check, entry.verdict(Status.NOT_RUN, NOT_MADE))
        self.write()

    def entry(self, check: str) -> Entry | None:
        """The entry of a check, by its name."""
        return self.entries.get(check)

    def tell(self, loading: dict[str, Any]) -> None:
        """Takes what a judging process knows of the submission's loading."""
        self.loading = Loading(**loading)

    def add(self, verdict: Verdict, seconds: float) -> None:
        """Takes a verdict; it replaces an earlier one on the same check."""
        self.verdicts[verdict.check] = verdict
        self.seconds[verdict.check] = round(seconds, 4)
        self.write()

    def fail(self, entry: Entry, error: str) -> None:
        """A check that ended without a verdict: our error."""
        self.verdicts[entry.check] = grader_error(entry, error)
        self.write()

    def report(self) -> Report:
        """The report as it stands."""
        order = self.order
        return Report(
            schema_version=SCHEMA_VERSION,
            grader_version=__version__,
            submission=replace(order.submission, problems=(*order.submission.problems, *self.loading.problems)),
            assignment=AssignmentInfo(self.assignment.name, self.assignment.content.title, self.assignment.digest),
            environment=EnvironmentInfo(
                python=platform.python_version(),
                torch=torch.__version__,
                device=order.device,
                data=self.data,
                seed=order.seed,
                confinement=self.loading.layers,
            ),
            verdicts=self._settled(),
            times=Times(
                started=self.started.isoformat(timespec="seconds"),
                seconds=round(time.monotonic() - self.clock, 3),
                per_check=self.seconds,
            ),
        )

    def _settled(self) -> tuple[Verdict, ...]:
        """Verdicts in the ledger's order; a forbidden function anywhere in a question costs the whole question."""
        ordered = [self.verdicts[entry.check] for entry in self.ledger.entries if entry.check in self.verdicts]
        ordered += [verdict for check, verdict in self.verdicts.items() if check not in self.entries]
        spoiled = {
            self._question(verdict): verdict.explanation
            for verdict in ordered
            if any(flag.startswith(FORBIDDEN_CALL) for flag in verdict.flags)
        }
        return tuple(_spoil(verdict, spoiled.get(self._question(verdict))) for verdict in ordered)

    @staticmethod
    def _question(verdict: Verdict) -> str:
        return verdict.number.rpartition(".")[0]

    def write(self, *, final: bool = False) -> None:
        """Writes the report, whole or not at all; the ``final`` one also survives a failure of power.

        A report that cannot be written now may be after the next check, so only ``final`` raises OSError for that.
        """
        if self.order.report is not None:
            with suppress(*(() if final else (OSError,))):
                write_atomically(Path(self.order.report), to_json(self.report()), durable=final)


def _spoil(verdict: Verdict, explanation: Explanation | None) -> Verdict:
    if explanation is None or verdict.status is Status.RULE_BROKEN:
        return verdict
    return replace(verdict, status=Status.RULE_BROKEN, points=0.0, explanation=explanation)
