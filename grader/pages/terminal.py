"""The report in a terminal: a table for a class, and the list of checks that a student reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grader.contract.report import Report
from grader.contract.text import natural_key, printable
from grader.contract.verdict import Status, Verdict

STYLE = {
    Status.PASSED: ("passed", "green"),
    Status.PARTIAL: ("partly", "yellow"),
    Status.FAILED: ("wrong", "red"),
    Status.RULE_BROKEN: ("rule broken", "red"),
    Status.STUDENT_ERROR: ("error", "red"),
    Status.TIMEOUT: ("too slow", "red"),
    Status.OUT_OF_MEMORY: ("out of memory", "red"),
    Status.CRASHED: ("crashed", "red"),
    Status.BAD_ANSWER: ("bad answer", "red"),
    Status.MISSING: ("not written", "yellow"),
    Status.BLOCKED: ("blocked", "yellow"),
    Status.GRADER_ERROR: ("grader error", "bold magenta"),
    Status.NOT_RUN: ("not run", "dim"),
}


def class_table(rows: Sequence[tuple[str, Report | None]], title: str) -> Table:
    """One line per submission: points, how its checks ended, seconds."""
    table = Table(title=escape(title), title_justify="left", header_style="bold", expand=False)
    for heading, justify in (
        ("submission", "left"),
        ("points", "right"),
        ("of", "right"),
        ("checks", "left"),
        ("time", "right"),
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for name, report in rows:
        if report is None:
            table.add_row(escape(name), "–", "–", Text("grader error", "bold magenta"), "")
        else:
            points = Text(f"{report.score:g}", "green" if report.score == report.max_score else "default")
            table.add_row(
                escape(name), points, f"{report.max_score:g}", _counts(report), f"{report.times.seconds:.1f} s"
            )
    return table


def _counts(report: Report) -> Text:
    parts: list[Text] = []
    for status, count in report.counts.items():
        if count:
            word, style = STYLE[status]
            parts.append(Text(f"{count} {word}", style))
    return Text(", ").join(parts)


def student_view(report: Report, *, everything: bool = False) -> RenderableType:
    """What a student reads: every check, and for each that failed what was expected and what came."""
    ordered = sorted(report.verdicts, key=lambda verdict: natural_key(verdict.number))
    lines: list[RenderableType] = [*(Text(problem, "yellow") for problem in _remarks(report))]
    for _, verdicts in groupby(ordered, key=lambda verdict: verdict.number.rpartition(".")[0]):
        lines.extend(line for verdict in verdicts for line in _verdict_lines(verdict, everything))
    lines.append(Text(f"\n{report.score:g} of {report.max_score:g} points", "bold"))
    return Group(*lines)


def _remarks(report: Report) -> Iterator[str]:
    submission = report.submission
    for text in (*submission.missing, *submission.problems, *submission.renamed):
        yield printable(text, 1000)


def _verdict_lines(verdict: Verdict, everything: bool) -> Iterator[RenderableType]:
    word, style = STYLE[verdict.status]
    head = Text.assemble(
        (f"{verdict.number:>5} ", "bold"), (f"{word:<12} ", style), f"{verdict.points:g}/{verdict.max_points:g}  "
    )
    yield head.append(verdict.title)
    for text, look in _details(verdict, everything):
        yield Padding(Text(text, look), (0, 0, 0, 8))


def _details(verdict: Verdict, everything: bool) -> Iterator[tuple[str, str]]:
    told = verdict.explanation
    if verdict.fixed_text and told is not None and not everything:
        # It stands alone: a note or a print might betray what the check hides.
        yield verdict.fixed_text, "default"
        return
    if told is not None:
        yield told.message, "default"
        for label, text in (("expected", told.expected), ("got", told.got), ("", told.difference), ("hint", told.hint)):
            if text:
                yield (f"{label}: {text}" if label else text), "cyan" if label == "hint" else "dim"
    if verdict.edge and verdict.status is not Status.PASSED:
        yield f"why it matters: {verdict.edge}", "dim"
    for note in verdict.notes:
        yield f"note: {note}", "yellow"
    if verdict.output and (everything or verdict.status is not Status.PASSED):
        yield f"it printed:\n{printable(verdict.output, 2000)}", "dim"


def console() -> Console:
    """The terminal, or plain text where the output is no terminal."""
    return Console(highlight=False, soft_wrap=False)
