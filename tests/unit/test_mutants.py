"""Mutants: which changes are made, where, how they are named, and which are known to be equivalent."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.contract.assignment import Assignment, AssignmentError, Content, ModuleSpec, Question
from grader.kit.mutants import mutant_subjects, mutants, read_equivalent

REFERENCE = '''\
"""A module of 2 functions."""

import torch


def f(x, n):
    """Returns 1 + 1."""
    n = n + 7  # is given
    # [task] Do this and that.
    if n > 0 and not x.any():
        n += 1
    return (x * 2.5).sum(dim=0), -n, x.T, min(x[n:], n), True
    # [end]


def left_alone(a):
    return a + 1


class C:
    def g(self, a):
        # [task] Compute.
        return (a - 1) * 3
        # [end]
'''


@pytest.fixture
def assignment(tmp_path: Path) -> Assignment:
    (tmp_path / "m.py").write_text(REFERENCE)
    questions = (Question("1", "m.f", 1.0), Question("2", "m.C.g", 1.0))
    return Assignment(Content("a", "t", {"m": ModuleSpec("m.py")}, questions), tmp_path, tmp_path, tmp_path)


def test_each_change_is_made_in_one_place(assignment: Assignment) -> None:
    lines = REFERENCE.splitlines()
    for mutant in mutants(assignment):
        changed = mutant.text.splitlines()
        assert sum(a != b for a, b in zip(lines, changed, strict=True)) == 1
        compile(mutant.text, mutant.name, "exec")


def test_changes_are_named_by_what_stands_there(assignment: Assignment) -> None:
    names = [mutant.name for mutant in mutants(assignment)]
    assert [name for name in names if name.startswith("m.C.g: ")] == [
        "m.C.g: (a - 1) * 3 -> (a - 1) / 3",
        "m.C.g: a - 1 -> a + 1",
        "m.C.g: 1 -> 2",
        "m.C.g: 3 -> 4",
    ]
    assert {
        "m.f: n > 0 and not x.any() -> not (n > 0 and not x.any())",
        "m.f: n > 0 and not x.any() -> n > 0 or not x.any()",
        "m.f: n > 0 -> n >= 0",
        "m.f: not x.any() -> x.any()",
        "m.f: n += 1 -> n -= 1",
        "m.f: n += 1 -> n = 1",
        "m.f: (x * 2.5).sum(dim=0) -> (x * 2.5).mean(dim=0)",
        "m.f: 2.5 -> 5.0",
        "m.f: 0 -> 1 (2)",
        "m.f: -n -> n",
        "m.f: x.T -> x",
        "m.f: min(x[n:], n) -> max(x[n:], n)",
        "m.f: n: -> :",
        "m.f: True -> False",
    } <= set(names)
    assert len(set(names)) == len(names)


def test_only_what_students_write_is_changed(assignment: Assignment) -> None:
    assert {mutant.function for mutant in mutants(assignment)} == {"m.f", "m.C.g"}
    assert all(mutant.text.startswith('"""A module of 2 functions."""') for mutant in mutants(assignment))
    assert all("n = n + 7  # is given" in mutant.text for mutant in mutants(assignment))
    assert all('"""Returns 1 + 1."""' in mutant.text for mutant in mutants(assignment))


def test_equivalent_mutants_are_known_by_name(assignment: Assignment) -> None:
    path = assignment.folder / "equivalent.toml"
    assert read_equivalent(assignment) == {}
    path.write_text('[[mutants]]\nreason = "Just so."\nnames = ["m.C.g: 1 -> 2"]\n')
    subjects = {subject.name: subject.equivalent for subject in mutant_subjects(assignment)}
    assert subjects["m.C.g: 1 -> 2"] == "Just so."
    assert subjects["m.C.g: 3 -> 4"] == ""


def test_an_equivalent_mutant_has_to_exist_and_to_have_a_reason(assignment: Assignment) -> None:
    path = assignment.folder / "equivalent.toml"
    path.write_text('[[mutants]]\nreason = "Just so."\nnames = ["m.C.g: 9 -> 8"]\n')
    with pytest.raises(AssignmentError, match=r"there is no mutant 'm.C.g: 9 -> 8'"):
        mutant_subjects(assignment)
    path.write_text('[[mutants]]\nnames = ["m.C.g: 1 -> 2"]\n')
    with pytest.raises(AssignmentError, match=r"mutants\[0\].reason: it is required; add it"):
        mutant_subjects(assignment)
