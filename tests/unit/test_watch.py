"""Which questions a save touches."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from grader.contract.course import Course, default_course
from grader.kit.watch import Waiting, marks, touched

TOY = Course(Path(__file__).parents[1] / "toy_course").assignment("warmup")


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(TOY.reference, tmp_path / "mine"))


def after(folder, assignment, file, old, new):
    """The questions that a change of a file touches."""
    before = marks(folder, assignment)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    return touched(before, marks(folder, assignment))


def test_a_function_touches_its_question_and_those_that_run_through_it(folder):
    assert after(folder, TOY, "vectors.py", "(x * y).sum()", "(y * x).sum()") == ("1", "3", "4")


def test_a_function_that_nobody_uses_touches_itself_alone(folder):
    assert after(folder, TOY, "vectors.py", "(X * X).sum(dim=1)", "(X * X).sum(1)") == ("2",)


def test_comments_and_layout_touch_nothing(folder):
    assert after(folder, TOY, "vectors.py", "import torch\n", "import torch\n\n# a comment\n") == ()


def test_an_import_touches_all_of_its_file(folder):
    assert after(folder, TOY, "vectors.py", "import torch\n", "import torch\nimport math\n") == ("1", "2", "3")


def test_a_forward_pass_touches_its_backward_pass(tmp_path):
    assignment = default_course().assignment("a4")
    mine = Path(shutil.copytree(assignment.reference, tmp_path / "mine"))
    found = after(mine, assignment, "rnn_lstm_captioning.py", "def rnn_step_forward(", "def rnn_step_forward(*, a=0, ")
    functions = {assignment.questions[number].function for number in found}
    assert "rnn_lstm_captioning.rnn_step_forward" in functions
    assert "rnn_lstm_captioning.rnn_step_backward" in functions
    assert not any(function.startswith("transformers") for function in functions)


def test_what_cannot_be_taken_in_has_no_marks(tmp_path):
    assert marks(tmp_path / "absent", TOY) == {}


def test_what_changed_itself_is_asked_before_what_runs_through_it(folder):
    waiting = Waiting(folder, TOY)
    assert not waiting.look()
    assert list(waiting.rounds()) == []
    vectors = folder / "vectors.py"
    vectors.write_text(vectors.read_text().replace("(x * y).sum()", "(y * x).sum()"))
    assert waiting.look()
    assert next(waiting.rounds()) == ("1",)
    assert list(waiting.rounds()) == [("3", "4")]
    assert list(waiting.rounds()) == []


def test_only_some_questions_wait(folder):
    waiting = Waiting(folder, TOY, only=("3",))
    vectors = folder / "vectors.py"
    vectors.write_text(vectors.read_text().replace("(x * y).sum()", "(y * x).sum()"))
    assert waiting.look()
    assert list(waiting.rounds()) == [("3",)]
