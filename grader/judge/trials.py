"""Many variants before one judge process: the checks are collected once, and made on each variant in its turn."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pytest

from grader.contract.verdict import Status, Verdict
from grader.judge.bench import Bench
from grader.judge.fixtures import ENTRY
from grader.judge.judging import Judging
from grader.judge.order import Order, understudy_of
from grader.judge.reports import verdict_in


@dataclass(frozen=True)
class Trial:
    """One variant of the reference.

    Attributes:
        texts: module -> its text, where it differs from the reference.
        numbers: numbers of the checks, or of whole questions, to make; empty for all.
        until_one_fails: stop at the first check that does not pass; those after it are not made.
        then_all: make the other checks after these.
    """

    texts: Mapping[str, str]
    numbers: Collection[str] = ()
    until_one_fails: bool = False
    then_all: bool = False

    def asks_for(self, number: str) -> bool:
        """Whether the check ``number`` is made."""
        return not self.numbers or bool({number, number.rpartition(".")[0]} & set(self.numbers))


@dataclass(frozen=True)
class Outcome:
    """What came of one trial: for each check that was made its status, and what was said where it did not pass."""

    trial: int
    statuses: dict[str, str] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)


class Trying(Judging):
    """Makes the checks on each of ``trials``, all of them on the same draws, and writes an outcome a line to ``out``.

    Args:
        order: the order to judge the reference.
    """

    def __init__(self, order: Order, trials: Sequence[Trial], out: Path) -> None:
        super().__init__(replace(order, hints=False))
        self._base = understudy_of(order, self.bench.assignment)
        self._trials = trials
        self._out = out

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Takes the place of pytest's own loop."""
        if session.testsfailed:
            raise session.Interrupted("the checks could not be collected")
        checks = [item for item in session.items if ENTRY in item.stash]
        with self._out.open("w", encoding="utf-8") as out:
            out.write(json.dumps([item.stash[ENTRY].number for item in checks]) + "\n")
            for number, trial in enumerate(self._trials):
                outcome = self._try(number, trial, checks)
                out.write(json.dumps(asdict(outcome)) + "\n")
                out.flush()
        return True

    def _try(self, number: int, trial: Trial, checks: Sequence[pytest.Item]) -> Outcome:
        sources = {name: (path, trial.texts.get(name, text)) for name, (path, text) in self._base.sources.items()}
        self.bench = Bench(replace(self._base, sources=sources))
        outcome = Outcome(number)
        try:
            for item in _chosen(trial, checks):
                verdict = self._verdict_on(item)
                outcome.statuses[verdict.number] = verdict.status.value
                if verdict.status is not Status.PASSED:
                    outcome.told[verdict.number] = _told(verdict)
                    if trial.until_one_fails and verdict.status is not Status.NOT_RUN:
                        break
        finally:
            self.bench.close()
        return outcome

    def _verdict_on(self, item: pytest.Item) -> Verdict:
        verdicts = [verdict for verdict in map(verdict_in, self.judged(item, None)) if verdict is not None]
        return verdicts[-1]


def _chosen(trial: Trial, checks: Sequence[pytest.Item]) -> list[pytest.Item]:
    asked = [item for item in checks if trial.asks_for(item.stash[ENTRY].number)]
    return asked + [item for item in checks if trial.then_all and item not in asked]


def _told(verdict: Verdict) -> str:
    told = verdict.explanation
    if told is None:
        return ""
    if verdict.status is Status.GRADER_ERROR:
        lines = told.evidence.strip().splitlines()
        return lines[-1] if lines else told.message
    return told.message


@dataclass(frozen=True)
class Outcomes:
    """What a judge wrote: the numbers of all checks, and the outcome of each trial that it came to."""

    checks: tuple[str, ...]
    of: dict[int, Outcome]


def read_outcomes(file: Path) -> Outcomes | None:
    """What was written to ``file`` so far; ``None`` where the checks were not collected."""
    if not file.exists():
        return None
    head, *lines = file.read_text(encoding="utf-8").splitlines()
    outcomes = [Outcome(**json.loads(line)) for line in lines]
    return Outcomes(tuple(json.loads(head)), {outcome.trial: outcome for outcome in outcomes})


class TryingPlugin:
    """Makes a pytest run try variants; see :class:`Trying`."""

    def __init__(self, order: Order, trials: Sequence[Trial], out: Path) -> None:
        self._trying = Trying(order, trials, out)

    def pytest_configure(self, config: pytest.Config) -> None:
        """Registers the judge and its fixtures."""
        config.pluginmanager.register(self._trying, "scratchgrade-judging")
        config.pluginmanager.register(self._trying.fixtures, "scratchgrade-fixtures")
