"""Chaffs: what their file says, what an error in it says, and what comes of a replacement."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.contract.assignment import Assignment, AssignmentError, Content, ModuleSpec, Question
from grader.contract.course import default_course
from grader.judge.chaffs import read_chaffs, require_checks, texts_of

REFERENCE = """\
def f(a, b):
    return a + b


class C:
    def g(self, a, b):
        return a + b
"""
FILE = """
[[chaff]]
name = "sign"
function = "m.C.g"
old = "a + b"
new = "a - b"
fails = ["2.1"]
hint = "The sign is wrong."
also = [{ function = "m.f", old = "return", new = "return 2 *" }]
"""


@pytest.fixture
def assignment(tmp_path: Path) -> Assignment:
    (tmp_path / "m.py").write_text(REFERENCE)
    (tmp_path / "chaffs.toml").write_text(FILE)
    questions = (Question("1", "m.f", 1.0), Question("2", "m.C.g", 1.0))
    return Assignment(Content("a", "t", {"m": ModuleSpec("m.py")}, questions), tmp_path, tmp_path, tmp_path)


def edited(assignment: Assignment, old: str, new: str) -> str:
    """What is said about the file with a replacement."""
    (assignment.folder / "chaffs.toml").write_text(FILE.replace(old, new, 1))
    with pytest.raises(AssignmentError) as caught:
        read_chaffs(assignment)
    return str(caught.value)


def test_a_replacement_is_made_in_its_own_function(assignment: Assignment) -> None:
    (chaff,) = read_chaffs(assignment)
    text = texts_of(chaff, assignment)["m"]
    assert text == REFERENCE.replace("return a + b", "return 2 * a + b", 1).replace(
        "        return a +", "        return a -"
    )
    assert (assignment.reference / "m.py").read_text() == REFERENCE


def test_a_chaff_fails_the_checks_that_it_names(assignment: Assignment) -> None:
    (chaff,) = read_chaffs(assignment)
    assert chaff.fails_check("2.1")
    assert not any(chaff.fails_check(number) for number in ("2.2", "2.10", "2", "12.1"))


def test_an_assignment_without_chaffs_has_none(assignment: Assignment) -> None:
    (assignment.folder / "chaffs.toml").unlink()
    assert read_chaffs(assignment) == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("a + b", "a * b", "sign: m.py, in C.g, holds the text to replace 0 times"),
        ("a + b", "a", "sign: m.py, in C.g, holds the text to replace 2 times"),
        ("m.C.g", "m.C.h", "sign: there is no definition of C.h"),
        ("m.C.g", "n.C.g", "sign: 'n.C.g' does not begin with a module of this assignment; write module.function"),
        ("m.f", "n.f", "sign: 'n.f' does not begin with a module of this assignment"),
        ("return 2 *", "return 2 * (", "sign: with the replacement, m is no Python: '(' was never closed in line 2"),
        ('["2.1"]', '["3.1"]', "sign: fails: '3.1' belongs to no question; the questions are 1, 2."),
        ('["2.1"]', "[]", "sign: fails: no check is named; a chaff that nothing notices proves nothing."),
        ('["2.1"]', '"2.1"', "chaff[0].fails: "),
        ('hint = "The sign is wrong."', 'help = ""', "chaff[0].help: no such key is known"),
    ],
)
def test_an_error_names_chaff_and_remedy(assignment: Assignment, old: str, new: str, said: str) -> None:
    assert f"{assignment.folder / 'chaffs.toml'}: {said}" in edited(assignment, old, new)


def test_a_name_belongs_to_one_chaff(assignment: Assignment) -> None:
    (assignment.folder / "chaffs.toml").write_text(FILE + FILE)
    with pytest.raises(AssignmentError, match="sign: 2 chaffs have this name"):
        read_chaffs(assignment)


def test_a_check_that_does_not_exist_is_refused(assignment: Assignment) -> None:
    chaffs = read_chaffs(assignment)
    require_checks(chaffs, {"1.1", "2.1"}, assignment)
    with pytest.raises(AssignmentError, match=r"sign: fails: there is no check 2.1; correct the number"):
        require_checks(chaffs, {"1.1", "2.2"}, assignment)


@pytest.mark.parametrize("name", default_course().names)
def test_every_function_that_is_asked_for_has_chaffs(name: str) -> None:
    assignment = default_course().assignment(name)
    changed = {chaff.function for chaff in read_chaffs(assignment)}
    assert {question.function for question in assignment.content.questions} <= changed
