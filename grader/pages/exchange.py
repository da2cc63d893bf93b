"""A class for other programs: JUnit's XML, as build servers read it, and one JSON document."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from grader.contract.report import Report
from grader.contract.text import one_line, printable
from grader.contract.verdict import Explanation, Status, Verdict
from grader.pages.grades import People, points_by_question
from grader.pages.views import in_order

_CAP = 4000
"""Most characters of a failure's text."""


def junit_xml(rows: Sequence[tuple[str, Report | None]], title: str) -> str:
    """A test suite for each submission, a test case for each check; for staff, since hidden checks are among them.

    What the grader failed on is an *error*, what was not run is *skipped*, and what did not pass otherwise a *failure*.
    """
    root = ElementTree.Element("testsuites", name=one_line(title, 200))
    for name, report in rows:
        _suite(root, name, report)
    ElementTree.indent(root, " ")
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(root: ElementTree.Element, name: str, report: Report | None) -> None:
    suite = ElementTree.SubElement(root, "testsuite", name=one_line(name, 200))
    if report is None:
        case = ElementTree.SubElement(suite, "testcase", name="grading", classname=one_line(name, 200))
        ElementTree.SubElement(case, "error", message="The grader failed before it knew the checks.")
    verdicts = in_order(report.verdicts) if report else []
    for verdict in verdicts:
        seconds = report.times.per_check.get(verdict.check, 0.0) if report else 0.0
        _case(suite, verdict, seconds)
    counts = {
        "tests": max(len(verdicts), 1),
        "failures": len(suite.findall("testcase/failure")),
        "errors": len(suite.findall("testcase/error")),
        "skipped": len(suite.findall("testcase/skipped")),
    }
    suite.attrib.update({key: str(count) for key, count in counts.items()})
    suite.set("time", f"{report.times.seconds if report else 0.0:.3f}")


def _case(suite: ElementTree.Element, verdict: Verdict, seconds: float) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        name=one_line(f"{verdict.number} {verdict.title}", 400),
        classname=one_line(verdict.check, 400),
        time=f"{seconds:.3f}",
    )
    if verdict.status is Status.PASSED:
        return
    kinds = {Status.GRADER_ERROR: "error", Status.NOT_RUN: "skipped"}
    told = verdict.explanation or Explanation("")
    element = ElementTree.SubElement(case, kinds.get(verdict.status, "failure"), message=one_line(told.message, 400))
    element.set("type", verdict.status.value)
    parts = (f"{verdict.points:g} of {verdict.max_points:g} points", told.expected, told.got, told.difference)
    element.text = printable("\n".join(part for part in parts if part), _CAP)


def class_json(rows: Sequence[tuple[str, Report | None]], title: str, people: People | None = None) -> str:
    """The class as JSON: ``{"title", "submissions": [...]}``; all else on a submission is in its ``report.json``.

    A submission has name, person, score, max_score, complete, and its points by question and status by check. Without
    a report its score is ``null``.
    """
    people = people or {}
    entries = [_entry(name, report, people.get(name, {})) for name, report in rows]
    return json.dumps({"title": one_line(title, 200), "submissions": entries}, indent=1) + "\n"


def _entry(name: str, report: Report | None, person: Mapping[str, str]) -> dict[str, Any]:
    known = {part: text for part, text in person.items() if text}
    if report is None:
        return {"name": name, "person": known, "score": None, "max_score": None, "complete": False}
    return {
        "name": name,
        "person": known,
        "score": report.score,
        "max_score": report.max_score,
        "complete": report.complete,
        "questions": points_by_question(report),
        "checks": {one_line(verdict.number, 40): verdict.status.value for verdict in in_order(report.verdicts)},
    }
