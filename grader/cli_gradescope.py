"""``grader bundle`` and ``grader simulate``: the zip for Gradescope, and what becomes of a submission there."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grader.gradescope.bundle import Bundle
    from grader.gradescope.simulation.harness import Outcome
    from grader.gradescope.simulation.views import View

LARGEST = 5 * 2**20
"""A bundle without data sets is smaller by far; a larger one holds something by mistake."""


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the two commands; each sets ``gradescope_command``, a function of the arguments that tells of success."""
    bundle = commands.add_parser("bundle", help="make the zip that is uploaded to Gradescope")
    bundle.add_argument("assignment", help="name of the assignment, such as a2")
    bundle.add_argument("-o", "--out", type=Path, metavar="FILE", help="the zip (default: ASSIGNMENT.zip)")
    bundle.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="NAME|PATH",
        help="data set for the questions that need one; files are packed; may be given again for another one",
    )
    bundle.add_argument("--seed", default="", help="seed of all random inputs (default: from the course's files)")
    bundle.add_argument("--course", type=Path, help="folder of the course (default: the one that is installed)")
    bundle.set_defaults(gradescope_command=_bundle)

    simulate = commands.add_parser("simulate", help="build a bundle here, and grade a submission as Gradescope would")
    simulate.add_argument("bundle", type=Path, metavar="ZIP", help="what grader bundle made")
    simulate.add_argument("submission", type=Path, metavar="PATH", help="a file, or a folder of files")
    simulate.add_argument("--metadata", type=Path, metavar="FILE", help="submission_metadata.json (default: made up)")
    simulate.add_argument(
        "--kind",
        choices=["debootstrap", "machine", "prefix"],
        help="what the container starts from: a clean system, this machine's files, or none (default: the best here)",
    )
    simulate.add_argument("--suite", default="", help="release of the clean system (default: this machine's own)")
    simulate.add_argument("--memory", type=int, default=768, metavar="MIB", help="memory in MiB (default: 768)")
    simulate.add_argument("--cpu", type=float, default=0.5, metavar="N", help="processors (default: 0.5)")
    simulate.add_argument("--timeout", type=float, default=600.0, metavar="SECONDS", help="limit (default: 600)")
    simulate.add_argument(
        "-o", "--out", type=Path, default=Path("simulated"), help="folder for what it leaves (default: simulated)"
    )
    simulate.set_defaults(gradescope_command=_simulate)


def _bundle(options: argparse.Namespace) -> bool:
    from grader.contract.course import open_course, whole
    from grader.gradescope.bundle import make

    bundle = make(whole(open_course(options.course)), options.assignment, options.data, options.seed)
    out = options.out or Path(f"{options.assignment}.zip")
    size = bundle.write(out)
    _list(bundle)
    print(f"{out}: {size:,} bytes, {len(bundle.members)} files")
    if size > LARGEST and not options.data:
        print(f"This is more than {LARGEST:,} bytes without a data set: see whether a file above belongs there.")
    return True


def _list(bundle: Bundle) -> None:
    parts = (
        ("Only root reads, in the container:", [each for each in bundle.members if each.hidden]),
        ("Submissions read, in copies made for them:", [each for each in bundle.members if not each.hidden]),
    )
    for title, members in parts:
        print(title)
        for member in members:
            print(f"  {member.size:>11,}  {member.name}")
    print("  and the environment that setup.sh installs: Python, packages, the grader's own code without the course")
    print("No text of the hidden files was found in what submissions or students can read.")


def _simulate(options: argparse.Namespace) -> bool:
    from grader.gradescope.simulation.container import WORDS, Kind
    from grader.gradescope.simulation.limits import Limits
    from grader.gradescope.simulation.platform import Platform

    metadata = _metadata(options.metadata)
    for path in (options.bundle, options.submission):
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist; give a bundle and a submission.")
    platform = Platform.default(
        Kind(options.kind) if options.kind else None,
        suite=options.suite,
        limits=Limits(options.memory, options.cpu),
        seconds=options.timeout,
    )
    print(f"container: {WORDS[platform.kind]}", flush=True)
    with platform.image(options.bundle) as (image, seconds):
        print(f"image: built in {seconds:.0f} s" if seconds else "image: built before", flush=True)
        outcome = platform.grade(image, options.submission, metadata)
    _leave(outcome, options.out, options.submission.name)
    _tell(outcome)
    return not outcome.replaced and not outcome.problems and _complete(outcome.results)


def _complete(results: Mapping[str, Any]) -> bool:
    """Whether the grader says so itself; other autograders say nothing."""
    told = results.get("extra_data")
    return not isinstance(told, dict) or told.get("complete") is not False


def _metadata(path: Path | None) -> Mapping[str, Any] | None:
    """The metadata as they are handed to the container, which has to cope with any that are a table."""
    if path is None:
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise OSError(f"{path} is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise OSError(f"{path} holds no table; the platform's submission_metadata.json was expected.")
    return content


def _leave(outcome: Outcome, folder: Path, name: str) -> None:
    from grader.gradescope.simulation.preview import page

    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps(outcome.results, ensure_ascii=False, indent=1) + "\n"
    for file, text in (
        ("results.json", content),
        ("stdout", outcome.stdout),
        ("preview.html", page(outcome.results, outcome.stdout, f"{name}, as on Gradescope")),
    ):
        (folder / file).write_text(text, encoding="utf-8", errors="replace")
    print(f"{folder}: results.json, stdout, preview.html")


def _tell(outcome: Outcome) -> None:
    from grader.gradescope.simulation.views import of_staff, of_student

    memory = f", {outcome.peak_bytes / 2**20:.0f} MiB at most" if outcome.peak_bytes else ""
    computing = f", {outcome.cpu_seconds:.1f} s of computing" if outcome.cpu_seconds else ""
    print(f"graded in {outcome.seconds:.1f} s{computing}{memory}")
    if outcome.unlimited:
        print(outcome.unlimited)
    if outcome.killed:
        print(f"{outcome.killed} processes were killed, because memory ran out")
    if outcome.replaced:
        print(f"the platform puts something else in the place of the results: {outcome.replaced}")
    for problem in outcome.problems:
        print(f"against the platform's rules: {problem}")
    for view in (of_student(outcome.results, outcome.stdout), of_staff(outcome.results, outcome.stdout)):
        _show(view)


def _show(view: View) -> None:
    total = "no total" if view.total is None else f"{view.total:g} points"
    print(f"\n{view.who} {total}, {len(view.tests)} {'test' if len(view.tests) == 1 else 'tests'}")
    if view.output:
        print(_indented(view.output))
    for test in view.tests:
        points = (
            "" if test.score is None else f"{test.score:g}" + ("" if test.max_score is None else f"/{test.max_score:g}")
        )
        remark = f" ({test.remark})" if test.remark else ""
        print(f"  {'passed' if test.passed else 'FAILED'}  {points:>9}  {test.title}{remark}")
        if test.output.text and not test.passed:
            print(_indented(test.output.text, 12))


def _indented(text: str, by: int = 2) -> str:
    return "\n".join(" " * by + line for line in text.splitlines()[:40])
