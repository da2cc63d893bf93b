"""Courses: which assignments they hold, and what is said where one is not usable."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.contract.assignment import AssignmentError
from grader.contract.course import Course, default_course, open_course

TEXT = """
name = "{name}"
title = "T"
[modules.m]
file = "m.py"
[[questions]]
number = "1"
function = "m.f"
points = 1
"""


@pytest.fixture
def course(tmp_path: Path) -> Course:
    for name in ("b", "a"):
        (tmp_path / "assignments" / name).mkdir(parents=True)
        (tmp_path / "assignments" / name / "assignment.toml").write_text(TEXT.format(name=name))
    (tmp_path / "assignments" / "drafts").mkdir()
    return Course(tmp_path)


def test_assignments_are_the_folders_with_an_assignment_file(course: Course) -> None:
    assert course.names == ["a", "b"]


def test_an_assignment_knows_its_folders(course: Course) -> None:
    found = course.assignment("a")
    assert found.name == "a" and found.folder == course.root / "assignments" / "a"
    assert (found.reference, found.template) == (course.root / "reference/a", course.root / "student_template/a")


@pytest.mark.parametrize("name", ["c", "drafts", "", "../a", "."])
def test_an_assignment_that_is_not_there_is_told_with_those_that_are(course: Course, name: str) -> None:
    with pytest.raises(AssignmentError, match=f"has no assignment {name!r}; it has: a, b"):
        course.assignment(name)


def test_an_empty_course_says_so(tmp_path: Path) -> None:
    with pytest.raises(AssignmentError, match="it has: none"):
        Course(tmp_path).assignment("a")


def test_an_assignment_is_named_like_its_folder(course: Course) -> None:
    (course.root / "assignments/a/assignment.toml").write_text(TEXT.format(name="b"))
    with pytest.raises(AssignmentError, match=r"assignment\.toml: name: it is 'b'; write the folder's name, 'a'\."):
        course.assignment("a")


def test_a_folder_without_assignments_is_no_course(tmp_path: Path, course: Course) -> None:
    assert open_course(course.root).names == ["a", "b"]
    with pytest.raises(AssignmentError, match=r"holds no course: a folder with reference/, assignments/"):
        open_course(tmp_path / "assignments")


def test_the_default_course_is_the_one_beside_the_grader() -> None:
    assert open_course(None) == default_course()
    assert default_course().names != []
