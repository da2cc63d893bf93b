"""What is graded, and what came of it. Light: what waits for a judge needs no torch."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from grader.contract.report import Report, from_json, to_json, write_atomically
from grader.contract.verdict import NOT_MADE, Explanation, Status, Verdict


@dataclass(frozen=True)
class Person:
    """Who handed a submission in; what is not known is empty, and members of a group are joined with ``"; "``.

    Attributes:
        name: as people write it.
        sid: the number that the platform or the university gave.
        email: address.
        login: name of the account.
    """

    name: str = ""
    sid: str = ""
    email: str = ""
    login: str = ""


@dataclass(frozen=True)
class Job:
    """One submission to be graded.

    Attributes:
        name: its name, unique in its class.
        upload: folder, file or archive.
        out: folder for its reports.
        person: who handed it in, as far as that is known.
        handed_in: puts the attempts of one person in order: a platform's number of them, or seconds since 1970.
    """

    name: str
    upload: Path
    out: Path
    person: Person = Person()
    handed_in: float = 0.0

    @property
    def report(self) -> Path:
        """The report's file."""
        return self.out / "report.json"

    @property
    def results(self) -> Path:
        """The file for Gradescope, rendered from the report."""
        return self.out / "results.json"

    def begin(self) -> None:
        """Makes the folder for its reports, and takes away those of an earlier grading."""
        self.out.mkdir(parents=True, exist_ok=True)
        for file in (self.report, self.results):
            file.unlink(missing_ok=True)


@dataclass(frozen=True)
class Finished:
    """A submission whose judge has ended.

    Attributes:
        job: the submission.
        report: its report; ``None`` when the judge failed before it knew the checks.
        log: what the judge said, for staff.
        unusable: why the assignment's checks cannot be used; empty if they can. Nothing was graded otherwise.
    """

    job: Job
    report: Report | None
    log: str
    unusable: str = ""

    @property
    def grader_failed(self) -> bool:
        """Whether a check failed through our own fault, or was not made."""
        return self.report is None or not self.report.complete


def settle(job: Job, log: str, *, out_of_time: str = "") -> Report | None:
    """The report of a judge that has ended, with a grader error for every check that it left open.

    ``None`` when there is none: the judge ended before it knew the checks; ``log`` is what it said. Where the judge was
    ended because time was over, ``out_of_time`` says so, and its open checks were not run instead.
    """
    if not job.report.exists():
        return None
    report = from_json(job.report.read_text(encoding="utf-8"))
    verdicts = tuple(
        _settled(verdict, log, out_of_time)
        if verdict.status is Status.NOT_RUN and verdict.explanation == NOT_MADE
        else verdict
        for verdict in report.verdicts
    )
    settled = replace(report, verdicts=verdicts)
    if settled != report:
        with suppress(OSError):  # the disk is full, perhaps: what is known is returned all the same
            write_atomically(job.report, to_json(settled))
    return settled


def _settled(verdict: Verdict, log: str, out_of_time: str) -> Verdict:
    if out_of_time:
        return replace(verdict, explanation=Explanation(out_of_time))
    lost = Explanation("The grader ended before it made this check. This is not your fault.", evidence=log[-4000:])
    return replace(verdict, status=Status.GRADER_ERROR, explanation=lost)
