"""``grader validate``, on a copy of the toy course with chaffs of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from grader import cli, cli_class
from grader.contract.course import Course

CHAFFS = """
[[chaff]]
name = "doubled"
function = "vectors.dot"
old = "(x * y).sum()"
new = "2 * (x * y).sum()"
fails = ["1.1"]
hint = "Each product is counted twice."

[[chaff]]
name = "halved"
function = "vectors.dot"
old = "(x * y).sum()"
new = "(x * y).sum() / 2"
fails = ["1.1"]
hint = "Each product is halved."

[[chaff]]
name = "counts-from-one"
function = "vectors.dot"
old = "(x * y).sum()"
new = "(x * y).sum() + 1"
fails = ["1"]
hint = "The sum begins at 1."

[[chaff]]
name = "squares"
function = "vectors.norms"
old = ".sqrt()"
new = ""
fails = ["2"]
hint = "The root is missing."

[[chaff]]
name = "unchanged"
function = "vectors.unit"
old = "x / torch.sqrt(dot(x, x))"
new = "x + 0"
fails = ["3.1"]
hint = "x is not divided by its length."

[[chaff]]
name = "flat"
function = "fitting.Line.fit"
old = "dot(dx, dy) / dot(dx, dx)"
new = "0 * dot(dx, dx)"
fails = ["4"]
"""


@pytest.fixture
def course(with_chaffs: Callable[[str], Course]) -> Course:
    """The toy course with chaffs."""
    return with_chaffs(CHAFFS)


@pytest.fixture
def validate(address, monkeypatch, capsys, course):
    """``validate(arguments)`` -> exit code, output, errors."""

    @contextmanager
    def ready() -> Iterator[object]:
        yield lambda: address

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["validate", "warmup", "--course", str(course.root), "-j", "2", *arguments])
        return (code, *capsys.readouterr())

    monkeypatch.setattr(cli_class, "grading", ready)
    return run


def test_everything_comes_as_it_has_to(validate, tmp_path):
    out = tmp_path / "matrix.json"
    code, output, errors = validate("--kinds", "reference,template,chaffs", "-o", str(out))
    assert (code, "surprise" in output) == (0, False), output + errors
    found = json.loads(out.read_text())["warmup"]
    assert found["kills"]["1.2"] == ["chaffs: counts-from-one"]
    assert found["kills"]["2.2"] == ["chaffs: squares"]
    assert (found["idle"], found["surprises"]) == ([], [])
    assert "1.2" in found["spare"]
    assert "1.1" not in found["spare"]


def test_every_check_can_be_made_on_everything(validate):
    code, output, errors = validate("--kinds", "reference,chaffs", "--full")
    assert (code, "surprise" in output) == (0, False), output + errors


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('fails = ["1"]', 'fails = ["1.1"]', "chaffs: counts-from-one, seed validate: 1.2 does not pass (failed)"),
        ('fails = ["3.1"]', 'fails = ["3.1", "4"]', "chaffs: unchanged, seed validate: 4.1 passes, but must fail"),
        ('new = "x + 0"', 'new = "x / torch.sqrt(dot(x, x)) * 1"', "chaffs: unchanged, seed validate: 3.1 passes, but"),
        ('fails = ["2"]', 'fails = ["2.1"]', "chaffs: squares, seed validate: 2.2 does not pass (failed)"),
    ],
)
def test_a_surprise_is_told_and_is_the_exit_code(validate, course, old, new, said):
    path = course.root / "assignments" / "warmup" / "chaffs.toml"
    path.write_text(CHAFFS.replace(old, new, 1))
    code, output, _ = validate("--kinds", "chaffs")
    assert code == 1
    assert said in output


def test_a_check_that_kills_nothing_is_a_surprise(validate, course):
    path = course.root / "assignments" / "warmup" / "chaffs.toml"
    path.write_text(CHAFFS[: CHAFFS.index('[[chaff]]\nname = "flat"')])
    code, output, _ = validate("--kinds", "chaffs")
    assert code == 1
    assert "surprise: check 4.1 kills nothing" in output


def test_a_chaff_of_a_check_that_does_not_exist_is_refused(validate, course):
    path = course.root / "assignments" / "warmup" / "chaffs.toml"
    path.write_text(CHAFFS.replace('["3.1"]', '["3.7"]'))
    code, _, errors = validate("--kinds", "chaffs")
    assert code == 2
    assert "unchanged: fails: there is no check 3.7; correct the number." in errors


def test_mutants_are_killed_or_told(validate):
    code, output, errors = validate("--kinds", "mutants")
    told = [line for line in output.splitlines() if line.startswith("surprise")]
    assert code == (1 if told else 0), output + errors
    assert all("no check notices it" in line for line in told)
    assert len(told) <= 2


def test_other_formulations_pass_and_wrong_ones_are_told(validate, course):
    folder = course.root / "assignments" / "warmup" / "right"
    (folder / "loops").mkdir(parents=True)
    text = "def dot(x, y):\n    total = x.new_zeros(())\n    for a, b in zip(x, y):\n        total += a * b\n"
    text += "    return total\n"
    (folder / "loops" / "vectors.py").write_text(text)
    assert validate("--kinds", "right", "--seeds", "2")[0] == 0
    (folder / "loops" / "vectors.py").write_text(text.replace("a * b", "a"))
    code, output, _ = validate("--kinds", "right")
    assert (code, "right: loops, seed validate: 1.1 does not pass" in output) == (1, True)


def test_an_unknown_kind_is_refused(validate):
    code, _, errors = validate("--kinds", "chaff")
    assert code == 2
    assert "a list out of reference,template,right,chaffs,mutants was expected" in errors


def test_a_mutant_that_is_listed_as_equivalent_must_not_be_noticed(validate, course):
    path = course.root / "assignments" / "warmup" / "equivalent.toml"
    path.write_text('[[mutants]]\nreason = "It was a mistake."\nnames = ["vectors.dot: x * y -> x / y"]\n')
    code, output, _ = validate("--kinds", "mutants")
    assert code == 1
    assert "vectors.dot: x * y -> x / y, seed validate: 1.1: it is listed as equivalent" in output


def test_a_sample_is_drawn_from_the_seed(validate, tmp_path):
    found = []
    for name in ("one", "two"):
        validate("--kinds", "chaffs,mutants", "--sample", "2", "-o", str(tmp_path / name))
        subjects = json.loads((tmp_path / name).read_text())["warmup"]["subjects"]
        found.append(sorted(subject["subject"] for subject in subjects))
    assert found[0] == found[1]
    assert len(found[0]) == 4


def test_checks_that_cannot_be_collected_are_told(validate, course):
    (course.root / "assignments" / "warmup" / "test_vectors.py").write_text("import nothing_of_this_name\n")
    code, _, errors = validate("--kinds", "reference")
    assert code == 2
    assert "nothing_of_this_name" in errors


def test_a_number_that_makes_no_sense_is_refused(validate):
    assert validate("--seeds", "0")[0] == 2
    assert validate("--sample", "-1")[0] == 2
