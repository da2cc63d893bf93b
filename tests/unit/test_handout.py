"""Handout and README: what they tell comes from what grades, and the page obeys no markup."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from grader.contract.course import Course, default_course
from grader.kit.handout import HandoutError, html, markdown, page, plain, readme
from grader.kit.tasks import tasks_of

TOY = Course(Path(__file__).parents[1] / "toy_course")
NAMES = default_course().names


@pytest.mark.parametrize("name", NAMES)
def test_the_handout_names_every_task_with_its_points_and_bars(name):
    assignment = default_course().assignment(name)
    text = markdown(assignment)
    for question in assignment.content.questions:
        function = question.function.partition(".")[2]
        assert f"### {question.number} `{function}`" in text
        assert f"{question.points:g} points*" in text
        for goals in question.goals.values():
            assert all(f"all points from {goal.needed:g} %" in text for goal in goals.values())
        assert all(plain(sentence) in text for sentence in question.edge.values())
    rules = text.partition("## Rules")[2].partition("\n## ")[0]
    for name in assignment.content.rules.forbidden:
        module, _, last = name.rpartition(".")
        (line,) = [each for each in rules.split("\n") if f"`{name}`" in each or f"- of `{module}`: " in each]
        assert f"`{name}`" in line or f"`{last}`" in line
    total = sum(question.points for question in assignment.content.questions)
    assert f"{total:g} points. You write:" in text


@pytest.mark.parametrize("name", NAMES)
def test_the_page_draws_formulas_without_a_script_and_loads_nothing(name):
    text = html(default_course().assignment(name))
    assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">' in text
    assert "$" not in text.partition("<body>")[2]
    assert "<script" not in text
    assert " style=" not in text and '<td class="n">' in text
    assert "http:" not in text.replace("http://www.w3.org/1998/Math/MathML", "")


def test_tasks_carry_signature_docstring_and_sentence():
    task = tasks_of(TOY.assignment("warmup"))[0]
    assert (task.file, task.name, task.signature) == ("vectors.py", "dot", "dot(x: torch.Tensor, y: torch.Tensor)")
    assert task.about.startswith("Inner product of x (N,) and y (N,)")
    assert task.todo == "Multiply the entries, and add the products up."
    (method,) = [task for task in tasks_of(TOY.assignment("warmup")) if task.name == "Line.fit"]
    assert method.signature.startswith("Line.fit(x")


def test_a_course_without_its_own_part_has_a_handout_too():
    assert "# WARMUP: Vectors and a straight line" in markdown(TOY.assignment("warmup"))


def test_a_broken_part_of_the_course_is_named(tmp_path):
    shutil.copytree(TOY.root, tmp_path / "course")
    broken = tmp_path / "course" / "assignments" / "warmup" / "handout.md.j2"
    broken.write_text('{% extends "base.md.j2" %}{% block formulas %}{{ no_such_value }}{% endblock %}')
    with pytest.raises(HandoutError, match="no_such_value"):
        markdown(Course(tmp_path / "course").assignment("warmup"))


def test_text_of_the_course_is_shown_as_it_stands():
    shown = page(f"{plain('x * y * z, a_b_c, [i], <b>, 2 $ and `W * W`')}\n\n<script>alert(1)</script>", "T <1>")
    assert "x * y * z, a_b_c, [i], &lt;b&gt;, 2 $ and <code>W * W</code>" in shown
    assert "<script>" not in shown
    assert "<title>T &lt;1&gt;</title>" in shown


@pytest.mark.parametrize(
    ("offset", "told"),
    [("-05:00", "Monday, 2 March 2026, 23:59 (UTC-05:00)."), ("Z", "Monday, 2 March 2026, 23:59 (UTC).")],
)
def test_a_deadline_is_told_in_handout_and_readme(tmp_path, offset, told):
    shutil.copytree(TOY.root, tmp_path / "course")
    settings = tmp_path / "course" / "assignments" / "warmup" / "assignment.toml"
    settings.write_text(f"due = 2026-03-02T23:59:00{offset}\n{settings.read_text()}")
    assignment = Course(tmp_path / "course").assignment("warmup")
    assert f"\n\n**Due:** {told}\n\n" in markdown(assignment)
    assert f"\n\n**Due:** {told}\n\n" in readme(assignment)
    assert f"<strong>Due:</strong> {told}" in html(assignment)
    assert "Due" not in markdown(TOY.assignment("warmup")) + readme(TOY.assignment("warmup"))


def test_notebooks_are_told_of_where_there_are_some():
    assert "notebook" in readme(default_course().assignment("a2"))
    text = readme(TOY.assignment("warmup"))
    assert "notebook" not in text and "\n\n\n" not in text
    assert "`vectors.py`, `fitting.py`. What is asked for" in text


def test_the_readme_names_modules_and_checkpoints():
    text = readme(default_course().assignment("a2"))
    assert "`linear_classifier.py`, `two_layer_net.py`" in text
    assert "`nn_best_model.pt`" in text
    assert "grader submit" in text
