"""Grades the one submission of a container, in a process of its own, so that the results are written whatever happens.

    python -m grader.gradescope.grading ORDER

Exit codes: 0 graded, whatever the marks; 2 the course or its data cannot be used; 3 the grader itself failed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grader.grading.job import Finished

GRADED, UNUSABLE, FAILED = 0, 2, 3


@dataclass(frozen=True)
class GradingOrder:
    """What is graded, and with what, as plain data.

    Attributes:
        course: folder of the course.
        assignment: name of the assignment.
        name: the submission's name.
        upload: folder of the submission.
        out: folder for the report.
        seed: seed of all draws.
        data: names or paths of data sets, joined as the system joins paths.
        memory_mb: the most that a player may use, in MiB.
    """

    course: str
    assignment: str
    name: str
    upload: str
    out: str
    seed: str
    data: str
    memory_mb: int

    def to_json(self) -> str:
        """The order as JSON."""
        return json.dumps(asdict(self))


def main(arguments: list[str]) -> int:
    """Grades as the order in the file says; returns an exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the parent may have it ignored
    os.umask(0o077)  # what players may read is opened to them one by one
    order = GradingOrder(**json.loads(Path(arguments[0]).read_text(encoding="utf-8")))
    try:
        finished = _graded(order)
    except Exception:  # noqa: BLE001 - the process boundary: the parent reads what was printed
        traceback.print_exc()
        return FAILED
    if finished.unusable:
        print(finished.unusable, file=sys.stderr)
        return UNUSABLE
    if finished.grader_failed:
        print(finished.log, file=sys.stderr)
        return FAILED
    return GRADED


def _graded(order: GradingOrder) -> Finished:
    from grader.grading.ready import ready

    with ready() as address:
        from grader.contract.course import open_course
        from grader.gradescope.memory import mapped_mb
        from grader.grading.grade import Setting
        from grader.grading.job import Job
        from grader.grading.run import Run
        from grader.judge import reference
        from grader.judge.data import open_sets
        from grader.judge.prepare import Options

        course = open_course(Path(order.course))
        assignment = course.assignment(order.assignment)
        reference.load(assignment)
        # Mapped files count for a player's limit, and take no memory that cannot be freed.
        mapped = sum(map(mapped_mb, open_sets(order.data)))
        options = Options(seed=order.seed, data=order.data, memory_mb=order.memory_mb + mapped)
        setting = Setting(course.root, assignment, options, address())
        job = Job(order.name, Path(order.upload), Path(order.out))
        (finished,) = [each for each in Run([job], setting, 1) if each is not None]
        return finished


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
