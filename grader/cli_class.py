"""A class on the command line: grading it with progress and a journal, and what is written.

What needs torch is imported once something has to be graded: a class of which nothing changed is done before that.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from grader.exits import UsageError
from grader.grading.attempts import POLICIES, best

if TYPE_CHECKING:
    from grader.contract.assignment import Assignment
    from grader.contract.course import Course
    from grader.contract.report import Report
    from grader.grading.job import Finished, Job
    from grader.grading.journal import Journal
    from grader.grading.run import Run
    from grader.grading.similarity import Pair
    from grader.judge.prepare import Options

_MEMORY_OF_A_JUDGE = 700 * 2**20
"""What one grading needs at its peak, in bytes: judge, loader and players of A4, and its share of the zygote."""

_REFRESH_SECONDS = 0.2
"""Between two pictures of the bar; a run is asked far more often whether a judge has ended."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``grader grade`` that concern a class as a whole."""
    parser.add_argument(
        "-j", "--jobs", type=int, default=0, help="submissions graded at a time (default: as cores and memory allow)"
    )
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="of these alone; * stands for any")
    parser.add_argument(
        "--roster", type=Path, metavar="CSV", help="list of the class, with columns such as name, sid, email, login"
    )
    parser.add_argument(
        "--failed", action="store_true", help="of those alone that lost a check when they were graded last, once again"
    )
    parser.add_argument(
        "--attempts",
        choices=POLICIES,
        default=POLICIES[0],
        help="which of several uploads of one person counts; all: each for itself (default: latest)",
    )
    parser.add_argument("--again", action="store_true", help="grade those that were graded and did not change, too")
    parser.add_argument("--similar", action="store_true", help="also tell which submissions are suspiciously alike")
    parser.add_argument("--diff", type=Path, metavar="OLD", help="show what changed against the reports in this folder")


def default_jobs() -> int:
    """As many submissions at a time as there are cores, and as the free memory has room for; at least one."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, int(psutil.virtual_memory().available // _MEMORY_OF_A_JUDGE)))


class Whole(Protocol):
    """A run over submissions: each as it ends, and ``None`` now and then."""

    doing: str
    """What takes long just now, in a few words."""

    def __iter__(self) -> Generator[Finished | None, None, None]: ...


Start = Callable[[Sequence["Job"]], "Whole | Run"]
"""Starts a run over some submissions."""


@contextmanager
def grading() -> Iterator[Callable[[], Path]]:
    """The zygote; yields what waits for its address."""
    from grader.grading.ready import ready

    with ready() as address:
        yield address


@contextmanager
def on_this_machine(assignment: Assignment, course: Course, choices: Options, at_once: int) -> Iterator[Start]:
    """Runs in processes of this machine, ``at_once`` submissions at a time."""
    with grading() as address:
        yield local_start(assignment, course, choices, at_once, address)


def local_start(
    assignment: Assignment, course: Course, choices: Options, at_once: int, address: Callable[[], Path]
) -> Start:
    """Runs on the zygote that ``address`` waits for."""
    from grader.grading.grade import Setting
    from grader.grading.run import Run
    from grader.judge import reference

    reference.load(assignment)
    setting = Setting(course.root, assignment, choices, address())
    return lambda jobs: Run(jobs, setting, at_once)


def run(jobs: Sequence[Job], start: Start, label: str) -> Iterator[Finished]:
    """Grades ``jobs`` and writes what is made of each report; each as it ends, with a bar on the terminal."""
    try:
        whole = start(jobs)
        with closing(iter(whole)) as ended:
            for each in _with_progress(ended, whole, len(jobs), label):
                if each.unusable:
                    raise UsageError(each.unusable)
                yield _written(each)
    except KeyboardInterrupt:
        _keep_what_was_graded(jobs)
        raise


def run_with_journal(
    jobs: list[Job],
    chosen: list[Job],
    around: str,
    machines: Callable[[], AbstractContextManager[Start]],
    journal: Journal,
    *,
    label: str,
    again: bool = False,
) -> list[Finished]:
    """Grades those of ``chosen`` that the journal does not hold, or all of them where ``again`` is set.

    ``around`` are the circumstances that decide verdicts beside an upload. ``machines`` makes ready what grades, if
    anything has to be graded. What the grader itself failed on is tried once more in the same run. Returned are, in the
    order of ``jobs``, the chosen ones and those others that were graded before.
    """
    from grader.grading.journal import key_of, line_of

    keys = {job.name: key_of(job.upload, around) for job in chosen}
    done = dict(_graded_before(jobs, {} if again else keys, set(keys), journal))
    waiting = [job for job in chosen if job.name not in done]
    if len(waiting) < len(chosen):
        print(f"{len(chosen) - len(waiting)} of {len(chosen)} were graded before and did not change (see --again)")
    for _ in range(2):
        if not waiting:
            break
        with machines() as start:
            for each in run(waiting, start, label):
                done[each.job.name] = each
                if each.report is not None:
                    journal.add(line_of(each.job.name, keys[each.job.name], each.report))
        waiting = [job for job in waiting if done[job.name].grader_failed]
    journal.put_in_order([job.name for job in jobs])
    return [done[job.name] for job in jobs if job.name in done]


def lost_a_check(jobs: Sequence[Job], journal: Journal) -> list[Job]:
    """Those of ``jobs`` that were graded, and did not pass every check.

    Raises:
        UsageError: if there is none.
    """
    lost = [job for job in jobs if _passed(job, journal) is False]
    if not lost:
        raise UsageError(f"no submission in {journal.path.parent} lost a check; leave --failed out to grade them all.")
    return lost


def _passed(job: Job, journal: Journal) -> bool | None:
    """Whether a submission passed every check, and ``None`` where it was never graded."""
    from grader.contract.verdict import Status

    line = journal.lines.get(job.name)
    report = journal.report(job.name, line.key, job.report) if line else None
    if report is None:
        return None if line is None else False
    return all(verdict.status is Status.PASSED for verdict in report.verdicts)


def _graded_before(
    jobs: list[Job], keys: dict[str, str], chosen: set[str], journal: Journal
) -> Iterator[tuple[str, Finished]]:
    """The submissions that need no grading now: chosen ones that did not change, and others whatever they are now."""
    from grader.grading.job import Finished

    for job in jobs:
        key = keys.get(job.name) if job.name in chosen else journal.key(job.name)
        report = journal.report(job.name, key, job.report) if key else None
        if report is not None:
            yield job.name, Finished(job, report, log="")


def best_of(finished: Sequence[Finished]) -> list[Finished]:
    """The best attempt of each person, told on the terminal where there were several."""
    kept, told = best(finished)
    print("".join(f"{line}\n" for line in told), end="")
    return kept


def require_comparison() -> None:
    """Raises :class:`UsageError` where submissions cannot be compared with each other."""
    if importlib.util.find_spec("copydetect") is None:
        raise UsageError("--similar needs copydetect: pip install 'scratchgrade[similarity]'")


def alike(finished: Sequence[Finished], assignment: Assignment) -> list[Pair]:
    """The pairs of submissions that are suspiciously alike, named on the terminal by their number."""
    from grader.grading.similarity import similar_pairs, sources

    pairs = similar_pairs(sources([each.job for each in finished], assignment), assignment)
    print(f"{len(pairs)} pairs of submissions are alike (see similar.html)")
    return pairs


def show(
    finished: Sequence[Finished], title: str, out: Path, platform: str = "", pairs: Sequence[Pair] | None = None
) -> None:
    """The class in the terminal, and its pages and exports in ``out``."""
    from grader.pages.files import write_class
    from grader.pages.terminal import class_table, console

    rows = [(each.job.name, each.report) for each in finished]
    console().print(class_table(rows, title))
    out.mkdir(parents=True, exist_ok=True)
    people = {each.job.name: asdict(each.job.person) for each in finished}
    write_class(rows, title, out, people, platform, pairs)


def grader_errors(finished: Sequence[Finished]) -> bool:
    """Tells of every submission on which the grader itself failed, and returns whether there is one."""
    failed = [each for each in finished if each.grader_failed]
    for each in failed:
        where = each.job.report if each.report else "no report"
        print(
            f"grader: {each.job.name}: the grader itself failed ({where}); no points were taken for it silently",
            file=sys.stderr,
        )
        if each.report is None:
            print(each.log[-2000:], file=sys.stderr)
    return bool(failed)


def _written(each: Finished) -> Finished:
    """Writes what is made of a report. Where it cannot be written, the submission counts as not graded."""
    if each.report is not None:
        try:
            _write(each.job, each.report)
        except OSError as error:
            return replace(each, report=None, log=f"{each.job.out}: {error}")
    return each


def _write(job: Job, report: Report) -> None:
    from grader.contract.report import write_atomically
    from grader.gradescope.results import dumps, results
    from grader.pages.files import write_submission

    write_atomically(job.results, dumps(results(report)))
    write_submission(report, job.out)


def _keep_what_was_graded(jobs: Sequence[Job]) -> None:
    """Renders the reports of submissions that were being graded when the run was interrupted."""
    from grader.contract.report import from_json

    for job in jobs:
        if job.report.exists() and not job.results.exists():
            _write(job, from_json(job.report.read_text(encoding="utf-8")))


def _with_progress(ended: Iterator[Finished | None], run: Whole | Run, total: int, label: str) -> Iterator[Finished]:
    """Shows a bar while submissions are graded; without a thread, since judges are forked from this process."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, auto_refresh=False, transient=True, console=Console(stderr=True)) as progress:
        task, shown = progress.add_task(f"grading {label}", total=total), 0.0
        for each in ended:
            if each is not None:
                progress.advance(task)
                yield each
            if time.monotonic() - shown > _REFRESH_SECONDS:
                progress.update(task, description=run.doing or f"grading {label}", refresh=True)
                shown = time.monotonic()
