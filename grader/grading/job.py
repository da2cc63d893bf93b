"""What is graded, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from grader.contract.report import Report


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
    """

    name: str
    upload: Path
    out: Path
    person: Person = Person()

    @property
    def report(self) -> Path:
        """The report's file."""
        return self.out / "report.json"


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
