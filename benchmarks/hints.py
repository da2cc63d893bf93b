"""How often the hint on a wrong submission is right, wrong or absent, on mistakes that no hint was written for.

    python benchmarks/hints.py [a1 a2 a3 a4] [--kinds mutants unlike pairs mixed held-out] [--count 25] [--seed s]
                               [--read TO_READ.txt] [--judged READ.txt]

Each submission is the reference with one mistake or two, graded by the checks of the functions that are changed:

    mutants     one generated mutant (those of `grader validate`)
    unlike      one mutant, while slips of every kind that can make the same change are left out of what is looked for
    pairs       two chaffs, of one function at different places, and of two functions, by turns
    mixed       a chaff and a mutant of one function
    held-out    one chaff, while it and every chaff that carries the same hint are left out

`--count` submissions of each kind are drawn from each assignment. A hint is taken for right without being read where
a chaff of the submission carries it. What else is said is written to `--read`, with what was changed, for a person to
judge: the `?` before each is to be replaced by `+` for right or `-` for wrong. `--judged` takes such a file back in.
Under `error` are those of which students see errors and limits alone: no hint is looked for, since these say it.
"""

from __future__ import annotations

import argparse
import difflib
import io
import os
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import pytest
from mistakes import KINDS, Mistakes, Wrong

from grader.contract.assignment import Assignment
from grader.contract.course import Course, default_course
from grader.contract.verdict import Status
from grader.grading.grade import plain_pytest, run_checks
from grader.judge.advice.hints import Hints
from grader.judge.fixtures import ENTRY
from grader.judge.order import Order
from grader.judge.prepare import Options, prepare
from grader.judge.trials import Trial, Trying
from grader.judge.zygote import Zygote


@dataclass
class Said:
    """What was said on one submission: number of each check that failed -> its hint, and its message.

    ``wrong_values``: whether a check that students see failed by what was answered, and not by an error or a limit.
    """

    hints: dict[str, str] = field(default_factory=dict)
    wrong_values: bool = False
    messages: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def shown(self) -> dict[str, str]:
        """Hint -> number of the first check that showed it."""
        return {hint: number for number, hint in reversed(self.hints.items()) if hint}


class Asking(Trying):
    """Grades one submission after the other with hints, in one process."""

    def __init__(self, order: Order, wrong: Sequence[Wrong], said: list[Said]) -> None:
        super().__init__(order, [Trial(each.texts, each.numbers) for each in wrong], Path(os.devnull))
        self.order = order
        self._wrong, self._said = wrong, said

    def _try(self, number: int, trial: Trial, checks: Sequence[pytest.Item]):
        said, began = Said(), time.process_time()
        self._said.append(said)
        self.hints = Hints(self.order, self.bench.assignment, left_out=self._wrong[number].left_out)
        outcome = super()._try(number, trial, checks)
        said.seconds = time.process_time() - began
        return outcome

    def _verdict_on(self, item: pytest.Item):
        verdict = super()._verdict_on(item)
        if verdict.status is not Status.PASSED and verdict.explanation is not None:
            said = self._said[-1]
            said.hints[item.stash[ENTRY].number] = verdict.explanation.hint
            said.wrong_values |= verdict.status is Status.FAILED and verdict.visibility == "visible"
            said.messages[item.stash[ENTRY].number] = verdict.explanation.message
        return verdict


class AskingPlugin:
    """Makes a pytest run ask for hints."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def pytest_configure(self, config: pytest.Config) -> None:
        config.pluginmanager.register(self._asking, "scratchgrade-judging")
        config.pluginmanager.register(self._asking.fixtures, "scratchgrade-fixtures")


def graded(wrong: Sequence[Wrong], assignment: Assignment, course: Course, address: Path, seed: str) -> list[Said]:
    """What is said on each submission."""
    said: list[Said] = []
    with tempfile.TemporaryDirectory(prefix="hints-") as folder, plain_pytest(), redirect_stdout(io.StringIO()):
        options = Options(seed=seed)
        order = prepare(assignment.reference, "hints", assignment, course.root, Path(folder), address, None, options)
        run_checks(assignment, AskingPlugin(Asking(order, wrong, said)))
    return said


def told(wrong: Wrong, said: Said, judged: Mapping[tuple[str, str], str]) -> tuple[str, list[str]]:
    """How the hints on a submission are, one of `WORDS`, and which are to be read.

    One wrong hint makes the submission's hints wrong.
    """
    marks = {}
    for hint in said.shown:
        marks[hint] = "+" if hint in wrong.right else judged.get((wrong.name, hint), "?")
    to_read = [hint for hint, mark in marks.items() if hint not in wrong.right]
    if not said.hints:
        return "passed", to_read
    for mark, word in (("-", "wrong"), ("?", "unread"), ("+", "right")):
        if mark in marks.values():
            return word, to_read
    return ("absent" if said.wrong_values else "error"), to_read


def change_in(wrong: Wrong, assignment: Assignment) -> list[str]:
    """The lines that were changed."""
    lines = []
    for module, text in wrong.texts.items():
        before = (assignment.reference / assignment.content.modules[module].file).read_text(encoding="utf-8")
        diff = list(difflib.unified_diff(before.splitlines(), text.splitlines(), n=0, lineterm=""))
        lines += [line for line in diff[2:] if not line.startswith("@@")]
    return lines


def page(wrong: Wrong, said: Said, to_read: Collection[str], word: str, assignment: Assignment, marks: Mapping) -> str:
    """One submission, for a person to judge."""
    lines = [f"# {assignment.name} {word}: {wrong.name}", *(f"    {line}" for line in change_in(wrong, assignment))]
    for hint, number in said.shown.items():
        mark = marks.get((wrong.name, hint), "?") if hint in to_read else "="
        lines.append(f"{mark} {hint}")
        lines.append(f"      [{number}] {said.messages[number][:150]}")
    if not said.shown:
        lines += [f"      [{number}] {message[:150]}" for number, message in said.messages.items()]
    return "\n".join(lines) + "\n"


def read_marks(file: Path | None) -> dict[tuple[str, str], str]:
    """(name of the submission, hint) -> `+` or `-`."""
    marks, name = {}, ""
    for line in file.read_text(encoding="utf-8").splitlines() if file else ():
        if line.startswith("# "):
            name = line.partition(": ")[2]
        elif line[:2] in ("+ ", "- "):
            marks[name, line[2:]] = line[0]
    return marks


WORDS = ("right", "wrong", "unread", "absent", "error", "passed")


def main() -> None:
    """Draws, grades, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("assignments", nargs="*", default=["a1", "a2", "a3", "a4"])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--count", type=int, default=25)
    parser.add_argument("--seed", default="s")
    parser.add_argument("--read", type=Path)
    parser.add_argument("--judged", type=Path)
    options = parser.parse_args()
    marks, pages, course = read_marks(options.judged), [], default_course()
    print(f"{'':12}{'fail':>6}" + "".join(f"{word:>8}" for word in WORDS) + f"{'s each':>8}")
    with Zygote() as zygote:
        address = zygote.wait()
        for kind in options.kinds:
            counts, seconds = Counter[str](), 0.0
            for name in options.assignments:
                assignment = course.assignment(name)
                wrong = Mistakes(assignment, options.seed).drawn(kind, options.count)
                for each, said in zip(wrong, graded(wrong, assignment, course, address, options.seed), strict=True):
                    word, to_read = told(each, said, marks)
                    counts[word] += 1
                    seconds += said.seconds
                    pages.append(page(each, said, to_read, word, assignment, marks))
            fail = counts.total() - counts["passed"]
            shown = "".join(f"{counts[word]:8}" for word in WORDS)
            print(f"{kind:12}{fail:6}{shown}{seconds / max(counts.total(), 1):8.2f}", flush=True)
    if options.read:
        options.read.write_text("\n".join(pages), encoding="utf-8")


if __name__ == "__main__":
    main()
