"""What a new grading of a class changed, against the reports of an older one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from grader.contract.report import Report, ReportError, from_json
from grader.contract.text import one_line
from grader.contract.verdict import Verdict
from grader.contract.wording import WORDS
from grader.pages.views import in_order

_MOST = 12
"""Changed checks that are named for one submission."""


def changes_table(rows: Sequence[tuple[str, Report | None]], old: Path) -> Table:
    """A line for each submission whose points, or any of whose verdicts, are not what they were in the folder ``old``.

    A submission that has no readable report in one of the two is listed too.
    """
    table = Table(title=f"changed since {escape(str(old))}", title_justify="left", header_style="bold")
    for heading, justify in (("submission", "left"), ("before", "right"), ("now", "right"), ("checks", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for name, now in rows:
        before = _read(old / name / "report.json")
        changed = _changed(before, now)
        if changed or _points(before) != _points(now):
            more = f" and {len(changed) - _MOST} more" if len(changed) > _MOST else ""
            table.add_row(
                escape(one_line(name, 200)), _points(before), _points(now), escape("; ".join(changed[:_MOST]) + more)
            )
    if not table.rows:
        table.add_row("nothing", "", "", "")
    return table


def _read(file: Path) -> Report | None:
    try:
        return from_json(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ReportError):
        return None


def _points(report: Report | None) -> str:
    return "no report" if report is None else f"{report.score:g}"


def _changed(before: Report | None, now: Report | None) -> list[str]:
    old, new = _verdicts(before), _verdicts(now)
    both = [check for check in new if check in old]
    changed = [
        f"{new[check].number} {_step(old[check], new[check])}" for check in both if _step(old[check], new[check])
    ]
    only = [
        f"{verdict.number} {word}"
        for word, these, others in (("is gone", old, new), ("is new", new, old))
        for check, verdict in these.items()
        if check not in others and old and new
    ]
    return changed + only


def _verdicts(report: Report | None) -> dict[str, Verdict]:
    return {verdict.check: verdict for verdict in in_order(report.verdicts if report else ())}


def _step(old: Verdict, new: Verdict) -> str:
    if (old.status, old.points) == (new.status, new.points):
        return ""
    return f"{WORDS[old.status]} {old.points:g} -> {WORDS[new.status]} {new.points:g}"
