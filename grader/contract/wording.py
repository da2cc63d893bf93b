"""The words in which a student reads a verdict: the same in every face.

What a check hides is decided here, once: fixed text stands alone, and evidence and flags never appear.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from grader.contract.picture import Picture
from grader.contract.verdict import Explanation, Status, Verdict

_LEADS = {
    Status.PASSED: "Passed.",
    Status.PARTIAL: "Partly right.",
    Status.FAILED: "The answer is not right.",
    Status.RULE_BROKEN: "A rule of the assignment is broken.",
    Status.STUDENT_ERROR: "The submission's code raised an exception.",
    Status.TIMEOUT: "The submission's code did not finish within the time limit.",
    Status.OUT_OF_MEMORY: "The submission's code used more memory than the limit.",
    Status.CRASHED: "The submission's code ended the process that ran it.",
    Status.BAD_ANSWER: "The submission's code gave an answer that cannot be read.",
    Status.MISSING: "What this check needs is missing from the submission.",
    Status.BLOCKED: "Not checked, because something that this check depends on failed.",
    Status.GRADER_ERROR: (
        "The grader itself failed on this check. This is not the fault of the submission: "
        "the staff can see the cause, and the check has to be graded again."
    ),
    Status.NOT_RUN: "This check was not run. Please tell the staff: it has to be graded again.",
}
WORDS = {
    Status.PASSED: "passed",
    Status.PARTIAL: "partly",
    Status.FAILED: "wrong",
    Status.RULE_BROKEN: "rule broken",
    Status.STUDENT_ERROR: "error",
    Status.TIMEOUT: "too slow",
    Status.OUT_OF_MEMORY: "out of memory",
    Status.CRASHED: "crashed",
    Status.BAD_ANSWER: "bad answer",
    Status.MISSING: "not written",
    Status.BLOCKED: "blocked",
    Status.GRADER_ERROR: "grader error",
    Status.NOT_RUN: "not run",
}
"""How a check ended, in a word or two, for tables."""


class Telling(str, Enum):
    """How much a student is told about a check that did not pass; what the submission printed is told in any case."""

    NONE = "none"
    SHORT = "short"
    FULL = "full"


# These say something that the message of an explanation does not repeat.
_ALWAYS_LED = (Status.PASSED, Status.PARTIAL, Status.NOT_RUN)


def student_text(verdict: Verdict, telling: Telling = Telling.FULL) -> str:
    """What the student reads about one check, one statement a line. Not cleaned and not cut: each face has its caps.

    A check with fixed text shows that text alone, so that no error, note or print betrays more. What the grader's own
    failure looked like is for staff. Where ``telling`` is short, numbers and the reason of an edge check are left out;
    where it is none, all but what the submission printed, unless the grader is to blame.
    """
    lead = _LEADS[verdict.status]
    if verdict.status is Status.GRADER_ERROR:
        return lead
    if verdict.fixed_text:
        return lead if verdict.status in (Status.PASSED, Status.NOT_RUN) else verdict.fixed_text
    lines = [] if telling is Telling.NONE and verdict.status is not Status.NOT_RUN else _why(verdict, telling)
    if verdict.output.strip():
        lines.append(f"The submission printed:\n{verdict.output.rstrip()}")
    return "\n".join(lines)


def student_pictures(verdict: Verdict, telling: Telling = Telling.FULL) -> tuple[Picture, ...]:
    """The pictures that the student sees beside the text: none where fixed text hides what happened, or told less."""
    return () if verdict.fixed_text or telling is not Telling.FULL else verdict.pictures


def _why(verdict: Verdict, telling: Telling) -> list[str]:
    full = telling is Telling.FULL
    labels = ("expected", "got", "difference", "hint") if full else ("hint",)
    lines = list(_explained(verdict.explanation or Explanation(""), labels))
    if verdict.status in _ALWAYS_LED or not (verdict.explanation and verdict.explanation.message):
        lines.insert(0, _LEADS[verdict.status])
    if full and verdict.edge and verdict.status is not Status.PASSED:
        lines.append(f"Why this matters: {verdict.edge}")
    return [*lines, *(f"Note: {note}" for note in verdict.notes)]


def _explained(explanation: Explanation, labels: tuple[str, ...]) -> Iterator[str]:
    if explanation.message:
        yield explanation.message
    for label in labels:
        text = getattr(explanation, label)
        if text:
            yield f"{label.capitalize()}:{_indented(text)}"


def _indented(text: str) -> str:
    """``text`` behind a label: on its line if it is one line, else below it."""
    lines = text.splitlines()
    return f" {text}" if len(lines) <= 1 else "".join(f"\n    {line}" for line in lines)
