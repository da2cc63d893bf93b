"""Pages that open from a disk: no network, no frame, and nothing that came from a submission is ever markup.

Jinja2 escapes every value. A policy (CSP) inside each page forbids whatever is not our own style sheet and script,
known by their SHA-256: even a text that got through unescaped could neither run nor load anything.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from grader.contract.report import Report
from grader.contract.text import one_line, printable
from grader.contract.verdict import SEED_FLAG, Status
from grader.contract.wording import Telling
from grader.pages.items import bins, items, shares
from grader.pages.views import TEXT_CAP, in_order, submission_view

if TYPE_CHECKING:
    from grader.grading.similarity import Pair

STUDENT_PAGE = "report.html"
STAFF_PAGE = "staff.html"


@dataclass(frozen=True)
class Entry:
    """One line of the class page. Without a report, the judge failed before it knew the checks."""

    name: str
    report: Report | None

    @property
    def label(self) -> str:
        """The name, fit to be shown."""
        return one_line(self.name, 200)

    @property
    def link(self) -> str:
        """Address of the submission's page for staff, beside the class page."""
        return _link(self.name)

    @cached_property
    def lost(self) -> list[str]:
        """Numbers of the checks that did not pass."""
        verdicts = in_order(self.report.verdicts if self.report else ())
        return [one_line(verdict.number, 40) for verdict in verdicts if verdict.status is not Status.PASSED]

    @property
    def flags(self) -> int:
        """How many remarks for staff there are beside the seeds, which every check notes."""
        verdicts = self.report.verdicts if self.report else ()
        return sum(not flag.startswith(SEED_FLAG) for verdict in verdicts for flag in verdict.flags)

    @property
    def level(self) -> str:
        """How well its players were confined; a dash where nothing of it ran."""
        return one_line(self.report.environment.confinement.get("level", ""), 20) or "–" if self.report else "–"


def submission_page(report: Report, *, staff: bool = False, telling: Telling = Telling.FULL) -> str:
    """The page of one submission: for its author, without what is hidden, or for staff, with all that is known.

    ``telling`` says how much is told of checks that did not pass.
    """
    return _render("submission.html.j2", view=submission_view(report, staff=staff, telling=telling))


def class_page(rows: Sequence[tuple[str, Report | None]], title: str, *, compared: bool = False) -> str:
    """The page of a class, for staff: table, distribution of points, and statistics of every check.

    compared: whether a page beside it shows which submissions are alike.

    rows: names, which are also the folders of the submissions' pages, each with its report, or ``None`` where the judge
    failed before it knew the checks.
    """
    reports = [report for _, report in rows if report]
    entries = [Entry(name, report) for name, report in rows]
    return _render(
        "classroom.html.j2",
        title=one_line(title, 200),
        entries=entries,
        compared=compared,
        levels=Counter(entry.level for entry in entries if entry.level != "–"),
        items=items(reports),
        bins=bins(shares(reports)),
        mean=sum(shares(reports)) / len(reports) if reports else None,
    )


def similar_page(pairs: Sequence[Pair], title: str) -> str:
    """The page that shows pairs of submissions which are alike, with what they share side by side."""
    return _render(
        "similar.html.j2",
        title=one_line(title, 200),
        pairs=[
            {
                "left": one_line(pair.left, 200),
                "right": one_line(pair.right, 200),
                "links": (_link(pair.left), _link(pair.right)),
                "module": pair.module,
                "share": pair.share,
                "runs": pair.runs,
                "passages": [[printable(text, TEXT_CAP) for text in passage] for passage in pair.passages],
            }
            for pair in pairs
        ],
    )


def _link(name: str) -> str:
    """Address of a submission's page for staff, beside the class page."""
    return f"{quote(os.fsencode(name), safe='')}/{STAFF_PAGE}"


def _render(template: str, **values: object) -> str:
    style, script = _asset("page.css"), _asset("page.js")
    trusted = {"style": Markup(style), "script": Markup(script)}  # noqa: S704 - files of ours, without any value in them
    return _environment().get_template(template).render(policy=policy(style, script), **trusted, **values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("grader.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["points"] = lambda value: f"{value:g}"
    return environment


@cache
def _asset(name: str) -> str:
    loader = _environment().loader
    assert loader is not None
    return loader.get_source(_environment(), name)[0]


def policy(style: str, script: str = "") -> str:
    """The policy (CSP) of a page: its own style sheet and script, known by their SHA-256, images in it, no more."""
    scripts = f"script-src '{_digest(script)}'; " if script else ""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; {scripts}img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
