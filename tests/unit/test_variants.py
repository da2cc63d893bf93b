"""Variants of the reference: what their file says, and that each replacement is made exactly once."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.contract.assignment import Assignment, AssignmentError, Content, ModuleSpec, Question
from grader.judge.variants import Change, Variant, read_variants, write_variant

FILE = """
[[submission]]
name = "sign"
about = "The sign is wrong."
loses = ["1", "2.3"]
[[submission.changes]]
file = "m.py"
old = "a + b"
new = "a - b"
[[submission]]
name = "empty"
about = "Nothing was written."
start = "template"
loses = ["all"]
"""


@pytest.fixture
def assignment(tmp_path: Path) -> Assignment:
    for folder, text in (("reference", "def f(a, b):\n    return a + b, a, b\n"), ("template", "pass\n")):
        (tmp_path / folder / "__pycache__").mkdir(parents=True)
        (tmp_path / folder / "m.py").write_text(text)
        (tmp_path / folder / "__pycache__" / "m.pyc").write_text("")
    content = Content("a", "t", {"m": ModuleSpec("m.py")}, (Question("1", "m.f", 1.0),))
    return Assignment(content, tmp_path, tmp_path / "reference", tmp_path / "template")


def written(folder: Path, text: str) -> Path:
    path = folder / "variants.toml"
    path.write_text(text)
    return path


def test_variants_are_read(tmp_path: Path) -> None:
    sign, empty = read_variants(written(tmp_path, FILE))
    assert sign == Variant("sign", "The sign is wrong.", "reference", (Change("m.py", "a + b", "a - b"),), ("1", "2.3"))
    assert (empty.name, empty.start, empty.changes, empty.loses) == ("empty", "template", (), ("all",))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('start = "template"', 'start = "draft"', "submission[1].start: "),
        ('about = "The sign is wrong."', "", "submission[0].about: it is required; add it."),
        ('old = "a + b"', "", "submission[0].changes[0].old: it is required; add it."),
        ('new = "a - b"', 'new = "a - b"\nwhy = ""', "submission[0].changes[0].why: no such key is known"),
        ('name = "empty"', 'name = "empty"\nhint = ""', "submission[1].hint: no such key is known"),
        ('loses = ["all"]', 'loses = "all"', "submission[1].loses: "),
    ],
)
def test_an_error_names_file_key_and_remedy(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = written(tmp_path, FILE.replace(old, new, 1))
    with pytest.raises(AssignmentError) as caught:
        read_variants(path)
    assert any(line.startswith(f"{path}: {said}") for line in str(caught.value).splitlines())


@pytest.mark.parametrize(
    ("number", "lost"), [("1.1", True), ("1.2", True), ("2.3", True), ("2.1", False), ("11.1", False), ("2.33", False)]
)
def test_a_variant_loses_checks_and_whole_questions(number: str, lost: bool) -> None:
    assert Variant("v", "", loses=("1", "2.3")).loses_check(number) is lost
    assert Variant("v", "", loses=("all",)).loses_check(number)
    assert not Variant("v", "").loses_check(number)


def test_a_variant_is_the_reference_with_its_changes(tmp_path: Path, assignment: Assignment) -> None:
    changes = (Change("m.py", "a + b", "a - b"), Change("m.py", "a - b, a", "b"))
    write_variant(Variant("v", "", changes=changes), assignment, tmp_path / "out")
    assert (tmp_path / "out" / "m.py").read_text() == "def f(a, b):\n    return b, b\n"
    assert not (tmp_path / "out" / "__pycache__").exists()
    assert "a + b" in (tmp_path / "reference" / "m.py").read_text()


def test_a_variant_can_begin_with_the_template(tmp_path: Path, assignment: Assignment) -> None:
    write_variant(Variant("v", "", start="template"), assignment, tmp_path / "out")
    assert (tmp_path / "out" / "m.py").read_text() == "pass\n"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Change("m.py", "a * b", ""), "variant 'v': m.py holds the text to replace 0 times"),
        (Change("m.py", "a", "c"), "variant 'v': m.py holds the text to replace 3 times"),
        (Change("n.py", "a", "c"), "variant 'v': the reference has no file n.py"),
    ],
)
def test_a_change_is_made_exactly_once(tmp_path: Path, assignment: Assignment, change: Change, said: str) -> None:
    with pytest.raises(AssignmentError, match=said):
        write_variant(Variant("v", "", changes=(change,)), assignment, tmp_path / "out")
