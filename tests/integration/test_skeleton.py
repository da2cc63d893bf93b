"""A new assignment works from the start: the reference earns all points, the template none, chaffs fail as they say."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from grader.contract.course import Course
from grader.contract.verdict import Status
from grader.gradescope import wheel
from grader.judge.chaffs import read_chaffs
from grader.judge.prepare import Options
from grader.judge.variants import write_variant
from grader.kit.handout import html, markdown
from grader.kit.submit import gather

MANUAL = Path(__file__).parents[2] / "docs" / "howto" / "assignment.md"


@pytest.fixture
def course(grader, tmp_path):
    code, output, errors = grader("assignment", "new", "hw1", "--title", "Errors", course=tmp_path / "course")
    assert code == 0, errors
    assert "hw1_lesson.py" in output
    return Course(tmp_path / "course")


def test_reference_template_and_chaffs_are_graded_as_they_should(course, grade, tmp_path):
    assignment = course.assignment("hw1")
    uploads = {"reference": assignment.reference, "template": assignment.template}
    chaffs = read_chaffs(assignment)
    for chaff in chaffs:
        uploads[chaff.name] = tmp_path / chaff.name
        write_variant(chaff.variant(assignment), assignment, uploads[chaff.name])
    finished = grade(course.root, "hw1", tmp_path / "out", Options("a seed"), **uploads)
    assert not any(each.unusable for each in finished.values())
    reports = {name: each.report for name, each in finished.items()}
    assert (reports["reference"].score, reports["reference"].max_score) == (7, 7)
    assert reports["template"].score == 0
    assert {verdict.status for verdict in reports["template"].verdicts} == {Status.MISSING}
    for chaff in chaffs:
        lost = {verdict.number for verdict in reports[chaff.name].verdicts if verdict.status is not Status.PASSED}
        assert lost == {number for number in ("1.1", "1.2", "1.3", "2.1") if _named(number, chaff.fails)}, chaff.name


def _named(number: str, fails: tuple[str, ...]) -> bool:
    return number in fails or number.partition(".")[0] in fails


def blocks(kind):
    """The blocks of this kind in the manual's page on assignments, in order."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", MANUAL.read_text(encoding="utf-8"), re.M | re.S)


def test_a_question_is_added_as_the_manual_says(course, grade, grader, tmp_path):
    """Its blocks, each at the end of the file that it names: the reference passes, template and chaff do not."""
    assignment = course.assignment("hw1")
    (solution, check), (question, chaff, due) = blocks("python"), blocks("toml")
    for path, text in (
        (assignment.reference / "hw1_lesson.py", f"\n\n{solution}"),
        (assignment.folder / "test_hw1.py", f"\n\n{check}"),
        (assignment.folder / "assignment.toml", f"\n{question}"),
        (assignment.folder / "chaffs.toml", f"\n{chaff}"),
    ):
        path.write_text(path.read_text() + text)
    settings = assignment.folder / "assignment.toml"
    settings.write_text(due + settings.read_text())
    assert grader("assignment", "template", course=course.root)[0] == 0
    assignment = course.assignment("hw1")
    (wrong,) = [each for each in read_chaffs(assignment) if each.name == "softmax-overflows"]
    write_variant(wrong.variant(assignment), assignment, tmp_path / "wrong")
    uploads = {"reference": assignment.reference, "template": assignment.template, "wrong": tmp_path / "wrong"}
    finished = grade(course.root, "hw1", tmp_path / "out", Options("a seed"), **uploads)
    assert {name: each.report.score for name, each in finished.items()} == {"reference": 11, "template": 0, "wrong": 7}
    (verdict,) = [each for each in finished["wrong"].report.verdicts if each.number == "3.1"]
    assert verdict.explanation.hint == wrong.hint
    assert "**Due:** Monday, 2 March 2026, 23:59 (UTC-05:00)." in markdown(assignment)
    assert "divide each row by its sum" in markdown(assignment)


def test_a_bundle_of_what_is_begun_shows_nothing_of_it(course, grader, tmp_path):
    code, _, errors = grader("bundle", "hw1", "-o", tmp_path / "hw1.zip", course=course.root)
    assert code == 0, errors
    assert not [name for name in wheel.files() if "kit/files/assignment/" in name]


def test_an_assignment_without_a_demonstration_says_so(course, grader):
    code, _, errors = grader("demo", "hw1", course=course.root)
    assert code == 2
    assert "hw1 has no demonstration class" in errors
    assert grader("demo", course=course.root)[0] == 2


def test_handout_and_packing_work(course):
    assignment = course.assignment("hw1")
    assert "squared_error(x, y)" in html(assignment)
    assert list(gather(assignment.reference, assignment).files) == ["hw1_lesson.py"]


def test_the_template_is_derived_anew(course, grader):
    reference = course.root / "reference" / "hw1" / "hw1_lesson.py"
    reference.write_text(reference.read_text().replace("take the step", "take one step"))
    assert grader("assignment", "template", course=course.root)[0] == 0
    assert "take one step" in (course.root / "student_template" / "hw1" / "hw1_lesson.py").read_text()
    reference.write_text(reference.read_text().replace("# [end]", "", 1))
    code, _, errors = grader("assignment", "template", course=course.root)
    assert code == 2
    assert "hw1_lesson.py, line" in errors


@pytest.mark.parametrize(("name", "sentence"), [("hw1", "exists already"), ("HW 2", "is no name for an assignment")])
def test_what_cannot_be_is_refused(course, grader, name, sentence):
    code, _, errors = grader("assignment", "new", name, course=course.root)
    assert code == 2
    assert sentence in errors


def test_a_course_may_hold_several(course, grader):
    assert grader("assignment", "new", "hw2", course=course.root)[0] == 0
    assert course.names == ["hw1", "hw2"]
    assert replace(course).assignment("hw2").content.title == "HW2"
