"""What authors of courses run: ``grader assignment``, which begins one, ``grader kit``, what students install, and
``grader plots``, how the references learn.

What needs torch is imported once a command needs it.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from grader import cli_class, cli_data
from grader.exits import Exit, UsageError


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the two commands."""
    assignment = commands.add_parser("assignment", help="begin an assignment of your own, or derive students' files")
    which = assignment.add_subparsers(required=True, metavar="WHAT")
    begin = which.add_parser("new", help="write a small assignment that works, to be replaced piece by piece")
    begin.add_argument("name", help="its name, such as hw1")
    begin.add_argument("--title", default="", help="what people call it")
    begin.add_argument("--course", type=Path, default=Path(), help="folder of the course (default: this one)")
    begin.set_defaults(run=_begin)
    derive = which.add_parser("template", help="derive the students' files from the references anew")
    derive.add_argument("--course", type=Path, default=Path(), help="folder of the course (default: this one)")
    derive.set_defaults(run=_derive)

    plots = commands.add_parser("plots", help="train the references, and make a page that shows how they learn")
    plots.add_argument("assignments", nargs="*", metavar="ASSIGNMENT", help="which (default: all of the course)")
    plots.add_argument(
        "-o", "--out", type=Path, default=Path("plots.html"), metavar="FILE", help="the page (default: plots.html)"
    )
    plots.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="NAME|PATH",
        help="images or pictures with captions (default: drawn ones), see: grader data list; may be given again",
    )
    plots.add_argument("--quick", action="store_true", help="on few examples, in seconds: to see that it works")
    plots.add_argument("--seed", type=int, default=0, help="of all trainings (default: 0)")
    plots.add_argument("--threads", type=int, default=1, help="of torch (default: 1)")
    plots.add_argument("--course", type=Path, help="folder of the course (default: the one that is installed)")
    plots.set_defaults(run=_plots)

    kit = commands.add_parser("kit", help="make what students install: no reference, no hidden check")
    kit.add_argument("assignments", nargs="*", metavar="ASSIGNMENT", help="which (default: all of the course)")
    kit.add_argument("-o", "--out", type=Path, default=Path(), metavar="FOLDER", help="where to (default: here)")
    kit.add_argument("--course", type=Path, help="folder of the course (default: the one that is installed)")
    kit.set_defaults(run=_kit)


# ---------------------------------------------------------------------------------------------- what students install


def _kit(options: argparse.Namespace) -> Exit:
    from grader.contract.course import open_course, whole
    from grader.kit.students import FILE, build, lay_out_course

    course = whole(open_course(options.course))
    names = options.assignments or course.names
    with tempfile.TemporaryDirectory(prefix="kit-") as folder, cli_class.grading() as address:
        root = Path(folder)
        for made in lay_out_course(course, names, root, address()):
            print(f"{made.name}: {made.checks} checks at home; {len(made.away)} only when handed in")
            for check in made.away:
                print(f"  {check}")
        content = build(course, names, root)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / FILE).write_bytes(content)
    print(f"{options.out / FILE}: {len(content):,} bytes; no text of a reference or of a hidden check was found in it")
    return Exit.OK


# ---------------------------------------------------------------------------------------------- plots


def _plots(options: argparse.Namespace) -> Exit:
    from grader.contract.course import open_course, whole
    from grader.contract.report import write_atomically
    from grader.kit.plots import Asked, plot

    course = whole(open_course(options.course))
    chosen = [course.assignment(name) for name in options.assignments or course.names]
    data = cli_data.made_ready(options.data)
    text = plot(chosen, Asked(data, options.seed, options.threads, options.quick))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(options.out, text)
    print(f"open {options.out}")
    return Exit.OK


# ---------------------------------------------------------------------------------------------- an assignment


def _begin(options: argparse.Namespace) -> Exit:
    from grader.contract.course import default_course, whole
    from grader.kit.skeleton import write_assignment

    whole(default_course())
    paths, remark = write_assignment(options.course, options.name, options.title)
    print(*paths, sep="\n")
    if remark:
        print(remark)
    reference = options.course / "reference" / options.name
    print(f"See that it works: grader grade {reference} -a {options.name} --course {options.course}")
    return Exit.OK


def _derive(options: argparse.Namespace) -> Exit:
    from grader.kit.marks import TemplateError
    from grader.kit.skeleton import write_templates

    try:
        remark = write_templates(options.course)
    except TemplateError as error:
        raise UsageError(str(error)) from error
    print(remark or f"{options.course / 'student_template'} follows from the references.")
    return Exit.OK
