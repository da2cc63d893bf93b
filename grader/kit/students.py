"""What students install: this grader with a course that holds no reference, no hidden check, no chaff and no label.

In the reference's place stand the template and recorded answers (see :mod:`grader.judge.home`). The wheel is refused
where a text of what is hidden is found in it.
"""

from __future__ import annotations

import ast
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.contract.assignment import EXPERIMENTS, HANDOUT, NOTEBOOKS, Assignment
from grader.contract.course import Course
from grader.contract.verdict import Status
from grader.exits import UsageError
from grader.gradescope import wheel
from grader.gradescope.bundle import pinned_versions
from grader.gradescope.leaks import leaks
from grader.grading.grade import Setting
from grader.grading.job import Job
from grader.grading.run import Run
from grader.judge.home import SEED, leave_out
from grader.judge.prepare import Options
from grader.kit.visible import Cut, without_hidden

LABEL = "students"
FILE = wheel.file_name(LABEL)
LENDING = "lending.py"
"""A module of checks that holds right versions to be lent: solutions, which stay away and are not used at home."""


class StudentsError(UsageError):
    """No wheel for students can be made; says why."""


@dataclass(frozen=True)
class Made:
    """One assignment of a students' course.

    Attributes:
        name: of the assignment.
        checks: how many checks are made at home.
        away: names of visible checks that are made only when the work is handed in.
    """

    name: str
    checks: int
    away: tuple[str, ...]


def lay_out_course(course: Course, names: Sequence[str], root: Path, address: Path) -> list[Made]:
    """Writes the students' course into the folder ``root``, with the reference's answers.

    ``address`` is the zygote's socket: the reference answers the visible checks, twice.

    Raises:
        StudentsError: if a reference does not pass its own visible checks.
    """
    return [_lay_out(course.assignment(name), course, Course(root), address) for name in names]


def _lay_out(assignment: Assignment, course: Course, target: Course, address: Path) -> Made:
    folder = target.root / "assignments" / assignment.name
    checks = visible_checks(assignment)
    for file, text in checks.kept.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")
    for name in ("assignment.toml", HANDOUT):
        if (assignment.folder / name).is_file():
            shutil.copyfile(assignment.folder / name, folder / name)
    ignored = shutil.ignore_patterns("__pycache__")
    if assignment.provided.is_dir():
        shutil.copytree(assignment.provided, folder / "provided", ignore=ignored)
    shutil.copytree(assignment.template, target.root / "student_template" / assignment.name, ignore=ignored)
    modules = shutil.ignore_patterns("__pycache__", "*.ipynb")
    shutil.copytree(assignment.template, target.root / "reference" / assignment.name, ignore=modules)
    away = _record(assignment, course, target, address)
    return Made(assignment.name, len(_names(checks)) - len(away), tuple(away))


def _record(assignment: Assignment, course: Course, target: Course, address: Path) -> list[str]:
    """Keeps what the reference answers; leaves out the checks that cannot do with that, and returns their names."""
    answers = target.assignment(assignment.name).answers
    with tempfile.TemporaryDirectory(prefix="students-") as scratch:
        mine = Path(scratch, "mine")
        ignored = shutil.ignore_patterns("__pycache__", *EXPERIMENTS)
        shutil.copytree(assignment.reference, mine, ignore=ignored)
        asked = Options(SEED, visible_only=True, record=answers)
        lost = _not_passed(assignment, course, mine, Path(scratch, "first"), asked, address)
        if lost:
            raise StudentsError(
                f"The reference of {assignment.name} does not pass: {', '.join(lost)}. Mend that first."
            )
        # Another submission, whose own draws are others: what hangs on these was recorded in vain.
        (mine / "another.py").write_text("ANOTHER = True\n")
        asked = Options(SEED, visible_only=True)
        at_home = target.assignment(assignment.name)
        away = _not_passed(at_home, target, mine, Path(scratch, "second"), asked, address)
    leave_out(answers, away)
    return away


def _not_passed(
    assignment: Assignment, course: Course, upload: Path, out: Path, options: Options, address: Path
) -> list[str]:
    setting = Setting(course.root, assignment, options, address)
    (finished,) = filter(None, Run([Job("reference", upload, out)], setting, 1))
    if finished.report is None or finished.unusable:
        raise StudentsError(f"{assignment.name} could not be graded: {finished.unusable or finished.log[-2000:]}")
    return [verdict.check for verdict in finished.report.verdicts if verdict.status is not Status.PASSED]


def _names(checks: Cut) -> list[str]:
    """First lines of the test functions that are kept."""
    return [line for text in checks.kept.values() for line in text.split("\n") if line.startswith("def test_")]


def visible_checks(assignment: Assignment) -> Cut:
    """The assignment's checks and what they import, by their paths in its folder, without what is hidden."""
    files = {
        path.relative_to(assignment.folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(_of_checks(assignment))
    }
    lending = {file: text for file, text in files.items() if file.rpartition("/")[2] == LENDING}
    cut = without_hidden({**files, **{file: _nothing_lent(text) for file, text in lending.items()}})
    return Cut(cut.kept, {**cut.hidden, **lending})


def _nothing_lent(text: str) -> str:
    """A module of right versions with nothing in it: its tables under the same names, and empty."""
    names = []
    for node in ast.parse(text).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict()):
                names.append(name)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Dict()):
                names.append(name)
    return "\n".join(['"""At home nothing is lent."""', "", *(f"{name} = {{}}" for name in names), ""])


def _of_checks(assignment: Assignment) -> set[Path]:
    """Tests, their ``conftest.py`` and ``__init__.py``, and the modules beside them that these import.

    Whatever else lies in the folder, such as solutions of another kind, is none of the students' business.
    """
    tests = {path for path in _python(assignment.folder) if path.name.startswith("test_")}
    tests = {path for path in tests if assignment.provided not in path.parents}
    above = {folder for path in tests for folder in path.parents if assignment.folder in (folder, *folder.parents)}
    found = {path for folder in above for name in ("__init__.py", "conftest.py") if (path := folder / name).is_file()}
    found |= tests
    waiting = list(found)
    while waiting:
        fresh = {path for path in _imported(waiting.pop()) if path.is_file()} - found
        found |= fresh
        waiting += fresh
    return found


def _imported(path: Path) -> Iterator[Path]:
    """The files that relative imports of ``path`` mean."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.level:
            place = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            yield place.with_suffix(".py")
            yield from (place / f"{alias.name}.py" for alias in node.names)


def _python(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*.py")) if "__pycache__" not in path.parts]


def build(course: Course, names: Sequence[str], root: Path) -> bytes:
    """The wheel with the students' course in ``root``, which :func:`lay_out_course` wrote from ``course``.

    Raises:
        StudentsError: if it would show a text of a reference, a hidden check or a chaff.
    """
    also = {
        f"grader/course/{path.relative_to(root).as_posix()}": path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    also["grader/constraints.txt"] = pinned_versions().read_bytes()
    found = shown_by({**wheel.files(), **also}, course, names)
    if found:
        raise StudentsError("\n".join(["The wheel would show hidden text to students:", *found]))
    return wheel.build(also, LABEL)


def shown_by(readable: dict[str, bytes], course: Course, names: Sequence[str]) -> list[str]:
    """What of references, hidden checks and chaffs stands in ``readable`` (name -> content), in sentences."""
    found: list[str] = []
    for assignment in map(course.assignment, names):
        roots = (assignment.template, assignment.provided)
        given = {str(path): path.read_bytes() for root in roots for path in root.rglob("*.py")}
        shown = {*_of_checks(assignment), *_python(assignment.provided), *_python(assignment.folder / NOTEBOOKS)}
        secret = [*_python(assignment.reference), *(path for path in _python(assignment.folder) if path not in shown)]
        secret += [assignment.folder / name for name in ("chaffs.toml", "demo.toml")]
        hidden = {f"{assignment.name}/{path.name}": path.read_bytes() for path in secret if path.is_file()}
        found += leaks(hidden, given, readable)
        cut = visible_checks(assignment)
        cut_out = {f"{assignment.name}/{file}": text.encode() for file, text in cut.hidden.items()}
        found += leaks(cut_out, {**given, **{file: text.encode() for file, text in cut.kept.items()}}, readable)
    return found
