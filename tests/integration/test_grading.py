"""Grading submissions of the toy course: marks, repetition, draws, unusable checks, and what is left behind."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import psutil
import pytest

from grader.contract.assignment import AssignmentError
from grader.contract.course import Course
from grader.contract.report import comparable
from grader.contract.verdict import Status
from grader.grading.grade import Setting
from grader.grading.job import Job
from grader.grading.run import Run
from grader.judge.prepare import Options
from grader.kit.template import differences

POINTS = {"1.1": 3, "1.2": 1, "2.1": 2, "2.2": 2, "3.1": 2, "4.1": 3, "4.2": 2, "4.3": 1}


def changed(source: Path, target: Path, file: str, old: str, new: str) -> Path:
    """A copy of a folder with one text replaced."""
    shutil.copytree(source, target)
    text = (target / file).read_text()
    assert text.count(old) == 1
    (target / file).write_text(text.replace(old, new))
    return target


@pytest.fixture(scope="module")
def reference(toy: Path) -> Path:
    return toy / "reference" / "warmup"


@pytest.fixture(scope="module")
def uploads(toy: Path, reference: Path, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("uploads")
    return {
        "reference": reference,
        "template": toy / "student_template" / "warmup",
        "wrong_dot": changed(
            reference, folder / "wrong_dot", "vectors.py", "return (x * y).sum()", "return (x + y).sum()"
        ),
        "row_only": changed(
            reference, folder / "row_only", "vectors.py", "return (X * X).sum(dim=1).sqrt()",
            'print("seen:", X.tolist())\n    return (X * X).sum().sqrt()[None]',
        ),
        "forbidden": changed(
            reference, folder / "forbidden", "vectors.py", "return (x * y).sum()", "return torch.dot(x, y)"
        ),
        "two_mistakes": changed(
            changed(
                reference, folder / "one_mistake", "vectors.py", "return (x * y).sum()", "return (x * y).sum() + 1"
            ),
            folder / "two_mistakes", "fitting.py", "- self.slope * x.mean()", "- x.mean()",
        ),
        "half_broken": changed(reference, folder / "half_broken", "fitting.py", "class Line:", "class Line"),
        "own_helpers": changed(reference, folder / "own_helpers", "fitting.py", "class Line:", "class Line(object):"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def graded(grade, toy, uploads, tmp_path_factory):
    (uploads["own_helpers"] / "helpers.py").write_text("def centred(x):\n    raise RuntimeError('my own')\n")
    return grade(toy, "warmup", tmp_path_factory.mktemp("out"), at_once=2, **uploads)


@pytest.fixture(scope="module")
def marks(graded, held_to_schemas):
    verdicts = {name: held_to_schemas(each) for name, each in graded.items()}
    return {name: dict(sorted(each.items())) for name, each in verdicts.items()}


def earned(verdicts):
    return {number: verdict.points for number, verdict in verdicts.items()}


def test_the_toy_course_is_in_order(toy):
    assert Course(toy).names == ["series", "warmup"]
    assert differences(toy) == []


def test_the_reference_has_full_marks(marks, graded):
    assert earned(marks["reference"]) == POINTS
    assert {verdict.status for verdict in marks["reference"].values()} == {Status.PASSED}
    assert graded["reference"].report.submission.problems == ()
    assert marks["reference"]["4.2"].leaderboard[::2] == ("error", "asc")
    assert marks["reference"]["4.2"].tags == ("chain",)


def test_the_template_has_none_and_does_not_crash(marks):
    assert {verdict.status for verdict in marks["template"].values()} == {Status.MISSING}
    assert sum(earned(marks["template"]).values()) == 0


def test_one_mistake_costs_one_question(marks):
    lost = {number for number, points in earned(marks["wrong_dot"]).items() if points < POINTS[number]}
    assert lost == {"1.1"}  # the sum over nothing is right by chance
    lent, own = marks["wrong_dot"]["4.1"].notes
    assert "a right version of vectors.dot" in lent and own.startswith("What came of yours: slope is ")
    assert any("vectors.dot" in note for note in marks["wrong_dot"]["3.1"].notes)
    assert marks["reference"]["4.1"].notes == ()


def test_what_is_wrong_beside_a_wrong_dependency_is_told_as_well(marks):
    verdict = marks["two_mistakes"]["4.1"]
    assert verdict.status is Status.FAILED and verdict.explanation.message.startswith("slope is ")
    (as_well,) = verdict.notes
    assert as_well.startswith("With right versions of what it relies on it fails as well: offset is ")


def test_part_of_the_points(marks):
    assert (marks["row_only"]["2.1"].status, marks["row_only"]["2.1"].points) == (Status.PARTIAL, 1)


def test_a_forbidden_function_costs_its_question(marks):
    for number in ("1.1", "1.2"):
        assert marks["forbidden"][number].status is Status.RULE_BROKEN
        assert "torch.dot" in marks["forbidden"][number].explanation.got
    assert earned(marks["forbidden"])["2.1"] == 2


def test_a_syntax_error_costs_its_module_alone(marks):
    statuses = {number: verdict.status for number, verdict in marks["half_broken"].items()}
    assert {number for number, status in statuses.items() if status is not Status.PASSED} == {"4.1", "4.2", "4.3"}
    assert "fitting.py" in marks["half_broken"]["4.1"].explanation.message


def test_helpers_of_the_course_come_before_the_students_copies(marks):
    assert earned(marks["own_helpers"]) == POINTS


def test_hidden_checks_say_their_fixed_text(marks):
    hidden = marks["row_only"]["2.2"]
    assert (hidden.status, hidden.fixed_text) == (Status.FAILED, "norms fails on matrices of another kind.")


# ------------------------------------------------------------------------------------------------------- repetition


def test_one_seed_gives_one_report_and_another_seed_other_draws(grade, toy, uploads, tmp_path):
    some = {name: uploads[name] for name in ("row_only", "half_broken")}
    one = grade(toy, "warmup", tmp_path / "one", Options("s"), **some)
    two = grade(toy, "warmup", tmp_path / "two", Options("s"), at_once=2, **some)
    other = grade(toy, "warmup", tmp_path / "other", Options("t"), row_only=some["row_only"])["row_only"]
    for name in some:
        assert comparable(one[name].report) == comparable(two[name].report)
    first = one["row_only"]
    assert first.report != two["row_only"].report  # the times, at least
    for report in (first.report, other.report):
        assert len({flag for verdict in report.verdicts for flag in verdict.flags}) == len(
            POINTS
        )  # each draws by itself
    for here, there in zip(first.report.verdicts, other.report.verdicts, strict=True):
        assert here.flags != there.flags
        assert here.output.startswith("seen:") == there.output.startswith("seen:") == here.number.startswith("2.")
        assert not here.output or here.output != there.output


def test_what_the_judge_lends_draws_the_same_whatever_was_drawn_before(grade, make_course, tmp_path):
    before = (
        '@number("1.1")\n@weight(1)\ndef test_a(student):\n    """Draws."""\n    torch.rand(1 + os.urandom(1)[0])\n'
    )
    drawn = (
        '@number("1.2")\n@weight(1)\ndef test_b(student, note):\n    """Draws."""\n    import random\n'
        "    import numpy\n    note(str([torch.rand(1).item(), numpy.random.rand(), random.random()]))\n"
    )
    course = make_course(tmp_path / "course", {"test_odd.py": before + drawn}, {"1": 2})
    (tmp_path / "work.py").write_text("def answer():\n    return 42\n")
    found = [grade(course, "odd", tmp_path / out, ann=tmp_path / "work.py")["ann"].report for out in ("x", "y")]
    assert found[0].score == 2
    assert comparable(found[0]) == comparable(found[1])


def test_without_a_seed_every_run_draws_anew(grade, toy, tmp_path):
    reference = toy / "reference" / "series"
    finished = grade(toy, "series", tmp_path, Options(), ann=reference, bob=reference)
    seeds = {each.report.environment.seed for each in finished.values()}
    assert len(seeds) == 2
    assert all(len(seed) >= 16 for seed in seeds)


def test_options_and_plugins_of_the_environment_have_no_say(grade, toy, uploads, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "--maxfail=1 -k nothing")
    monkeypatch.setenv("PYTEST_PLUGINS", "no_such_plugin")
    finished = grade(toy, "series", tmp_path, ann=toy / "student_template" / "series")["ann"]
    assert [verdict.status for verdict in finished.report.verdicts] == [Status.MISSING] * 2


# ---------------------------------------------------------------------------------------------------- unusable checks

UNUSABLE = '''
def test_without_number():
    """It has points and no number."""


@number("1.1")
@weight(2)
def test_first():
    """It is all right."""


@number("1.1")
@weight(1)
def test_second():
    """Its number is taken."""


@pytest.mark.parametrize("k", [3, 4])
@number("1.2")
@weight(1)
def test_many(k):
    """It is two checks with one number."""


@number("2.1")
@weight(2)
def test_mute():
    pass


@number("2.2")
@weight(2)
def test_edge():
    """It is worth more than a quarter."""


@number("3.1")
@weight(float("nan"))
def test_priceless():
    """Its points are no number."""


@number("4.1")
@weight(-4)
def test_penalty():
    """Its points are negative."""


@number("5.1")
@weight(4)
@visibility("secret")
def test_unseen():
    """Its visibility is unknown to Gradescope."""


@number("7.1")
@weight(4)
def test_stray():
    """Its question is unknown."""
'''
SENTENCES = (
    "test_odd.py::test_without_number: number '' belongs to no question",
    "test_odd.py::test_second: number 1.1 is taken by test_odd.py::test_first",
    "test_odd.py::test_many[4]: number 1.2 is taken by test_odd.py::test_many[3]",
    "test_odd.py::test_mute: it has no docstring",
    "question 1: its checks are worth 5 points together; assignment.toml says 6",
    "question 2: 2 of 4 points are edge",
    "question 2: edge names check 2.9, which does not exist",
    "test_odd.py::test_priceless: nan points",
    "test_odd.py::test_penalty: -4.0 points",
    "test_odd.py::test_unseen: visibility 'secret'",
    "test_odd.py::test_stray: number '7.1' belongs to no question",
    "question 6: its checks are worth 0 points together",
    "test_same.py::test_same: 2 checks have this name",
)


@pytest.fixture(scope="module")
def unusable(grade, make_course, reference, tmp_path_factory):
    points = {**dict.fromkeys("13456", 4), "1": 6, "2": '4\n[questions.edge]\n"2.2" = "It matters."\n"2.9" = "So."'}
    course = make_course(tmp_path_factory.mktemp("course"), {"test_odd.py": UNUSABLE}, points)
    for place in ("here", "there"):
        file = course / "assignments" / "odd" / place / "test_same.py"
        file.parent.mkdir()
        file.write_text("def test_same():\n    pass\n")
    return grade(course, "odd", tmp_path_factory.mktemp("out"), ann=reference)["ann"]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_checks_that_do_not_fit_are_named(unusable, sentence):
    assert sentence in unusable.unusable


def test_nothing_is_graded_by_checks_that_do_not_fit(unusable):
    assert unusable.report is None
    assert not unusable.job.report.exists()
    assert unusable.unusable in unusable.log


def test_a_file_that_skips_itself_takes_its_points_along(grade, make_course, reference, tmp_path):
    text = 'pytest.skip("not today", allow_module_level=True)\n'
    course = make_course(tmp_path / "course", {"test_odd.py": text}, {"1": 4})
    finished = grade(course, "odd", tmp_path / "out", ann=reference)["ann"]
    assert "question 1: its checks are worth 0 points together" in finished.unusable


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("points = 4\n", "points = -4\n", "questions[0].points: -4"),
        ('function = "vectors.dot"', 'function = "vectros.dot"', "questions[0].function: 'vectros.dot'"),
        ('title = "Vectors', 'titel = "Vectors', "titel"),
        ('name = "warmup"', 'name = "warm-up"', "write the folder's name, 'warmup'"),
        ('number = "2"', 'number = "1"', "questions[1].number: '1' is used twice"),
        ('"1.2" = ', '"2.2" = ', "questions[0].edge: '2.2' is no check of"),
        ("[limits]", "[limits", "this is no TOML"),
    ],
)
def test_an_assignment_that_does_not_fit_names_file_and_key(toy, tmp_path, old, new, sentence):
    course = tmp_path / "course"
    shutil.copytree(toy, course)
    file = course / "assignments" / "warmup" / "assignment.toml"
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(AssignmentError, match=r"assignment\.toml") as caught:
        Course(course).assignment("warmup")
    assert sentence in str(caught.value)


# ------------------------------------------------------------------------------------------------- what is left behind


def players_of(address: Path) -> list[psutil.Process]:
    """What lives below the zygote at ``address``: its forks share its command line."""
    own = [each for each in psutil.Process().children() if str(address) in each.cmdline()]
    return [below for each in own for below in each.children(recursive=True)]


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "t"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_nothing_is_left_when_all_is_graded_or_a_judge_is_lost(
    grade, make_course, toy, uploads, address, tmp_path, temporary
):
    grade(toy, "warmup", tmp_path / "out", ann=uploads["reference"])
    text = (
        '@number("1.1")\n@weight(4)\n'
        'def test_a(student):\n    """Ends."""\n    student.work.answer()\n    os._exit(0)\n'
    )
    course = make_course(tmp_path / "course", {"test_odd.py": text}, {"1": 4})
    (tmp_path / "work.py").write_text("def answer():\n    return 42\n")
    grade(course, "odd", tmp_path / "out", bob=tmp_path / "work.py")
    assert list(temporary.iterdir()) == []
    psutil.wait_procs(players_of(address), timeout=5)
    assert players_of(address) == []


def test_nothing_is_left_when_a_run_is_given_up(toy, address, tmp_path, temporary):
    (tmp_path / "sums.py").write_text("def running_sum(x):\n    while True:\n        pass\n")
    course = Course(toy)
    setting = Setting(course.root, course.assignment("series"), Options("s"), address)
    jobs = [Job(name, tmp_path / "sums.py", tmp_path / "out" / name) for name in ("ann", "bob", "cay")]
    run = iter(Run(jobs, setting, at_once=2))
    while not all(job.report.exists() for job in jobs[:2]):
        assert next(run) is None
    own = psutil.Process()
    # Forks share our command line; a zygote, of this test's or of others in this process, has one of its own.
    judges = [child for child in own.children() if child.cmdline() == own.cmdline()]
    assert len(judges) == 2
    run.close()
    assert not jobs[2].out.exists()
    assert not any(judge.is_running() for judge in judges)
    assert list(temporary.iterdir()) == []
    psutil.wait_procs(players_of(address), timeout=5)
    assert players_of(address) == []
