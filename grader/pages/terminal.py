"""The report in a terminal: a table for a class, and the list of checks that a student reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from grader.contract.report import Report
from grader.contract.text import natural_key, printable
from grader.contract.verdict import Status, Verdict
from grader.contract.wording import WORDS, Telling, student_text

_STYLES = {
    Status.PASSED: "green",
    Status.PARTIAL: "yellow",
    Status.MISSING: "yellow",
    Status.BLOCKED: "yellow",
    Status.GRADER_ERROR: "bold magenta",
    Status.NOT_RUN: "dim",
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
            parts.append(Text(f"{count} {WORDS[status]}", _STYLES.get(status, "red")))
    return Text(", ").join(parts)


def student_view(report: Report, telling: Telling = Telling.FULL) -> RenderableType:
    """What a student reads: every check, and for each that failed as much as ``telling`` says."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for justify in ("right", "left", "right", "left"):
        table.add_column(justify=justify, no_wrap=justify != "left")
    said: set[str] = set()
    for verdict in sorted(report.verdicts, key=lambda verdict: natural_key(verdict.number)):
        word = Text(WORDS[verdict.status], _STYLES.get(verdict.status, "red"))
        points = f"{verdict.points:g}/{verdict.max_points:g}"
        table.add_row(Text(verdict.number, "bold"), word, points, _told(verdict, telling, said))
    remarks = [Text(remark, "yellow") for remark in _remarks(report)]
    return Group(*remarks, table, Text(f"\n{report.score:g} of {report.max_score:g} points", "bold"))


def _remarks(report: Report) -> Iterator[str]:
    submission = report.submission
    for text in (*submission.missing, *submission.problems, *submission.renamed):
        yield printable(text, 1000)


def _told(verdict: Verdict, telling: Telling, said: set[str]) -> Text:
    """The title, and below it what there is to say; of a check that passed, only the notes.

    What has to be written is told once for all checks of a function: ``said`` holds what was told.
    """
    title = Text(verdict.title)
    if verdict.status is Status.PASSED:
        notes = () if telling is Telling.NONE else verdict.notes
        return title.append("".join(f"\nNote: {note}" for note in notes), "yellow")
    if verdict.status is Status.MISSING and verdict.explanation:
        if verdict.explanation.message in said:
            return title
        said.add(verdict.explanation.message)
    text = printable(student_text(verdict, telling), 4000)
    if text:
        title.stylize("bold")
    for line in text.splitlines():
        title.append("\n").append(line, _style_of(line))
    return title


def _style_of(line: str) -> str:
    """Numbers step back behind the sentences that say what is wrong, and a hint is found at a glance."""
    if line.startswith("Hint:"):
        return "cyan"
    return "dim" if line.startswith("    ") else ""


def console() -> Console:
    """The terminal, or plain text where the output is no terminal."""
    return Console(highlight=False, soft_wrap=False)
