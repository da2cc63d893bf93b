"""What ``run_autograder`` calls: from the platform's folder to ``results.json``, whatever happens.

    python -m grader.gradescope.entry AUTOGRADER [LIMIT]

This process imports neither torch nor anything of the submission. It reads the metadata before any code of the
submission starts, lets another process grade, ends that process in time, and writes the results itself. A first
``results.json`` is there from the start, for the case that even this process is ended.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from grader.contract.course import open_course
from grader.contract.report import Report, write_atomically
from grader.gradescope import child, policy
from grader.gradescope.earlier import Carried, cleaned
from grader.gradescope.grading import GradingOrder
from grader.gradescope.manifest import Manifest, read_manifest
from grader.gradescope.memory import player_mb
from grader.gradescope.metadata import Metadata, read
from grader.gradescope.place import BUNDLE, Place
from grader.gradescope.results import dumps, results, staff_text
from grader.grading.job import Job, settle

RESERVE_SECONDS = 30.0
"""The results are written so long before the platform's limit: at the limit it replaces them by a score of 0."""

_OUT_OF_TIME = "The time that the platform allows for a submission ran out before this check was made."
_SENSIBLE_SECONDS = (1.0, 86400.0)


def main(arguments: list[str]) -> int:
    """Grades the submission in the platform's folder. Returns 0, or 3 when the grader itself failed."""
    started = time.monotonic()
    place = Place(Path(arguments[0]))
    limit = _limit(arguments[1] if len(arguments) > 1 else "")
    place.results.parent.mkdir(parents=True, exist_ok=True)
    metadata = Metadata()
    try:
        place.close()
        metadata = read(place.metadata)
        _write(place, failure(metadata, "The grader was ended before it could grade this submission."))
        content, told, sound = _outcome(place, metadata, limit, started)
        _write(place, content)
    except Exception:  # noqa: BLE001 - the process boundary: the student gets an answer, and staff the traceback
        traceback.print_exc()
        _write(place, failure(metadata, "The grader itself failed."))
        return 3
    # What is printed is shown to staff only.
    print(told)
    return 0 if sound else 3


def _outcome(place: Place, metadata: Metadata, limit: float | None, started: float) -> tuple[dict[str, Any], str, bool]:
    """The content of ``results.json``, what staff are told, and whether the grader did its part."""
    manifest = read_manifest(place.source / BUNDLE)
    declared = open_course(place.source / "course").assignment(manifest.assignment).content.gradescope
    standing = policy.standing(declared, metadata, Carried.of(metadata.latest_results))
    told = [f"Metadata: {problem}" for problem in metadata.problems]
    if standing.refusal:
        return _refused(metadata, standing), "\n".join([standing.refusal, *told]), True
    seconds = limit or declared.timeout_seconds
    deadline = started + max(seconds - RESERVE_SECONDS, seconds / 2)
    report, ended = _graded(place, manifest, metadata, declared.memory_mb, deadline)
    told.insert(0, f"Attempt {standing.attempt}; shown: {standing.shows.value}; {ended.words}.")
    if report is None:
        content = failure(metadata, f"The grader itself failed: {ended.words}.")
        return content, "\n".join([*told, ended.log]), False
    told += [staff_text(report), *([] if report.complete else [ended.log])]
    return _content(report, standing, metadata, late=ended.late), "\n".join(told), report.complete


def _graded(
    place: Place, manifest: Manifest, metadata: Metadata, memory_mb: int, deadline: float
) -> tuple[Report | None, child.Ended]:
    """The report, if there is one, and how the grading ended."""
    # Closed to everybody else: reports hold what hidden checks expected.
    with tempfile.TemporaryDirectory(prefix="private-") as folder:
        job = Job(f"submission {metadata.id}".strip(), place.submission, Path(folder))
        order = GradingOrder(
            course=str(place.source / "course"),
            assignment=manifest.assignment,
            name=job.name,
            upload=str(place.submission),
            out=folder,
            seed=manifest.seed,
            data=os.pathsep.join(manifest.requests(place.source)),
            memory_mb=player_mb(memory_mb),
        )
        ended = child.run(order, Path(folder), place.cache, deadline)
        return settle(job, ended.log, out_of_time=_OUT_OF_TIME if ended.late else ""), ended


def _content(report: Report, standing: policy.Standing, metadata: Metadata, *, late: bool) -> dict[str, Any]:
    """The results of a graded submission."""
    rendered = results(policy.shown(report, standing.shows))
    content = policy.with_best(rendered, standing, report.max_score)
    if report.complete or late:
        return content
    # The grader failed: the attempt is not held against the student.
    carried = Carried.of(content).without(metadata.created_at)
    return {**content, "extra_data": {**content["extra_data"], **carried.to_json()}}


def _refused(metadata: Metadata, standing: policy.Standing) -> dict[str, Any]:
    """The latest results once more, with the reason above them."""
    content = cleaned(metadata.latest_results)
    if standing.best is not None:
        content["score"] = standing.best
    shown = "What follows is the result of the submission before." if metadata.latest_results else ""
    output = "\n".join(line for line in (standing.refusal, shown, content["output"]) if line)
    handed_on = standing.carried.without(metadata.created_at)
    tests = content["tests"] or [_not_graded()]
    return {**content, "output": output, "tests": tests, "extra_data": handed_on.to_json()}


def failure(metadata: Metadata, what: str) -> dict[str, Any]:
    """The results of a submission that was not graded through a fault of ours: no score is lost, nothing counts."""
    carried = Carried.of(metadata.latest_results)
    kept = " The best score so far is kept." if carried.best else ""
    return {
        "score": carried.best or 0.0,
        "output": (
            f"{what} This is not the fault of the submission, and it counts for no limit: the staff can see the "
            f"cause, and have to grade it again.{kept}"
        ),
        "output_format": "text",
        "stdout_visibility": "hidden",
        "tests": [_not_graded()],
        "extra_data": {"complete": False, **carried.without(metadata.created_at).to_json()},
    }


def _not_graded() -> dict[str, Any]:
    """A hidden test, as long as which is there the platform shows no total: that may hold points of hidden checks."""
    return {
        "number": "1",
        "name": "Not graded",
        "score": 0.0,
        "max_score": 0.0,
        "status": "failed",
        "output": "This submission was not graded.",
        "output_format": "text",
        "visibility": "hidden",
    }


def _limit(text: str) -> float | None:
    """The platform's own limit in seconds, where it tells a sensible one."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    least, most = _SENSIBLE_SECONDS
    return seconds if least <= seconds <= most else None


def _write(place: Place, content: dict[str, Any]) -> None:
    write_atomically(place.results, dumps(content))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
