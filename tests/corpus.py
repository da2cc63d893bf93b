"""Submissions in folders, each with what must come out of its grading: attacks, and honest work that looks odd.

A folder holds ``expected.toml`` (:class:`Case`) and what makes the submission out of the reference: ``attack.py`` or
``addition.py``, text that is appended to one module; ``files/``, which is laid over the reference; ``upload.py`` with
``make(folder) -> path``, code of ours that makes the rest. In all texts ``@COURSE@``, ``@OUT@``, ``@MARKER@`` and
``@NAME@`` stand for the course's folder, the folder of the reports, a file that must never be written, and a name.
"""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ConfigDict, TypeAdapter

from grader.contract.assignment import read_toml
from grader.contract.course import Course
from grader.contract.report import Report, json_schema
from grader.contract.verdict import Status
from grader.gradescope.results import dumps, results
from grader.grading.grade import Job, Setting
from grader.grading.run import Finished, Run
from grader.judge.prepare import Options
from grader.judge.variants import Change, Variant, write_variant

TESTS = Path(__file__).resolve().parent
REAL = TESTS.parent
RESULTS_SCHEMA = json.loads((TESTS / "schemas" / "gradescope_results.schema.json").read_text())
TOY = ("warmup", "series")
# Attacks that hang are ended soon; honest submissions take milliseconds.
LIMITS = "cpu_seconds = 0.5\nwall_seconds = 4.0\nlost_seconds = 6.0\nmemory_mb = 256"


def as_notebook(folder: Path, cells: Sequence[str]) -> Path:
    """Makes a notebook of ``vectors.py`` in ``folder``: a cell with its text, then ``cells``. Returns ``folder``."""
    module = folder / "vectors.py"
    code = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    content = {
        "cells": [{**code, "source": source} for source in (module.read_text(), *cells)],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    module.unlink()
    module.with_suffix(".ipynb").write_text(json.dumps(content))
    return folder


@dataclass(frozen=True)
class Case:
    """One submission.

    Attributes:
        about: what is special about it, in a sentence.
        row: row of the list of attacks that it belongs to.
        assignment: what it is handed in for.
        append: the module to whose text ``attack.py`` or ``addition.py`` is appended.
        changes: replacements in the reference.
        loses: numbers of checks or of whole questions that must earn nothing; all others must earn everything.
        may_lose: checks or questions that may earn nothing, too, where an attack spoils the process of them all.
        statuses: number of a check -> the status that it must end with.
        staff: text that staff must be shown; empty for none.
        unseen: text that students must not be shown on checks that are hidden from them.
        slow: whether its grading takes long, for time limits have to pass or a whole assignment is graded.
        held_by: what contains the attack, the first line of defence first: layers of confinement by their names, and
            ``boundary`` (plain data between processes), ``judge`` (its own comparing), ``rules``, ``intake``,
            ``time limit``.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    about: str
    row: str = ""
    assignment: str = "warmup"
    append: str = "vectors.py"
    changes: tuple[Change, ...] = ()
    loses: tuple[str, ...] = ()
    may_lose: tuple[str, ...] = ()
    statuses: dict[str, Status] = field(default_factory=dict)
    staff: str = ""
    unseen: str = ""
    slow: bool = False
    held_by: tuple[str, ...] = ()


def cases(folder: Path) -> dict[str, Case]:
    """Name -> case, of every folder below ``folder``."""
    read = TypeAdapter(Case).validate_python
    return {path.parent.name: read(read_toml(path)) for path in sorted(folder.glob("*/expected.toml"))}


class Arena:
    """Where cases are graded: a copy of the toy course with short limits, and the real course.

    Args:
        source: folder of the cases.
        folder: where everything is written; private, as a course's folder has to be.
        address: the zygote.
        policy: differences from the usual confinement.
    """

    def __init__(self, source: Path, folder: Path, address: Path, policy: Mapping[str, Any] | None = None) -> None:
        self.source, self.folder, self.address = source, folder, address
        self.policy = dict(policy or {})
        self.cases = cases(source)
        self.marker = folder / "marker"
        self.course = folder / "course"
        shutil.copytree(TESTS / "toy_course", self.course, ignore=shutil.ignore_patterns("__pycache__"))
        toml = self.course / "assignments" / "warmup" / "assignment.toml"
        toml.write_text(toml.read_text().replace("cpu_seconds = 0.5", LIMITS))

    def grade(self, names: Sequence[str], seed: str = "a seed", at_once: int = 1) -> Iterator[tuple[str, Finished]]:
        """Grades cases of one assignment; each as it ends."""
        (assignment,) = {self.cases[name].assignment for name in names}
        course = Course(self.course if assignment in TOY else REAL)
        setting = Setting(course.root, course.assignment(assignment), Options(seed, policy=self.policy), self.address)
        jobs = [Job(name, self.upload(name, seed), self._out(name, seed)) for name in names]
        for finished in Run(jobs, setting, at_once):
            if finished is not None:
                yield finished.job.name, finished

    def _out(self, name: str, seed: str) -> Path:
        return self.folder / "out" / seed / name

    def upload(self, name: str, seed: str) -> Path:
        """Writes the submission of a case, and returns its folder or file."""
        case, source = self.cases[name], self.source / name
        assignment = Course(self.course if case.assignment in TOY else REAL).assignment(case.assignment)
        folder = self.folder / "uploads" / seed / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_variant(Variant(name, case.about, changes=case.changes), assignment, folder)
        told = {
            "@COURSE@": str(self.course),
            "@OUT@": str(self._out(name, seed)),
            "@MARKER@": str(self.marker),
            "@NAME@": f"{name}-{os.getpid()}",
        }

        def filled(text: str) -> str:
            for word, meaning in told.items():
                text = text.replace(word, meaning)
            return text

        for file in sorted((source / "files").rglob("*")):
            if file.is_file() and file.suffix != ".pyc":
                target = folder / file.relative_to(source / "files")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(filled(file.read_text()))
        for addition in ("attack.py", "addition.py"):
            if (source / addition).is_file():
                module = folder / case.append
                module.write_text(module.read_text() + "\n\n" + filled((source / addition).read_text()))
        if (source / "upload.py").is_file():
            names: dict[str, Any] = {"__name__": "upload"}
            exec(compile(filled((source / "upload.py").read_text()), str(source / "upload.py"), "exec"), names)
            return Path(names["make"](folder))
        return folder

    def problems(self, name: str, finished: Finished) -> list[str]:
        """What did not come out as it must, in sentences; empty when all is well."""
        case, report = self.cases[name], finished.report
        if report is None:
            return [f"no report: {finished.log[-500:]}"]
        found = [*_marks(case, report), *_texts(case, report)]
        if self.marker.exists():
            self.marker.unlink()
            found.append("a file was written that no submission can write")
        return found


def parameters(found: Mapping[str, Case]) -> list[Any]:
    """The names of cases as parameters of a test; the slow ones are marked."""
    return [pytest.param(name, marks=[pytest.mark.slow] if case.slow else []) for name, case in found.items()]


def loses(case: Case, number: str) -> bool:
    """Whether the check ``number`` must earn nothing."""
    return _named(case.loses, number)


def _named(numbers: tuple[str, ...], number: str) -> bool:
    return bool({"all", number, number.rpartition(".")[0]} & set(numbers))


def _marks(case: Case, report: Report) -> Iterator[str]:
    for verdict in report.verdicts:
        if verdict.status in (Status.GRADER_ERROR, Status.NOT_RUN):
            evidence = verdict.explanation.evidence[-500:] if verdict.explanation else ""
            yield f"{verdict.number}: {verdict.status.value}: {evidence}"
        elif loses(case, verdict.number) and verdict.points:
            yield f"{verdict.number}: gained {verdict.points:g} points"
        elif not _named(case.loses + case.may_lose, verdict.number) and verdict.points < verdict.max_points:
            yield f"{verdict.number}: lost {verdict.max_points - verdict.points:g} points: {verdict.explanation}"
    ended = {verdict.number: verdict.status for verdict in report.verdicts}
    for number, status in case.statuses.items():
        if ended.get(number) is not status:
            yield f"{number}: it ended as {ended.get(number)}, not as {status.value}"


def _texts(case: Case, report: Report) -> Iterator[str]:
    content = results(report)
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(_written(report)))
    jsonschema.Draft202012Validator(RESULTS_SCHEMA).validate(json.loads(dumps(content)))
    if case.staff and case.staff not in for_staff(report):
        yield f"staff is not told of {case.staff!r}: {for_staff(report)[-800:]}"
    hidden = [test["output"] for test in content["tests"] if test["visibility"] != "visible"]
    if case.unseen and any(case.unseen in text for text in (*hidden, content["output"])):
        yield f"students are shown {case.unseen!r}"
    odd = {sign for sign in _written(report) + dumps(content) if sign != "\n" and unicodedata.category(sign) == "Cc"}
    odd |= set("\u202e\u2066") & set(dumps(content))
    if odd:
        yield f"control characters reach a page or a terminal: {sorted(map(ascii, odd))}"


def _written(report: Report) -> str:
    from grader.contract.report import to_json

    return to_json(report)


def for_staff(report: Report) -> str:
    """All that staff can read about a submission."""
    texts = [*report.submission.problems, *report.submission.ignored, *report.submission.missing]
    for verdict in report.verdicts:
        texts += verdict.flags
        if verdict.explanation is not None:
            texts += [verdict.explanation.message, verdict.explanation.got, verdict.explanation.evidence]
    return "\n".join(texts)
