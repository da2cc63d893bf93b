"""``assignment.toml``: what is read, and what every error says: file, key and remedy."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from grader.contract.assignment import Assignment, AssignmentError, Goal, Limits, Question, Rules, read
from grader.contract.gradescope import Counts, Feedback, Gradescope, Shows, SubmissionLimit

LEAST = """
name = "warm"
title = "Warm-up"
[modules.vectors]
file = "vectors.py"
[[questions]]
number = "1"
function = "vectors.add"
points = 3
"""

FULL = """
name = "warm"
title = "Warm-up"
[modules.vectors]
file = "vectors.py"
also_named = ["vector.py"]
[modules.sums]
file = "sums.py"
rules = { forbidden = ["torch.cumsum"] }
[limits]
cpu_seconds = 1
wall_seconds = 2.5
memory_mb = 100
load_seconds = 4
[rules]
forbidden = ["numpy"]
allowed = ["numpy.add"]
[gradescope]
timeout_seconds = 1200
memory_mb = 1536
counts = "best"
limit = { submissions = 5, hours = 24 }
[[gradescope.feedback]]
shows = "points"
from_attempt = 3
[[gradescope.feedback]]
shows = "everything"
hours_before_due = -0.5
[[questions]]
number = "1"
function = "vectors.add"
points = 3
[[questions]]
number = "2.1"
function = "sums.Sum.total"
points = 2.5
relies_on = ["vectors.add", "sums.Sum.add"]
needs = "shapes"
[questions.rules]
forbidden = ["torch.sum"]
[questions.edge]
"2.1.3" = "Sums may be empty."
[questions.goals.drawn]
"2.1.1" = { needed = 50, floor = 40.5 }
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "assignment.toml"
    path.write_text(text)
    return path


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    content = read(written(tmp_path, LEAST))
    assert content.limits == Limits(10.0, 60.0, 2048, 10.0) and content.rules == Rules()
    question = content.questions[0]
    assert (question.relies_on, question.needs, question.rules, question.edge) == ((), "", Rules(), {})
    assert content.gradescope == Gradescope(600.0, 768, Counts.LATEST, None, ())
    assert question.module == "vectors" and content.modules["vectors"].also_named == ()


def test_everything_is_read(tmp_path: Path) -> None:
    content = read(written(tmp_path, FULL))
    assert content.limits == Limits(1.0, 2.5, 100, 4.0)
    assert content.modules["vectors"].also_named == ("vector.py",)
    second = content.questions[1]
    assert (second.number, second.points, second.needs) == ("2.1", 2.5, "shapes")
    assert second.relies_on == ("vectors.add", "sums.Sum.add") and second.edge == {"2.1.3": "Sums may be empty."}
    assert second.goals == {"drawn": {"2.1.1": Goal(50.0, 40.5)}}
    declared = content.gradescope
    assert (declared.timeout_seconds, declared.memory_mb, declared.counts) == (1200.0, 1536, Counts.BEST)
    assert declared.limit == SubmissionLimit(5, 24.0)
    assert declared.feedback == (Feedback(Shows.POINTS, 3), Feedback(Shows.EVERYTHING, 1, -0.5))
    assignment = Assignment(content, tmp_path, tmp_path, tmp_path)
    assert assignment.rules_of(second) == Rules(("numpy", "torch.cumsum", "torch.sum"), ("numpy.add",))
    assert assignment.rules_of(content.questions[0]) == Rules(("numpy",), ("numpy.add",))
    assert assignment.name == "warm" and assignment.provided == tmp_path / "provided"


@pytest.mark.parametrize(
    ("number", "question"),
    [("1.1", "1"), ("1.12", "1"), ("2.1.3", "2.1"), ("2.1", None), ("1", None), ("11.1", None), ("", None)],
)
def test_checks_belong_to_the_question_before_their_last_dot(tmp_path: Path, number: str, question: str | None) -> None:
    assignment = Assignment(read(written(tmp_path, FULL)), tmp_path, tmp_path, tmp_path)
    found = assignment.question_of(number)
    assert (found.number if found else None) == question


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[limits]\n", "[limits]\ncpu = 3\n", "limits.cpu: no such key is known; correct its spelling or remove it."),
        ('number = "1"', 'number = "1"\nworth = 3', "questions[0].worth: no such key is known"),
        ('title = "Warm-up"', 'title = "Warm-up"\nabout = ""', "about: no such key is known"),
        ("allowed = [", "allow = [", "rules.allow: no such key is known"),
        ("[questions.edge]", "[questions.edges]", "questions[1].edges: no such key is known"),
        ("also_named", "also", "modules.vectors.also: no such key is known"),
        ('file = "sums.py"', "", "modules.sums.file: it is required; add it."),
        ('title = "Warm-up"', "", "title: it is required; add it."),
        ("points = 3", "", "questions[0].points: it is required; add it."),
        ("points = 3", 'points = "much"', "questions[0].points: input should be a valid number"),
        ("points = 3", "points = nan", "questions[0].points: input should be a finite number, but it is nan"),
        ("points = 3", "points = 0", "questions[0].points: 0.0 is not above 0"),
        ("points = 3", "points = -1", "questions[0].points: -1.0 is not above 0"),
        ('number = "1"', "number = 1", "questions[0].number: input should be a valid string, but it is 1; correct it."),
        ('number = "1"', 'number = "2.1"', "questions[1].number: '2.1' is used twice; give each"),
        ('forbidden = ["numpy"]', 'forbidden = "numpy"', "rules.forbidden: input should be a valid tuple"),
        ("cpu_seconds = 1", "cpu_seconds = inf", "limits.cpu_seconds: input should be a finite number"),
        ("cpu_seconds = 1", "cpu_seconds = 0", "limits.cpu_seconds: 0.0 is not above 0"),
        ("memory_mb = 100", "memory_mb = -5", "limits.memory_mb: -5 is not above 0"),
        ("[modules.sums]", '[modules."my sums"]', "modules.my sums: checks write student.my sums"),
        ('"vectors.add"\np', '"vector.add"\np', "questions[0].function: 'vector.add' does not begin with a module"),
        ('"vectors.add"\np', '"vectors"\np', "write module.function with one of: vectors, sums."),
        ('["vectors.add", ', '["nothing", ', "questions[1].relies_on: 'nothing' does not begin"),
        ('"2.1.3" =', '"2.3" =', "questions[1].edge: '2.3' is no check of this question; write 2.1.1 or so."),
        ('"2.1.1" =', '"2.2.1" =', "questions[1].goals.drawn: '2.2.1' is no check of this question"),
        ("floor = 40.5", "floor = 50", "goals.drawn.2.1.1: floor 50 and needed 50; percentages were expected"),
        ("needed = 50", "needed = 101", "goals.drawn.2.1.1: floor 40.5 and needed 101;"),
        ("floor = 40.5", "floor = -1", "goals.drawn.2.1.1: floor -1 and needed 50;"),
        ("floor = 40.5", "floor = 40.5, cpu_seconds = -5", "goals.drawn.2.1.1: -5 cpu_seconds are below 0;"),
        (", floor = 40.5", "", "questions[1].goals.drawn.2.1.1.floor: it is required; add it."),
        ("timeout_seconds = 1200", "timeout_seconds = 30", "gradescope.timeout_seconds: 30 is below 60"),
        ("memory_mb = 1536", "memory_mb = 256", "gradescope.memory_mb: 256 is below 512"),
        ('counts = "best"', 'counts = "worst"', "gradescope.counts: input should be 'latest' or 'best'"),
        ("submissions = 5", "submissions = 0", "gradescope.limit.submissions: 0 is below 1; nothing"),
        ("submissions = 5, ", "", "gradescope.limit.submissions: it is required; add it."),
        ("hours = 24", "hours = 0", "gradescope.limit.hours: 0 is not above 0; leave it out"),
        ("hours = 24", "days = 1", "gradescope.limit.days: no such key is known"),
        (
            'shows = "points"',
            'shows = "little"',
            "gradescope.feedback[0].shows: input should be 'everything', 'points'",
        ),
        ('shows = "points"', "", "gradescope.feedback[0].shows: it is required; add it."),
        ("from_attempt = 3", "from_attempt = 0", "gradescope.feedback[0].from_attempt: 0 is below 1"),
        ("[rules]", "[rules", "this is no TOML"),
    ],
)
def test_an_error_names_file_key_and_remedy(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert FULL.count(old) >= 1
    path = written(tmp_path, FULL.replace(old, new, 1))
    with pytest.raises(AssignmentError) as caught:
        read(path)
    assert any(line.startswith(f"{path}: ") and said in line for line in str(caught.value).splitlines())


def test_all_errors_are_told_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, FULL.replace("points = 3", "points = 0").replace('"2.1.3"', '"9.9"'))
    with pytest.raises(AssignmentError) as caught:
        read(path)
    assert [line.startswith(f"{path}: questions[") for line in str(caught.value).splitlines()] == [True, True]


def test_an_assignment_asks_for_something(tmp_path: Path) -> None:
    path = written(tmp_path, 'name = "a"\ntitle = "t"\nquestions = []\n[modules.m]\nfile = "m.py"\n')
    with pytest.raises(AssignmentError, match="questions: there is none"):
        read(path)


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssignmentError, match=r"nowhere\.toml: there is no such file"):
        read(tmp_path / "nowhere.toml")
    (tmp_path / "assignment.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(AssignmentError, match=r"assignment\.toml: this is no TOML"):
        read(tmp_path / "assignment.toml")


def test_the_digest_changes_with_every_file_that_has_a_say(tmp_path: Path) -> None:
    folder, reference = tmp_path / "checks", tmp_path / "reference"
    folder.mkdir()
    reference.mkdir()
    content = read(written(folder, LEAST))
    first = Assignment(content, folder, reference, tmp_path / "template")

    def digest() -> str:
        return replace(first).digest

    seen = [digest()]
    (folder / "test_a.py").write_text("1")
    seen.append(digest())
    (folder / "test_a.py").rename(folder / "test_b.py")
    seen.append(digest())
    (reference / "test_b.py").write_text("1")
    seen.append(digest())
    (reference / "test_b.py").write_text("2")
    seen.append(digest())
    assert len(set(seen)) == 5
    (reference / "__pycache__").mkdir()
    (reference / "__pycache__" / "x.pyc").write_text("3")
    assert digest() == seen[-1]


@pytest.mark.parametrize(
    ("needs", "goals", "data", "asked"),
    [
        ("", (), (), True),
        ("a", (), (), False),
        ("a", (), ("a",), True),
        ("", ("a", "b"), (), False),
        ("", ("a", "b"), ("b",), True),
        ("", ("a", "b"), ("c",), False),
        ("a", ("b",), ("a",), False),
    ],
)
def test_a_question_is_asked_where_its_data_are(needs: str, goals: tuple, data: tuple, asked: bool) -> None:
    question = Question("1", "m.f", 1.0, needs=needs, goals={name: {"1.1": Goal(2.0, 1.0)} for name in goals})
    assert question.asked_with(data) is asked


@pytest.mark.parametrize("due", ["2026-03-02T23:59:00-05:00", '"2026-03-03T04:59:00Z"', '"2026-03-02T23:59-05:00"'])
def test_a_deadline_is_a_moment_that_is_the_same_everywhere(tmp_path, due):
    path = tmp_path / "assignment.toml"
    path.write_text(f"due = {due}\n{LEAST}")
    assert read(path).due == datetime(2026, 3, 3, 4, 59, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "due",
    ["2026-03-02T23:59:00", "2026-03-02", "23:59:00", "'2026-03-02'", "'soon'", "1772513940", "true", "'1772513940'"],
)
def test_what_is_no_such_moment_is_refused(tmp_path, due):
    path = tmp_path / "assignment.toml"
    path.write_text(f"due = {due}\n{LEAST}")
    with pytest.raises(AssignmentError) as error:
        read(path)
    assert str(error.value) == (
        f"{path}: due: a date with a time and an offset from UTC was expected, such as 2026-03-02T23:59:00-05:00, "
        f"but it is {due.capitalize() if due == 'true' else due}; correct it."
    )
