"""A station: a process that forks judges for one worker of a cluster, on one thread, as workers are not.

It is started as ``python -m grader.grading.station`` and speaks JSON, one object a line. It reads the terms of the run
(:class:`Terms`), answers with what decides verdicts here, and grades one by one the uploads that it is told of. It ends
with whoever started it, and takes its judges and players along.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from grader.grading.job import Finished, Job
from grader.player import kernel


@dataclass(frozen=True)
class Terms:
    """What all submissions of a run have in common, as plain data.

    Attributes:
        course: folder of the course; empty for the one that is installed.
        assignment: name of the assignment.
        options: the fields of :class:`grader.judge.prepare.Options`.
    """

    course: str
    assignment: str
    options: dict[str, Any]


def main() -> None:
    """Entry point."""
    with suppress(kernel.Unavailable, OSError):
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    # What libraries print would be read as an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        _serve(Terms(**json.loads(sys.stdin.readline())), answers)
    except BrokenPipeError:
        sys.exit(1)


def _serve(terms: Terms, answers: TextIO) -> None:
    from grader.contract.course import open_course
    from grader.grading.journal import circumstances
    from grader.grading.ready import ready
    from grader.judge.prepare import Options

    course = open_course(Path(terms.course) if terms.course else None)
    assignment = course.assignment(terms.assignment)
    # JSON knows no tuples.
    options = Options(**{**terms.options, "questions": tuple(terms.options["questions"])})
    with ready() as address:
        from grader.grading.grade import Setting
        from grader.grading.run import Run
        from grader.judge import reference
        from grader.judge.data import open_sets

        reference.load(assignment)
        open_sets(options.data)  # for all judges, which are forked from this process
        _say(answers, {"circumstances": circumstances(assignment, repr(options))})
        for finished in Run(_orders(), Setting(course.root, assignment, options, address()), 1):
            if finished is not None:
                _say(answers, _told(finished))


def _orders() -> Iterator[Job]:
    for line in sys.stdin:
        order = json.loads(line)
        yield Job(order["name"], Path(order["upload"]), Path(order["out"]))


def _told(finished: Finished) -> dict[str, Any]:
    """What became of an upload; its report lies in its folder."""
    return {"report": finished.report is not None, "log": finished.log[-20_000:], "unusable": finished.unusable}


def _say(answers: TextIO, content: dict[str, Any]) -> None:
    answers.write(json.dumps(content) + "\n")
    answers.flush()


def terms_as_line(terms: Terms) -> str:
    """The first line that a station reads."""
    return json.dumps(asdict(terms)) + "\n"


if __name__ == "__main__":
    main()
