"""The command ``grader``.

Exit codes: 0 done; 1 ``check``: a check failed, ``doctor``: hidden checks are not safe here, ``validate``: a surprise;
2 the command or its input cannot be used; 3 the grader itself failed in some check; 130 interrupted or terminated. What
needs torch is imported once a command needs it, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from grader import (
    __version__,
    cli_author,
    cli_class,
    cli_cluster,
    cli_data,
    cli_doctor,
    cli_gradescope,
    cli_student,
    cli_validate,
)
from grader.contract.signals import terminations_as_interruptions
from grader.exits import Exit, UsageError

if TYPE_CHECKING:
    from grader.contract.course import Course
    from grader.grading.job import Finished
    from grader.judge.prepare import Options


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
        if isinstance(error, UsageError | OSError):
            print(f"grader: {error}", file=sys.stderr)
            return int(Exit.USAGE)
        traceback.print_exc()
        return int(Exit.GRADER_ERROR)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="grader",
        description="Grades deep learning written from scratch, in processes that never share memory with the judge.",
        epilog="exit codes: 0 done; 1 check: a check failed, doctor: not safe, validate: a surprise; 2 unusable "
        "arguments or input; 3 the grader failed; 130 interrupted",
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
    cli_class.add_arguments(grade)
    cli_cluster.add_arguments(grade)
    _add_choices(grade)
    cli_doctor.add_option(grade)
    grade.set_defaults(run=_grade)

    check = commands.add_parser("check", help="check your own work: the visible checks only")
    check.add_argument(
        "path", nargs="?", type=Path, default=Path(), metavar="PATH", help="your folder (default: this one)"
    )
    check.add_argument("-a", "--assignment", help="name of the assignment (default: found by the names of the files)")
    cli_student.add_check_options(check)
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

    cli_student.add_parsers(commands)
    cli_author.add_parsers(commands)
    commands.choices["submit"].set_defaults(run=_submit)

    cli_data.add_parser(commands)
    commands.choices["data"].set_defaults(run=_data)
    cli_gradescope.add_parsers(commands)
    for name in ("bundle", "simulate"):
        commands.choices[name].set_defaults(run=_gradescope)

    cli_validate.add_parser(commands)
    commands.choices["validate"].set_defaults(run=_validate)

    cli_doctor.add_parser(commands)
    commands.choices["doctor"].set_defaults(run=lambda _: Exit.OK if cli_doctor.diagnose() else Exit.FAILED)
    return parser


def _add_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device",
        choices=["cpu", "cuda", "auto"],
        default="cpu",
        help="where submissions run; auto: CUDA if it is there",
    )
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
    from grader.grading.found import chosen_jobs, find_class
    from grader.grading.journal import circumstances, opened
    from grader.pages.changes import changes_table
    from grader.pages.files import CLASS_PAGE
    from grader.pages.terminal import console

    cli_doctor.require(options.require_confinement)
    if options.similar:
        cli_class.require_comparison()
    course = _whole_course(options.course)
    assignment = course.assignment(options.assignment)
    choices = _choices(options)
    around = circumstances(assignment, repr(choices))
    machines: Callable[[], AbstractContextManager[cli_class.Start]]
    if cli_cluster.wanted(options):
        machines = partial(cli_cluster.on_workers, options, choices, around)
    else:
        at_once = options.jobs or cli_class.default_jobs()
        machines = partial(cli_class.on_this_machine, assignment, course, choices, at_once)
    with tempfile.TemporaryDirectory(prefix="class-") as staging:
        only_latest = options.attempts == "latest"
        found = find_class(
            options.paths, assignment, options.out, Path(staging), options.roster, only_latest=only_latest
        )
        for remark in found.remarks:
            print(remark)
        chosen = chosen_jobs(found.jobs, options.only)
        with opened(options.out) as journal:
            if options.failed:
                chosen = cli_class.lost_a_check(chosen, journal)
            finished = cli_class.run_with_journal(
                found.jobs,
                chosen,
                around,
                machines,
                journal,
                label=assignment.name,
                again=options.again or options.failed,
            )
            if options.attempts == "best":
                finished = cli_class.best_of(finished)
            pairs = cli_class.alike(finished, assignment) if options.similar else None
            cli_class.show(finished, assignment.content.title, options.out, found.platform, pairs)
    if options.diff:
        console().print(changes_table([(each.job.name, each.report) for each in finished], options.diff))
    print(f"open {options.out / CLASS_PAGE}; reports: {options.out}/NAME/report.html, report.json and results.json")
    return Exit.GRADER_ERROR if cli_class.grader_errors(finished) else Exit.OK


def _check(options: argparse.Namespace) -> Exit:
    from grader.grading.found import require_paths

    cli_doctor.require(options.require_confinement)
    require_paths([options.path])
    course = _course(options.course)
    assignment = course.assignment(options.assignment or _recognise(options.path, course))
    questions = cli_student.chosen_questions(options.only, assignment)
    choices = replace(_choices(options), visible_only=True, questions=questions)
    return cli_student.check(options, assignment, course, choices)


def _submit(options: argparse.Namespace) -> Exit:
    course = _course(options.course)
    assignment = course.assignment(options.assignment or _recognise(options.path, course))
    return cli_student.submit(options, assignment)


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

    code = run(_whole_course(None).assignment(options.assignment), options.arguments)
    return Exit(code) if code in (Exit.OK, Exit.USAGE) else Exit.GRADER_ERROR


def _data(options: argparse.Namespace) -> Exit:
    options.data_command(options)
    return Exit.OK


def _validate(options: argparse.Namespace) -> Exit:
    course = _whole_course(options.course)
    with cli_class.grading() as address:
        sound = cli_validate.validate(options, course, address)
    return Exit.OK if sound else Exit.FAILED


def _gradescope(options: argparse.Namespace) -> Exit:
    return Exit.OK if options.gradescope_command(options) else Exit.GRADER_ERROR


def _demo(options: argparse.Namespace) -> Exit:
    from grader.grading.job import Job
    from grader.judge.prepare import Options
    from grader.judge.variants import read_variants, shown_unasked, write_variant
    from grader.pages.files import CLASS_PAGE

    course = _whole_course(options.course)
    finished: list[Finished] = []
    pages: list[Path] = []
    with tempfile.TemporaryDirectory(prefix="demo-") as folder, cli_class.grading() as address:
        for name in options.assignments or course.names:
            assignment = course.assignment(name)
            made_up = assignment.folder / "demo.toml"
            if not made_up.is_file():
                if name in options.assignments:
                    raise UsageError(f"{name} has no demonstration class: {made_up} is not there.")
                continue
            if not options.assignments and not shown_unasked(made_up):
                continue
            jobs = []
            for variant in read_variants(made_up):
                upload = Path(folder) / name / variant.name
                write_variant(variant, assignment, upload)
                jobs.append(Job(variant.name, upload, options.out / name / variant.name))
            start = cli_class.local_start(assignment, course, Options(seed="demo"), options.jobs, address)
            ended = list(cli_class.run(jobs, start, assignment.name))
            graded = sorted(ended, key=lambda each: jobs.index(each.job))
            cli_class.show(graded, f"{name}: {assignment.content.title}", options.out / name)
            finished += graded
            pages.append(options.out / name / CLASS_PAGE)
    if not pages:
        raise UsageError(f"the course in {course.root} has no demonstration class that is quick; name an assignment.")
    print(f"open {' or '.join(map(str, pages))}; reports lie beside it, in folders of the submissions' names")
    return Exit.GRADER_ERROR if cli_class.grader_errors(finished) else Exit.OK


# ---------------------------------------------------------------------------------------------- steps


def _course(root: Path | None) -> Course:
    from grader.contract.course import open_course

    return open_course(root)


def _whole_course(root: Path | None) -> Course:
    """The course, for what students cannot do with theirs."""
    from grader.contract.course import whole

    return whole(_course(root))


def _choices(options: argparse.Namespace) -> Options:
    from grader.judge.prepare import Options, choose_device

    try:
        device = choose_device(options.device)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if options.device == "auto" and device == "cpu":
        print("grader: torch can use no CUDA device of this machine; submissions run on the CPU", file=sys.stderr)
    data = cli_data.made_ready(options.data)
    if data:
        from grader.judge.data import open_sets

        open_sets(data)  # for all judges, which are forked from this process
    return Options(options.seed, device, data, required=options.require_confinement)


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


if __name__ == "__main__":
    sys.exit(main())
