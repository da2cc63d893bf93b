"""A page of plots from real runs: what the references of a course reach, how they learn, and what they have learned.

Each assignment whose reference has a program ``figures.py`` runs it in a process of its own; the page loads nothing.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from grader.contract.assignment import FIGURES, Assignment
from grader.exits import UsageError
from grader.kit.experiments import run
from grader.kit.figures import Chart, Section, read
from grader.kit.page import render
from grader.pages.terminal import console

LIBRARIES = ("matplotlib", "PIL", "sacrebleu")


class PlotsError(UsageError):
    """No page of plots can be made; says why and what to do."""


@dataclass(frozen=True)
class Asked:
    """How the programs run.

    Attributes:
        data: names or paths of data sets, as one text with the system's separator; a program takes what is of its kind.
        seed: of all trainings.
        threads: of torch.
        quick: few examples, a few seconds: to see that it works.
    """

    data: str = ""
    seed: int = 0
    threads: int = 1
    quick: bool = False

    @property
    def arguments(self) -> list[str]:
        """For a program's command line."""
        requests = [f"--data={request}" for request in self.data.split(os.pathsep) if request]
        return [*requests, f"--seed={self.seed}", f"--threads={self.threads}", *(["--quick"] if self.quick else [])]


def plot(assignments: Sequence[Assignment], asked: Asked) -> str:
    """The page. Progress is told on this terminal.

    Raises:
        PlotsError: if a library is missing, no assignment has such a program, or one fails.
    """
    missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise PlotsError(f"grader plots needs {' and '.join(missing)}; run: pip install 'scratchgrade[experiments]'")
    showing = [assignment for assignment in assignments if (assignment.reference / FIGURES).is_file()]
    if not showing:
        names = ", ".join(assignment.name for assignment in assignments)
        raise PlotsError(f"None of the references of {names} has a program {FIGURES}; there is nothing to plot.")
    sections: list[Section] = []
    for assignment in showing:
        print(f"\n{assignment.name}", flush=True)
        made = _sections(assignment, asked)
        for section in made:
            console().print(_table(section))
        sections += made
    return page(sections, asked)


def _table(section: Section) -> Table:
    table = Table(title=section.title, title_justify="left")
    for index, heading in enumerate(section.head):
        table.add_column(heading, justify="right" if index else "left")
    for row in section.rows:
        table.add_row(*row)
    return table


def _sections(assignment: Assignment, asked: Asked) -> tuple[Section, ...]:
    with tempfile.TemporaryDirectory(prefix="plots-") as folder:
        out = Path(folder, "figures.json")
        code = run(assignment, [*asked.arguments, f"--out={out}"], FIGURES)
        if code:
            raise PlotsError(f"{assignment.reference / FIGURES} ended with exit code {code}; see above.")
        return read(out)


def page(sections: Sequence[Section], asked: Asked) -> str:
    """The sections as a page of its own, light or dark as its reader has it."""
    from grader.kit import charts

    return render(
        "plots.html.j2",
        ("handout.css", "plots.css"),
        sections=sections,
        quick=asked.quick,
        seed=asked.seed,
        is_chart=lambda figure: isinstance(figure, Chart),
        light=lambda chart: charts.address(chart, charts.LIGHT),
        dark=lambda chart: charts.address(chart, charts.DARK),
    )
