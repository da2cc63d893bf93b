"""The pytest plugin: ``pytest assignments/NAME --submission PATH`` judges a submission, on its own or under ``-n``.

Loaded through an entry point, so it stays light: what needs torch is imported once a submission is given. The checks of
one submission can be spread over xdist's workers; all of them share one zygote, and the controller keeps the report.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from grader.judge.order import Order
    from grader.judge.zygote import Zygote


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of a judgement by hand; ``grader grade`` does without them."""
    group = parser.getgroup("scratchgrade", "judging a submission of a from-scratch assignment")
    group.addoption("--submission", metavar="PATH", help="folder, file or archive to judge")
    group.addoption("--seed", metavar="TEXT", default="", help="seed of all draws (default: a fresh one)")
    group.addoption("--device", choices=["cpu", "cuda", "auto"], default="cpu", help="where submissions run")
    group.addoption("--data", metavar="NAME|PATH", default="", help="data set for the checks that need one")
    group.addoption("--report", metavar="FILE", help="write the report to this file")


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marks, and the judge where there is a submission."""
    config.addinivalue_line("markers", "time_limit(cpu_seconds): computing time that this check may take in a player")
    if hasattr(config, "workerinput"):
        _configure_worker(config)
    elif config.getoption("submission"):
        _configure_by_hand(config)


def judge(config: pytest.Config, order: Order, *, runs: bool, records: bool) -> None:
    """Makes this process judge: run checks, keep the report, or both."""
    from grader.judge.judging import Judging
    from grader.judge.recording import Recording

    if runs:
        judging = Judging(order)
        config.pluginmanager.register(judging, "scratchgrade-judging")
        config.pluginmanager.register(judging.fixtures, "scratchgrade-fixtures")
    if records:
        config.pluginmanager.register(Recording(order, whole=_is_whole(config)), "scratchgrade-recording")


def _is_whole(config: pytest.Config) -> bool:
    """Whether all checks are asked for, and not a selection of them by hand."""
    selected = config.getoption("keyword", "") or config.getoption("markexpr", "")
    return not selected and not any("::" in str(argument) or str(argument).endswith(".py") for argument in config.args)


def _configure_worker(config: pytest.Config) -> None:
    from grader.judge.order import Order
    from grader.judge.workers import WORKER_INPUT

    text = config.workerinput.get(WORKER_INPUT)  # type: ignore[attr-defined]
    if text:
        # A worker has the options of the command line, and none that the controller has set since.
        config.option.continue_on_collection_errors = True
        judge(config, Order.from_json(text), runs=True, records=False)


def _configure_by_hand(config: pytest.Config) -> None:
    from grader.contract.signals import terminations_as_interruptions
    from grader.judge.zygote import Zygote

    spread = bool(getattr(config.option, "numprocesses", None))
    # A termination is an interruption, so that what was started is ended and what was graded is kept.
    terminations = ExitStack()
    terminations.enter_context(terminations_as_interruptions())
    config.add_cleanup(terminations.close)
    zygote = Zygote()
    folder = Path(tempfile.mkdtemp(prefix="grading-"))
    config.add_cleanup(lambda: _clean_up(zygote, folder))
    order = _order_by_hand(config, folder, zygote)
    config.option.continue_on_collection_errors = True
    if spread:
        from grader.judge.workers import Workers

        config.pluginmanager.register(Workers(order), "scratchgrade-workers")
    judge(config, order, runs=not spread, records=True)


def _order_by_hand(config: pytest.Config, folder: Path, zygote: Zygote) -> Order:
    from grader.contract.assignment import AssignmentError
    from grader.contract.course import Course
    from grader.judge.prepare import Options, prepare

    upload = Path(config.getoption("submission")).absolute()
    assignment_folder = _assignment_folder(config)
    report = config.getoption("report")
    try:
        course = Course(assignment_folder.parent.parent)
        assignment = course.assignment(assignment_folder.name)
        options = Options(config.getoption("seed"), config.getoption("device"), config.getoption("data"))
        target = Path(report).absolute() if report else None
        return prepare(upload, upload.stem, assignment, course.root, folder, zygote.wait(), target, options)
    except (AssignmentError, ValueError) as error:
        raise pytest.UsageError(str(error)) from error


def _assignment_folder(config: pytest.Config) -> Path:
    for argument in config.args:
        path = Path(str(argument).partition("::")[0]).absolute()
        for folder in (path, *path.parents):
            if (folder / "assignment.toml").is_file():
                return folder
    raise pytest.UsageError(
        "--submission needs the folder of an assignment, as in: pytest assignments/NAME --submission PATH"
    )


def _clean_up(zygote: Zygote, folder: Path) -> None:
    from grader.judge.folders import remove

    zygote.close()
    remove(folder)
