"""``grader validate``: tries the checks on the reference, the template, chaffs, mutants and other right solutions."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.cli_class import default_jobs
from grader.exits import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from grader.contract.course import Course
    from grader.kit.validate import Findings

KINDS = ("reference", "template", "right", "chaffs", "mutants")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command ``validate``."""
    parser = commands.add_parser("validate", help="try the checks on what is known to be right, and to be wrong")
    parser.add_argument("assignments", nargs="*", metavar="ASSIGNMENT", help="which (default: all of the course)")
    parser.add_argument(
        "--kinds", default=",".join(KINDS), metavar="LIST", help=f"what to try (default: {','.join(KINDS)})"
    )
    parser.add_argument("--sample", type=int, metavar="N", help="only N chaffs and N mutants, drawn at random")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="only chaffs and mutants of this name; * is any text",
    )
    parser.add_argument("--seed", default="validate", help="seed of all draws (default: validate)")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="try everything under N seeds (default: 1)")
    parser.add_argument(
        "--full", action="store_true", help="make every check, not only those of the function that is changed"
    )
    parser.add_argument("-j", "--jobs", type=int, default=0, help="processes (default: as cores and memory allow)")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="write what fails on what to this JSON file")
    parser.add_argument("--course", type=Path, help="folder of the course (default: the one that is installed)")


def validate(options: argparse.Namespace, course: Course, address: Callable[[], Path]) -> bool:
    """Runs the command; returns whether everything came as it had to."""
    from rich.console import Console

    from grader.judge import reference
    from grader.kit.subjects import Kind
    from grader.kit.validate import Plan, validate

    wanted = options.kinds.split(",")
    if not set(wanted) <= set(KINDS):
        raise UsageError(f"--kinds: {options.kinds!r}; a list out of {','.join(KINDS)} was expected.")
    if options.seeds < 1 or (options.sample is not None and options.sample < 0):
        raise UsageError("--seeds takes a number from 1 on, and --sample one from 0 on.")
    seeds = (options.seed, *(f"{options.seed}-{number}" for number in range(2, options.seeds + 1)))
    plan = Plan(
        frozenset(map(Kind, wanted)),
        options.sample,
        tuple(options.only),
        seeds,
        options.full,
        options.jobs or default_jobs(),
    )
    console, everything = Console(), []
    for name in options.assignments or course.names:
        assignment = course.assignment(name)
        reference.load(assignment)
        with _bar(name) as show:
            findings = validate(assignment, course.root, address(), plan, show)
        everything.append(findings)
        _print(findings, console)
    if options.out:
        options.out.write_text(json.dumps({each.assignment.name: _plain(each) for each in everything}, indent=1) + "\n")
    return not any(findings.surprises for findings in everything)


@contextmanager
def _bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """A bar without a thread, since judges are forked from this process."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, auto_refresh=False, transient=True, console=Console(stderr=True)) as progress:
        task = progress.add_task(f"validating {name}", total=None)

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total, refresh=True)

        yield show


def _print(findings: Findings, console: Console) -> None:
    from rich.table import Table

    table = Table(title=f"{findings.assignment.name}: {findings.assignment.content.title}", title_justify="left")
    for heading in ("tried", "how many", "as expected", "trials"):
        table.add_column(heading, justify="left" if heading == "tried" else "right")
    counts = Counter(each.subject.kind for each in findings.tried)
    for kind, count in counts.items():
        mine = [each for each in findings.tried if each.subject.kind is kind]
        names = {each.subject.name for each in mine}
        odd = {each.subject.name for each in mine if each.surprises}
        table.add_row(kind.value, str(len(names)), str(len(names) - len(odd)), str(count))
    console.print(table)
    for text in findings.surprises:
        console.print(f"surprise: {text}", style="red", markup=False, highlight=False, soft_wrap=True)
    if findings.spare:
        text = f"each chaff that these checks notice is noticed by others, too: {', '.join(findings.spare)}"
        console.print(text, style="dim", markup=False, highlight=False)


def _plain(findings: Findings) -> dict[str, Any]:
    return {
        "kills": {number: sorted(killed) for number, killed in findings.kills.items()},
        "idle": findings.idle,
        "spare": findings.spare,
        "surprises": findings.surprises,
        "subjects": [
            {"subject": each.subject.title, "seed": each.seed, "failed": sorted(each.failed)} for each in findings.tried
        ],
    }
