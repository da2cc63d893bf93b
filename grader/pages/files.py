"""The files that people open after a grading, written beside the reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from grader.contract.report import Report, write_atomically
from grader.pages.exchange import class_json, junit_xml
from grader.pages.grades import People, canvas_csv, grades_csv, moodle_csv
from grader.pages.html import STAFF_PAGE, STUDENT_PAGE, class_page, similar_page, submission_page

if TYPE_CHECKING:
    from grader.grading.similarity import Pair

CLASS_PAGE = "class.html"
SIMILAR_PAGE = "similar.html"
GRADES = "grades.csv"
JUNIT = "junit.xml"
JSON = "class.json"


def write_submission(report: Report, out: Path) -> None:
    """``report.html``, which its author may have, and ``staff.html`` into the folder ``out``, which exists.

    Raises:
        OSError: if they cannot be written.
    """
    write_atomically(out / STUDENT_PAGE, submission_page(report), durable=False)
    write_atomically(out / STAFF_PAGE, submission_page(report, staff=True), durable=False)


def write_class(
    rows: Sequence[tuple[str, Report | None]],
    title: str,
    out: Path,
    people: People | None = None,
    platform: str = "",
    pairs: Sequence[Pair] | None = None,
) -> None:
    """``class.html``, ``grades.csv``, ``junit.xml`` and ``class.json`` into ``out``, beside the folders of the names.

    With ``pairs``, what is known of submissions that are alike becomes ``similar.html``.
    ``people`` says who is behind a name. With ``platform`` Canvas or Moodle, a file for its gradebook is written too.

    Raises:
        OSError: if they cannot be written.
    """
    write_atomically(out / CLASS_PAGE, class_page(rows, title, compared=pairs is not None), durable=False)
    if pairs is not None:
        write_atomically(out / SIMILAR_PAGE, similar_page(pairs, title), durable=False)
    else:
        (out / SIMILAR_PAGE).unlink(missing_ok=True)  # of an earlier run, perhaps over other submissions
    write_atomically(out / GRADES, grades_csv(rows, people))
    write_atomically(out / JUNIT, junit_xml(rows, title), durable=False)
    write_atomically(out / JSON, class_json(rows, title, people), durable=False)
    if platform == "Canvas":
        write_atomically(out / "canvas.csv", canvas_csv(rows, people or {}, title))
    if platform == "Moodle":
        write_atomically(out / "moodle.csv", moodle_csv(rows, people or {}))
