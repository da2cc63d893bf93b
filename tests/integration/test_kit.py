"""What students install: visible checks at home without the reference, and nothing hidden in the file."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from grader.contract.course import Course, default_course
from grader.contract.verdict import Status
from grader.judge.home import left_out
from grader.judge.prepare import Options
from grader.kit.students import FILE, StudentsError, build, lay_out_course, shown_by, visible_checks
from grader.kit.visible import without_hidden


@pytest.fixture(scope="module")
def home(toy, address, tmp_path_factory):
    """The students' course of the toy course."""
    root = tmp_path_factory.mktemp("home")
    lay_out_course(Course(toy), ["warmup"], root, address)
    return root


def ended(finished):
    return {verdict.number: verdict.status for verdict in finished.report.verdicts}


def test_a_right_solution_passes_at_home(home, toy, grade, tmp_path):
    finished = grade(home, "warmup", tmp_path, Options("any", visible_only=True), mine=toy / "reference" / "warmup")
    assert ended(finished["mine"]) == dict.fromkeys(("1.1", "1.2", "2.1", "3.1"), Status.PASSED)


def test_a_wrong_one_fails_at_home_with_numbers_and_nothing_is_lent(home, toy, grade, tmp_path):
    mine = Path(shutil.copytree(toy / "reference" / "warmup", tmp_path / "mine"))
    text = (mine / "vectors.py").read_text()
    (mine / "vectors.py").write_text(text.replace("(x * y).sum()", "(x * y).mean()"))
    finished = grade(home, "warmup", tmp_path / "out", Options("any", visible_only=True), mine=mine)
    assert ended(finished["mine"])["1.1"] is Status.FAILED
    verdicts = {verdict.number: verdict for verdict in finished["mine"].report.verdicts}
    assert verdicts["1.1"].explanation.expected
    assert verdicts["3.1"].status is Status.FAILED
    assert "At home nothing is lent" in verdicts["3.1"].notes[0]


@pytest.mark.parametrize(
    "command",
    [
        ("demo",), ("grade", "mine", "-a", "warmup"), ("validate", "warmup"), ("kit",), ("plots",),
        ("bundle", "warmup"),
    ],
)  # fmt: skip
def test_what_students_cannot_do_is_said_in_a_sentence(home, grader, command):
    code, output, errors = grader(*command, course=home)
    assert code == 2
    assert "is what students install" in errors and "Students use: grader new, check, handout, submit" in errors
    assert "open " not in output


def test_what_asks_about_the_students_own_numbers_is_made_when_handed_in(home):
    course = Course(home)
    assert left_out(course.assignment("warmup").answers) == {
        "test_fitting.py::test_line",
        "test_fitting.py::test_prediction",
    }


def test_nothing_hidden_is_in_the_file(home, toy):
    content = build(Course(toy), ["warmup"], home)
    path = home.parent / FILE
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert shown_by(files, Course(toy), ["warmup"]) == []
    everything = b"\n".join(files.values())
    for secret in (b"(x * y).sum()", b"test_norms_of_long_rows", b"norms fails on matrices", b"-dot(dx, dy)"):
        assert secret not in everything
    assert not [name for name in files if name.endswith(("chaffs.toml", "demo.toml"))]
    assert b"def test_dot(" in files["grader/course/assignments/warmup/test_vectors.py"]
    assert b"NotImplementedError" in files["grader/course/reference/warmup/vectors.py"]


@pytest.mark.parametrize("name", ["a1", "a2", "a3", "a4"])
def test_cutting_leaves_visible_checks_that_python_reads(name):
    cut = visible_checks(default_course().assignment(name))
    for text in cut.kept.values():
        compile(text, "checks", "exec")
        assert '@visibility("hidden")' not in text
    assert cut.hidden


def test_a_solution_in_the_file_is_found(home, toy, tmp_path):
    root = Path(shutil.copytree(home, tmp_path / "home"))
    shutil.copy(toy / "reference" / "warmup" / "fitting.py", root / "assignments" / "warmup" / "provided" / "more.py")
    with pytest.raises(StudentsError, match=r"provided/more\.py, line \d+, shows a part of warmup/fitting\.py"):
        build(Course(toy), ["warmup"], root)


def test_a_reference_that_fails_makes_no_kit(toy, address, tmp_path):
    course = Path(shutil.copytree(toy, tmp_path / "course"))
    vectors = course / "reference" / "warmup" / "vectors.py"
    vectors.write_text(vectors.read_text().replace("(X * X).sum(dim=1).sqrt()", "(X * X).sum(dim=1)[:1]"))
    (course / "assignments" / "warmup" / "test_vectors.py").write_text(
        (course / "assignments" / "warmup" / "test_vectors.py").read_text().replace("(6,) else 1", "(7,) else 1")
    )
    with pytest.raises(StudentsError, match=r"does not pass: .*test_norms"):
        lay_out_course(Course(course), ["warmup"], tmp_path / "home", address)


def test_only_checks_and_what_they_import_are_given(toy, tmp_path):
    course = Course(Path(shutil.copytree(toy, tmp_path / "course")))
    folder = course.root / "assignments" / "warmup"
    (folder / "right").mkdir()
    shutil.copy(course.root / "reference" / "warmup" / "vectors.py", folder / "right" / "vectors.py")
    (folder / "pack").mkdir()
    (folder / "pack" / "__init__.py").write_text("")
    (folder / "pack" / "formulas.py").write_text("from . import deeper\n")
    (folder / "pack" / "deeper.py").write_text("X = 1\n")
    (folder / "pack" / "alone.py").write_text("X = 2\n")
    (folder / "pack" / "lending.py").write_text("def right(x):\n    return x\n\n\nMETHODS: dict = {'a.b': right}\n")
    (folder / "pack" / "test_more.py").write_text("from .formulas import deeper\nfrom .lending import METHODS\n")
    kept = visible_checks(course.assignment("warmup")).kept
    assert sorted(kept) == [
        "pack/__init__.py", "pack/deeper.py", "pack/formulas.py", "pack/lending.py", "pack/test_more.py",
        "test_fitting.py", "test_vectors.py",
    ]  # fmt: skip
    assert kept["pack/lending.py"] == '"""At home nothing is lent."""\n\nMETHODS = {}\n'
    other = {"told.py": (folder / "right" / "vectors.py").read_bytes()}
    assert shown_by(other, course, ["warmup"])


CHECKS = """\
import pytest

LIMIT = 3
OTHER = 4


class Both:
    def shown(self):
        return 1

    def secret(self):
        return helper() + LIMIT


def helper():
    return 2


@pytest.fixture(autouse=True)
def around():
    yield


@visibility("hidden")
def test_hidden():
    assert Both().secret() == LIMIT + OTHER


@visibility("visible")
def test_shown():
    assert Both().shown() == OTHER
"""


def test_helpers_of_hidden_checks_go_along():
    cut = without_hidden({"test_a.py": CHECKS})
    kept, hidden = cut.kept["test_a.py"], cut.hidden["test_a.py"]
    assert "secret" not in kept and "helper" not in kept and "LIMIT" not in kept and "test_hidden" not in kept
    assert "shown" in kept and "OTHER = 4" in kept and "around" in kept and "class Both" in kept
    assert "def helper" in hidden and "LIMIT = 3" in hidden
