"""What students run: ``grader check``, with watching and a page, and ``grader submit``; and what they read.

What needs torch is imported once a command needs it.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from grader import cli_class
from grader.exits import Exit, UsageError

if TYPE_CHECKING:
    from grader.contract.assignment import Assignment
    from grader.contract.course import Course
    from grader.contract.report import Report
    from grader.contract.wording import Telling
    from grader.judge.prepare import Options


LEVELS = ("none", "short", "full")
"""The values of ``Telling``, whose module is not needed to read the arguments."""


def add_check_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``grader check`` that concern a student at work."""
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="of this function or class alone; * stands for any"
    )
    parser.add_argument(
        "--hint",
        choices=LEVELS,
        default="full",
        metavar="LEVEL",
        help="how much is told of a check that fails: none, how it ended; short, also what is wrong, in a sentence, "
        "and a hint where one fits; full, also what was expected and what came (default: full)",
    )
    parser.add_argument("--watch", action="store_true", help="go on, and check at every save what it touched")
    parser.add_argument("--open", action="store_true", help="show the page of the report in a browser")


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``submit``, whose ``run`` is set by the caller, and ``handout``."""
    submit = commands.add_parser("submit", help="pack what you hand in, and see what is missing")
    submit.add_argument(
        "path", nargs="?", type=Path, default=Path(), metavar="FOLDER", help="your folder (default: this one)"
    )
    submit.add_argument("-a", "--assignment", help="name of the assignment (default: found by the names of the files)")
    submit.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help="the zip (default: ASSIGNMENT-submission.zip beside the folder)"
    )
    submit.add_argument("--course", type=Path, help="folder of the course (default: the one that is installed)")

    handout = commands.add_parser("handout", help="what an assignment asks for, as Markdown and as a page")
    handout.add_argument("assignment", help="name of the assignment, such as a3")
    handout.add_argument("-o", "--out", type=Path, metavar="FOLDER", help="where to (default: Markdown, printed)")
    handout.add_argument("--course", type=Path, help="folder of the course (default: the one that is installed)")
    handout.set_defaults(run=_handout)


# ---------------------------------------------------------------------------------------------- check


def chosen_questions(names: Sequence[str], assignment: Assignment) -> tuple[str, ...]:
    """The numbers of the questions on the functions, methods or classes of these names; empty for no names.

    Raises:
        UsageError: if a name fits none.
    """
    chosen: dict[str, None] = {}
    for name in names:
        fitting = [each.number for each in assignment.content.questions if _fits(name, each.function, each.number)]
        if not fitting:
            known = ", ".join(question.function.partition(".")[2] for question in assignment.content.questions)
            raise UsageError(f"--only {name} fits no function of {assignment.name}; there are: {known}.")
        chosen.update(dict.fromkeys(fitting))
    return tuple(chosen)


def _fits(name: str, function: str, number: str) -> bool:
    inside = function.partition(".")[2]
    words = (number, function, inside, inside.partition(".")[0])
    return any(fnmatch.fnmatchcase(word, name) for word in words)


def check(options: argparse.Namespace, assignment: Assignment, course: Course, choices: Options) -> Exit:
    """Makes the visible checks of ``options.path``, once or at every save, and shows what they found."""
    with cli_class.grading() as address:

        def graded(asked: Options) -> Report | None:
            return _graded(options.path, assignment, course, asked, address)

        if options.watch:
            return _watch(options, assignment, choices, graded)
        report = graded(choices)
    return _shown(report, options, options.open)


def _graded(
    path: Path, assignment: Assignment, course: Course, choices: Options, address: Callable[[], Path]
) -> Report | None:
    """The report, or ``None`` where the grader itself failed before it knew the checks."""
    from grader.grading.job import Job

    with tempfile.TemporaryDirectory(prefix="check-") as out:
        job = Job(path.resolve().name, path, Path(out))
        start = cli_class.local_start(assignment, course, choices, 1, address)
        (finished,) = cli_class.run([job], start, assignment.name)
        cli_class.grader_errors([finished])
        return finished.report


def _shown(report: Report | None, options: argparse.Namespace, opening: bool = False) -> Exit:
    from grader.contract.verdict import Status
    from grader.contract.wording import Telling
    from grader.pages.terminal import console, student_view

    if report is None:
        return Exit.GRADER_ERROR
    telling = Telling(options.hint)
    console().print(student_view(report, telling))
    if opening:
        _open(report, telling)
    if not report.complete:
        return Exit.GRADER_ERROR
    return Exit.OK if all(verdict.status is Status.PASSED for verdict in report.verdicts) else Exit.FAILED


def _open(report: Report, telling: Telling) -> None:
    """Shows the report's page in a browser. It lies in the user's cache, where the next one takes its place."""
    import platformdirs

    from grader.contract.report import write_atomically
    from grader.pages.html import submission_page

    page = Path(platformdirs.user_cache_dir("scratchgrade"), "check", f"{report.assignment.name}.html")
    page.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(page, submission_page(report, telling=telling), durable=False)
    print(page)
    webbrowser.open(page.resolve().as_uri())


def _watch(
    options: argparse.Namespace,
    assignment: Assignment,
    choices: Options,
    graded: Callable[[Options], Report | None],
) -> Exit:
    """Checks everything, then at every save what it touched, until Ctrl-C.

    The functions that changed come first, and what runs through them once they pass.
    """
    from grader.contract.verdict import Status
    from grader.kit.watch import Waiting, saves

    waiting = Waiting(options.path, assignment, choices.questions)
    whole = graded(choices)
    code = _shown(whole, options, options.open)
    try:
        while True:
            print("waiting for a save; Ctrl-C ends", file=sys.stderr, flush=True)
            with closing(saves(options.path)) as told:
                next(None for _ in told if waiting.look())
            for asked in waiting.rounds():
                part = graded(replace(choices, questions=asked))
                whole = _merged(whole, part)
                code = _shown(part, options)
                _tell_total(whole)
                if part is None or any(verdict.status is not Status.PASSED for verdict in part.verdicts):
                    break
    except KeyboardInterrupt:
        return code


def _merged(whole: Report | None, part: Report | None) -> Report | None:
    """``whole`` with the verdicts of ``part`` in the place of its own."""
    if whole is None or part is None:
        return whole or part
    fresh = {verdict.check: verdict for verdict in part.verdicts}
    return replace(part, verdicts=tuple(fresh.get(verdict.check, verdict) for verdict in whole.verdicts))


def _tell_total(whole: Report | None) -> None:
    if whole is not None:
        print(f"altogether {whole.score:g} of {whole.max_score:g} points", flush=True)


# ---------------------------------------------------------------------------------------------- submit and handout


def submit(options: argparse.Namespace, assignment: Assignment) -> Exit:
    """Packs ``options.path``, tells what is packed and what is missing; fails where a module is missing or broken."""
    from grader.kit.submit import gather

    contents = gather(options.path, assignment)
    # Beside the folder: inside it, the next check would find every file twice.
    out = options.out or options.path.resolve().parent / f"{assignment.name}-submission.zip"
    size = contents.write(assignment, out)
    for name, data in contents.files.items():
        print(f"  {len(data):>11,}  {name}")
    for sentence in (*contents.missing, *contents.notes):
        print(sentence)
    for file, functions in groupby((each.partition(": ") for each in sorted(contents.unwritten)), itemgetter(0)):
        print(f"Not written yet in {file}: {', '.join(name for _, _, name in functions)}")
    print(f"{out}: {size:,} bytes")
    return Exit.FAILED if contents.missing else Exit.OK


def _handout(options: argparse.Namespace) -> Exit:
    from grader.contract.course import open_course
    from grader.kit.handout import html, markdown

    assignment = open_course(options.course).assignment(options.assignment)
    if options.out is None:
        print(markdown(assignment), end="")
        return Exit.OK
    options.out.mkdir(parents=True, exist_ok=True)
    for suffix, text in (("md", markdown(assignment)), ("html", html(assignment))):
        path = options.out / f"{assignment.name}.{suffix}"
        path.write_text(text, encoding="utf-8")
        print(path)
    return Exit.OK
