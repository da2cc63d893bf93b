"""A new assignment works from the start: the reference earns all points, the template none, chaffs fail as they say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from grader.contract.course import Course
from grader.contract.verdict import Status
from grader.judge.chaffs import read_chaffs
from grader.judge.prepare import Options
from grader.judge.variants import write_variant
from grader.kit.handout import html
from grader.kit.submit import gather


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
