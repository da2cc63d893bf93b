"""The command ``grader``.

Exit codes: 0 done; 1 ``check``: a check failed, ``doctor``: hidden checks are not safe here; 2 the command or its input
cannot be used; 3 the grader itself failed in some check; 130 interrupted or terminated. What needs torch is imported
once a command needs it, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from grader import __version__, cli_data, cli_doctor
from grader.contract.signals import terminations_as_interruptions

if TYPE_CHECKING:
    from grader.contract.assignment import Assignment
    from grader.contract.course import Course
    from grader.contract.report import Report
    from grader.grading.grade import Job
    from grader.grading.run import Finished
    from grader.judge.prepare import Options


class Exit(IntEnum):
    """Exit codes."""

    OK = 0
    FAILED = 1
    USAGE = 2
    GRADER_ERROR = 3
    INTERRUPTED = 130


class UsageError(ValueError):
    """The command's arguments cannot be used; says what was expected and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], Exit] = options.run
    try:
        with terminations_as_interruptions():
            return int(run(options))
    except KeyboardInterrupt:
        print("grader: interrupted; what was graded so far is in the output folder", file=sys.stderr)
        return int(Exit.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the process boundary: Python's own exit code, 1, means something else here
        if _is_of_the_user(error):
            print(f"grader: {error}", file=sys.stderr)
            return int(Exit.USAGE)
        traceback.print_exc()
        return int(Exit.GRADER_ERROR)


def _is_of_the_user(error: Exception) -> bool:
    from grader.contract.assignment import AssignmentError
    from grader.datasets.problems import DataError
    from grader.judge.submission import IntakeError
    from grader.kit.experiments import ExperimentsError
    from grader.kit.new import NewError

    problems = UsageError | AssignmentError | DataError | IntakeError | NewError | ExperimentsError | OSError
    return isinstance(error, problems | cli_doctor.TooLow)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="grader",
        description="Grades deep learning written from scratch, in processes that never share memory with the judge.",
        epilog="exit codes: 0 done; 1 check: a check failed, doctor: not safe; 2 unusable arguments or input; 3 the "
        "grader failed; 130 interrupted",
    )
    parser.add_argument("--version", action="version", version=f"grader {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="grade a small class of made-up submissions and leave its reports")
    demo.add_argument("assignments", nargs="*", metavar="ASSIGNMENT", help="which (default: all that are quick)")
    demo.add_argument(
        "-o", "--out", type=Path, default=Path("demo-out"), help="folder for the reports (default: demo-out)"
    )
    demo.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1, help="submissions graded at a time")
    demo.add_argument("--course", type=Path, help="folder of the course (default: the one that is installed)")
    demo.set_defaults(run=_demo)

    grade = commands.add_parser("grade", help="grade submissions, or folders full of them")
    grade.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a submission, or a folder of submissions")
    grade.add_argument("-a", "--assignment", required=True, help="name of the assignment, such as a2")
    grade.add_argument("-o", "--out", type=Path, default=Path("out"), help="folder for the reports (default: out)")
    grade.add_argument("-j", "--jobs", type=int, default=1, help="submissions graded at a time (default: 1)")
    _add_choices(grade)
    cli_doctor.add_option(grade)
    grade.set_defaults(run=_grade)

    check = commands.add_parser("check", help="check your own work: the visible checks only")
    check.add_argument(
        "path", nargs="?", type=Path, default=Path(), metavar="PATH", help="your folder (default: this one)"
    )
    check.add_argument("-a", "--assignment", help="name of the assignment (default: found by the names of the files)")
    _add_choices(check)
    cli_doctor.add_option(check)
    check.set_defaults(run=_check)

    new = commands.add_parser("new", help="lay out the files of an assignment to start from")
    new.add_argument("assignment", help="name of the assignment, such as a2")
    new.add_argument("folder", nargs="?", type=Path, help="where to (default: a folder of the assignment's name)")
    new.add_argument("--course", type=Path, help="folder of the course (default: the one that is installed)")
    new.set_defaults(run=_new)

    reference = commands.add_parser("reference", help="train an assignment's reference and print what it reaches")
    reference.add_argument("assignment", help="name of the assignment, such as a3")
    reference.add_argument("arguments", nargs=argparse.REMAINDER, help="of its experiments, which know --help too")
    reference.set_defaults(run=_reference)

    cli_data.add_parser(commands)
    commands.choices["data"].set_defaults(run=_data)

    cli_doctor.add_parser(commands)
    commands.choices["doctor"].set_defaults(run=lambda _: Exit.OK if cli_doctor.diagnose() else Exit.FAILED)
    return parser


def _add_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=["cpu", "cuda", "auto"], default="cpu", help="where submissions run")
    parser.add_argument(
        "--seed", default="", help="seed of all random inputs (default: a fresh one, kept in the report)"
    )
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="NAME|PATH",
        help="data set for the questions that need one, see: grader data list; may be given again for another one",
    )
    parser.add_argument("--course", type=Path, help="folder of the course (default: the one that is installed)")


# ---------------------------------------------------------------------------------------------- commands


def _grade(options: argparse.Namespace) -> Exit:
    from grader.pages.terminal import class_table, console

    cli_doctor.require(options.require_confinement)
    course = _course(options.course)
    assignment = course.assignment(options.assignment)
    with _grading() as address:
        jobs = _jobs(options.paths, assignment, options.out)
        finished = _run(jobs, assignment, course, _choices(options), options.jobs, address)
    console().print(class_table([(each.job.name, each.report) for each in finished], assignment.content.title))
    print(f"reports: {options.out}/NAME/report.json and results.json")
    return _tell_of_grader_errors(finished)


def _check(options: argparse.Namespace) -> Exit:
    from grader.contract.verdict import Status
    from grader.grading.grade import Job
    from grader.pages.terminal import console, student_view

    cli_doctor.require(options.require_confinement)
    _require_paths([options.path])
    course = _course(options.course)
    assignment = course.assignment(options.assignment or _recognise(options.path, course))
    with tempfile.TemporaryDirectory(prefix="check-") as out, _grading() as address:
        job = Job(options.path.resolve().name, options.path, Path(out))
        (finished,) = _run([job], assignment, course, replace(_choices(options), visible_only=True), 1, address)
    if finished.report is None:
        return _tell_of_grader_errors([finished])
    console().print(student_view(finished.report))
    if finished.grader_failed:
        return _tell_of_grader_errors([finished])
    passed = all(verdict.status is Status.PASSED for verdict in finished.report.verdicts)
    return Exit.OK if passed else Exit.FAILED


def _new(options: argparse.Namespace) -> Exit:
    from grader.kit.new import lay_out

    assignment = _course(options.course).assignment(options.assignment)
    folder = options.folder or Path(assignment.name)
    for path in lay_out(assignment, folder):
        print(path)
    print(f"Write the functions, then run: grader check {folder}")
    return Exit.OK


def _reference(options: argparse.Namespace) -> Exit:
    from grader.kit.experiments import run

    code = run(_course(None).assignment(options.assignment), options.arguments)
    return Exit(code) if code in (Exit.OK, Exit.USAGE) else Exit.GRADER_ERROR


def _data(options: argparse.Namespace) -> Exit:
    options.data_command(options)
    return Exit.OK


def _demo(options: argparse.Namespace) -> Exit:
    from grader.grading.grade import Job
    from grader.judge.prepare import Options
    from grader.judge.variants import read_variants, shown_unasked, write_variant
    from grader.pages.terminal import class_table, console

    course = _course(options.course)
    finished: list[Finished] = []
    with tempfile.TemporaryDirectory(prefix="demo-") as folder, _grading() as address:
        for name in options.assignments or course.names:
            assignment = course.assignment(name)
            if not options.assignments and not shown_unasked(assignment.folder / "demo.toml"):
                continue
            variants = read_variants(assignment.folder / "demo.toml")
            jobs = []
            for variant in variants:
                upload = Path(folder) / name / variant.name
                write_variant(variant, assignment, upload)
                jobs.append(Job(variant.name, upload, options.out / name / variant.name))
            graded = _run(jobs, assignment, course, Options(seed="demo"), options.jobs, address)
            console().print(
                class_table([(each.job.name, each.report) for each in graded], f"{name}: {assignment.content.title}")
            )
            finished += graded
    print(f"reports: {options.out}/ASSIGNMENT/NAME/report.json and results.json")
    return _tell_of_grader_errors(finished)


# ---------------------------------------------------------------------------------------------- steps


@contextmanager
def _grading() -> Iterator[Callable[[], Path]]:
    """The zygote, started while this process still imports; yields what waits for its address."""
    # Judges are forked from this process: one thread, or the children may hang.
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    from grader.judge.zygote import Zygote

    with Zygote() as zygote:
        import torch

        torch.set_num_threads(1)
        yield zygote.wait


def _run(
    jobs: list[Job], assignment: Assignment, course: Course, choices: Options, at_once: int, address: Callable[[], Path]
) -> list[Finished]:
    from grader.grading.grade import Setting
    from grader.grading.run import Run
    from grader.judge import reference

    reference.load(assignment)
    setting = Setting(course.root, assignment, choices, address())
    finished: list[Finished] = []
    try:
        with closing(iter(Run(jobs, setting, at_once))) as run:
            for each in _with_progress(run, len(jobs), assignment.name):
                if each.unusable:
                    raise UsageError(each.unusable)
                finished.append(each if each.report is None else _with_results(each, each.report))
    except KeyboardInterrupt:
        _keep_what_was_graded(jobs)
        raise
    return sorted(finished, key=lambda each: [job.name for job in jobs].index(each.job.name))


def _with_results(each: Finished, report: Report) -> Finished:
    """Writes ``results.json``. Where it cannot be written, the submission counts as not graded, and the run goes on."""
    try:
        _write_results(each.job, report)
    except OSError as error:
        return replace(each, report=None, log=f"{each.job.results} cannot be written: {error}")
    return each


def _write_results(job: Job, report: Report) -> None:
    from grader.contract.report import write_atomically
    from grader.gradescope.results import dumps, results

    write_atomically(job.results, dumps(results(report)))


def _keep_what_was_graded(jobs: Sequence[Job]) -> None:
    """Renders the reports of submissions that were being graded when the run was interrupted."""
    from grader.contract.report import from_json

    for job in jobs:
        if job.report.exists() and not job.results.exists():
            _write_results(job, from_json(job.report.read_text(encoding="utf-8")))


def _with_progress(run: Iterable[Finished | None], total: int, label: str) -> Iterator[Finished]:
    """Shows a bar while submissions are graded; without a thread, since judges are forked from this process."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, auto_refresh=False, transient=True, console=Console(stderr=True)) as progress:
        task = progress.add_task(f"grading {label}", total=total)
        for each in run:
            if each is not None:
                progress.advance(task)
                yield each
            progress.refresh()


def _course(root: Path | None) -> Course:
    from grader.contract.course import open_course

    return open_course(root)


def _choices(options: argparse.Namespace) -> Options:
    from grader.judge.data import open_sets
    from grader.judge.prepare import Options, choose_device

    try:
        device = choose_device(options.device)
    except ValueError as error:
        raise UsageError(str(error)) from error
    data = cli_data.made_ready(options.data)
    open_sets(data)  # for all judges, which are forked from this process
    return Options(options.seed, device, data, required=options.require_confinement)


def _require_paths(paths: Sequence[Path]) -> None:
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} does not exist; give a folder, an archive, a notebook or a Python file.")


def _jobs(paths: Sequence[Path], assignment: Assignment, out: Path) -> list[Job]:
    from grader.grading.grade import Job
    from grader.judge.prepare import wanted
    from grader.judge.submission import discover

    _require_paths(paths)
    looked_for = wanted(assignment)
    found = [pair for path in paths for pair in discover(path, looked_for)]
    if not found:
        raise UsageError(f"no submission was found in {', '.join(map(str, paths))}")
    jobs: dict[str, Job] = {}
    for name, upload in found:
        unique, count = name, 1
        # Names are folders, and some file systems take no notice of capitals.
        while unique.casefold() in jobs:
            count += 1
            unique = f"{name}-{count}"
        jobs[unique.casefold()] = Job(unique, upload, out / unique)
    return list(jobs.values())


def _recognise(path: Path, course: Course) -> str:
    """The assignment whose files lie in ``path``."""
    present = {file.name.lower() for file in (path.rglob("*") if path.is_dir() else [path])}
    fits = [
        name
        for name in course.names
        if present & {spec.file.lower() for spec in course.assignment(name).content.modules.values()}
    ]
    if len(fits) != 1:
        raise UsageError(
            f"{path.resolve()} holds files of {len(fits)} assignments; say which one with -a, "
            f"out of: {', '.join(course.names)}."
        )
    return fits[0]


def _tell_of_grader_errors(finished: Sequence[Finished]) -> Exit:
    failed = [each for each in finished if each.grader_failed]
    for each in failed:
        where = each.job.report if each.report else "no report"
        print(
            f"grader: {each.job.name}: the grader itself failed ({where}); no points were taken for it silently",
            file=sys.stderr,
        )
        if each.report is None:
            print(each.log[-2000:], file=sys.stderr)
    return Exit.GRADER_ERROR if failed else Exit.OK


if __name__ == "__main__":
    sys.exit(main())
