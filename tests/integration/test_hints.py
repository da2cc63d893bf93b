"""Hints: a submission that answers as a chaff does gets the chaff's hint, on a copy of the toy course."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from grader.contract.course import Course
from grader.contract.report import from_json
from grader.contract.verdict import Verdict
from grader.grading.grade import Setting
from grader.grading.job import Job
from grader.grading.run import Run
from grader.judge.prepare import Options

CHAFFS = """
[[chaff]]
name = "doubled"
function = "vectors.dot"
old = "(x * y).sum()"
new = "2 * (x * y).sum()"
fails = ["1.1"]
hint = "Each product is counted twice."

[[chaff]]
name = "endless"
function = "vectors.dot"
old = "return (x * y).sum()"
new = "while True: pass"
fails = ["1.1"]
hint = "It never ends."

[[chaff]]
name = "halved"
function = "vectors.dot"
old = "(x * y).sum()"
new = "(x * y).sum() / 2"
fails = ["1.1"]
hint = "Each product is halved."

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
old = "self.slope = dot(dx, dy)"
new = "self.slope = 0 * dot(dx, dy)"
fails = ["4"]
hint = "The slope is always 0."
"""


@pytest.fixture
def course(with_chaffs: Callable[[str], Course]) -> Course:
    """The toy course with chaffs."""
    return with_chaffs(CHAFFS)


@pytest.fixture
def graded(
    course: Course, address: Path, tmp_path: Path, differences: dict[str, str], flags: dict[str, tuple[str, ...]]
):
    """``graded((file, old, new), ...)``: the hints, by number, on the reference with these replacements."""

    def grade(*changes: tuple[str, str, str]) -> dict[str, str]:
        upload = tmp_path / "upload"
        shutil.copytree(course.root / "reference" / "warmup", upload)
        for file, old, new in changes:
            text = (upload / file).read_text()
            assert old in text
            (upload / file).write_text(text.replace(old, new))
        job = Job("upload", upload, tmp_path / "out")
        setting = Setting(course.root, course.assignment("warmup"), Options(seed="s"), address)
        finished = next(each for each in Run([job], setting, 1) if each is not None)
        assert not finished.grader_failed, finished.log
        verdicts = from_json(job.report.read_text()).verdicts
        differences.update({verdict.number: difference_of(verdict) for verdict in verdicts})
        flags.update({verdict.number: verdict.flags for verdict in verdicts})
        return {verdict.number: hint_of(verdict) for verdict in verdicts}

    return grade


@pytest.fixture
def differences() -> dict[str, str]:
    """What was said about differences, by number, when something was graded."""
    return {}


@pytest.fixture
def flags() -> dict[str, tuple[str, ...]]:
    """What staff read, by number."""
    return {}


def difference_of(verdict: Verdict) -> str:
    return verdict.explanation.difference if verdict.explanation is not None else ""


def hint_of(verdict: Verdict) -> str:
    return verdict.explanation.hint if verdict.explanation is not None else ""


def test_who_answers_as_a_chaff_does_gets_its_hint(graded) -> None:
    hints = graded(("vectors.py", "return (x * y).sum()", "total = x @ y\n    return total + total"))
    assert hints["1.1"] == "Each product is counted twice."


def test_who_answers_in_another_way_gets_no_chaffs_hint(graded) -> None:
    assert graded(("vectors.py", "return (x * y).sum()", "return 3 * x.mean() + (x * y).sum()"))["1.1"] == ""


def test_two_explanations_are_none(graded, course) -> None:
    path = course.root / "assignments" / "warmup" / "chaffs.toml"
    path.write_text(CHAFFS.replace("(x * y).sum() / 2", "(x * y).sum() * 4 / 2"))
    hint = graded(("vectors.py", "return (x * y).sum()", "return 2 * (x * y).sum()"))["1.1"]
    assert hint not in ("Each product is counted twice.", "Each product is halved.")


def test_a_hint_is_found_beside_the_mistake_of_another_function(graded) -> None:
    hints = graded(
        ("vectors.py", "x / torch.sqrt(dot(x, x))", "x * 1"), ("vectors.py", "(x * y).sum()", "(y * x * x).sum()")
    )
    assert hints["3.1"] == "x is not divided by its length."


def test_objects_that_stay_in_the_player_are_followed(graded) -> None:
    hints = graded(("fitting.py", "self.slope = dot(dx, dy) / dot(dx, dx)", "self.slope = x.mean() * 0"))
    assert "The slope is always 0." in hints.values()


def test_hidden_checks_get_no_hint(graded) -> None:
    hints = graded(("vectors.py", ".sqrt()", ""))
    assert (hints["2.1"], hints["2.2"]) == ("The root is missing.", "")


def test_a_chaff_that_cannot_be_used_is_passed_over(graded, course) -> None:
    path = course.root / "assignments" / "warmup" / "chaffs.toml"
    path.write_text(CHAFFS.replace('old = "(x * y).sum()"\nnew = "(x * y).sum() / 2"', 'old = "no such"\nnew = "x"'))
    hints = graded(("vectors.py", "return (x * y).sum()", "return 2 * (x * y).sum()"))
    assert hints["1.1"] == "Each product is counted twice."


def test_a_mistake_that_nobody_wrote_down_is_recognised(graded) -> None:
    hints = graded(("vectors.py", "return x / torch.sqrt(dot(x, x))", "return (dot(x, x) ** 0.5) * x"))
    assert "Look for a product and a division that are mixed up: a right function" in hints["3.1"]


def test_a_small_input_on_which_it_fails_is_shown_once_in_a_question(graded, differences) -> None:
    graded(("vectors.py", "(x * y).sum()", "(x * y)[:-1].sum()"))
    shown = [text for number, text in differences.items() if number.startswith("1.") and "A small input" in text]
    assert len(shown) == 1
    *_, call, told = shown[0].splitlines()
    # One pair of entries is the fewest of which the last can be forgotten.
    assert re.fullmatch(r"dot\(x = \[[-\d.]+\], y = \[[-\d.]+\]\)", call)
    assert told.endswith("but is 0.")


def test_no_input_of_a_hidden_check_is_shown(graded, differences) -> None:
    graded(("vectors.py", "(X * X).sum(dim=1).sqrt()", "(X * X).sum(dim=1).sqrt() * (1 if len(X) < 6 else 2)"))
    assert not any("A small input" in differences[number] for number in differences if number == "2.2")


def test_a_search_that_fails_costs_no_verdict(graded, flags, monkeypatch) -> None:
    def fail(*_: object) -> Verdict:
        raise RuntimeError("out of ideas")

    monkeypatch.setattr("grader.judge.advice.hints.Hints.improved", fail)
    graded(("vectors.py", "(x * y).sum()", "(x * y)[:-1].sum()"))
    assert flags["1.1"][-1] == "no hint was found, through a fault of ours: RuntimeError: out of ideas"
