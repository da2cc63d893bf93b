"""Grades one submission: pytest, in a process of its own, runs the assignment's checks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from grader.contract.assignment import Assignment
from grader.grading.job import Job
from grader.judge import judging, plugin, recording  # noqa: F401 - imported before judges are forked
from grader.judge.order import Order
from grader.judge.prepare import Options, prepare


@dataclass(frozen=True)
class Setting:
    """What all submissions of a run have in common."""

    course: Path
    assignment: Assignment
    options: Options
    address: Path


class _Order:
    """Hands an order to pytest's configuration."""

    def __init__(self, order: Order) -> None:
        self.order = order

    def pytest_configure(self, config: pytest.Config) -> None:
        """Makes this pytest run judge."""
        plugin.judge(config, self.order, runs=True, records=True)


def judge_in_this_process(job: Job, setting: Setting, folder: Path) -> int:
    """Judges ``job`` and writes its report; returns pytest's exit code.

    ``folder`` exists and is empty; whoever made it removes it, since a judge may end at any moment.
    """
    order = prepare(
        job.upload,
        job.name,
        setting.assignment,
        setting.course,
        folder,
        setting.address,
        job.report,
        setting.options,
    )
    return run_checks(setting.assignment, _Order(order))


def run_checks(assignment: Assignment, judge: object) -> int:
    """Runs pytest on the checks of ``assignment`` with the plugin ``judge``; returns pytest's exit code."""
    # What this process was forked from may have imported modules of the same names.
    for checks in assignment.folder.rglob("test_*.py"):
        sys.modules.pop(checks.stem, None)
    return int(pytest.main(_arguments(assignment), plugins=[judge]))


def _arguments(assignment: Assignment) -> list[str]:
    folder = str(assignment.folder)
    return [
        "-q",
        # Verdicts explain themselves; pytest's own account of a failed check takes longer than the check.
        "--tb=native",
        "-p",
        "grader.judge.plugin",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:logging",
        "-p",
        "no:unraisableexception",  # it collects all garbage, twice
        "-c",
        os.devnull,
        f"--rootdir={folder}",
        f"--confcutdir={folder}",
        "--import-mode=importlib",
        "--continue-on-collection-errors",
        f"--ignore={assignment.provided}",
        folder,
    ]


@contextmanager
def plain_pytest() -> Iterator[None]:
    """No plugin and no option of the machine's environment has a say in a verdict."""
    names = ("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTEST_PLUGINS", "PYTEST_ADDOPTS")
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        yield
    finally:
        del os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
        os.environ.update(before)
