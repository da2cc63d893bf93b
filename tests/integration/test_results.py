"""What becomes of a graded submission in Gradescope's results.json and in a terminal, and what must not show there."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from grader.contract.verdict import Status
from grader.gradescope.results import dumps, results, staff_text
from grader.judge.prepare import Options
from grader.pages.terminal import class_table, student_view


@pytest.fixture(scope="module")
def upload(toy: Path, tmp_path_factory) -> Path:
    """Wrong for long rows, which it prints: inputs of a hidden check. One file is missing, one is in excess."""
    folder = tmp_path_factory.mktemp("upload")
    text = (toy / "reference" / "warmup" / "vectors.py").read_text()
    spies = 'if X.shape[1] > 30:\n        print("spied:", X.tolist())\n        return X[:, 0]\n    return (X * X)'
    assert text.count("return (X * X)") == 1
    (folder / "vectors.py").write_text(text.replace("return (X * X)", spies))
    (folder / "notes.txt").write_text("Done.")
    return folder


@pytest.fixture(scope="module")
def finished(grade, toy, upload, tmp_path_factory):
    return grade(toy, "warmup", tmp_path_factory.mktemp("out"), Options("the seed"), ann=upload)["ann"]


@pytest.fixture(scope="module")
def content(finished):
    return json.loads(dumps(results(finished.report)))


@pytest.fixture(scope="module")
def tests(content):
    return {test["number"]: test for test in content["tests"]}


def shown(renderable) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(renderable)
    return console.file.getvalue()


def test_it_obeys_the_schema_and_adds_up(finished, held_to_schemas, content, tests):
    verdicts = held_to_schemas(finished)
    assert list(tests) == ["1.1", "1.2", "2.1", "2.2", "3.1", "4.1", "4.2", "4.3"]
    for number, verdict in verdicts.items():
        assert (tests[number]["score"], tests[number]["max_score"]) == (verdict.points, verdict.max_points)
        assert tests[number]["status"] == ("passed" if verdict.status is Status.PASSED else "failed")
    assert content["score"] == finished.report.score == 8


def test_visibility_tags_and_titles_are_the_checks_own(tests):
    assert {number: test["visibility"] for number, test in tests.items() if test["visibility"] != "visible"} == {
        "2.2": "hidden",
        "4.3": "after_due_date",
    }
    assert tests["4.2"]["tags"] == ["chain"]
    assert tests["1.1"]["name"] == "dot returns the inner product."


def test_a_hidden_check_shows_its_fixed_text_alone(finished, content, tests):
    assert tests["2.2"]["output"] == "norms fails on matrices of another kind."
    (hidden,) = [verdict for verdict in finished.report.verdicts if verdict.number == "2.2"]
    assert "spied:" in hidden.output  # staff find it in the report
    assert "spied:" not in json.dumps(content)
    assert "spied:" not in staff_text(finished.report)
    view = shown(student_view(finished.report))
    assert "norms fails on matrices of another kind." in view
    assert "spied:" not in view


def test_what_is_said_about_the_whole_submission(content, tests):
    assert "fitting.py" in content["output"]
    assert "fitting.py" in tests["4.1"]["output"]
    assert "notes.txt" in content["output"]
    assert "the seed" not in json.dumps(content)
    assert content["leaderboard"] == []
    assert content["extra_data"]["complete"]


def test_the_terminal_says_the_same(finished):
    view = shown(student_view(finished.report))
    assert "8 of 16 points" in view
    assert "dot returns the inner product." in view
    table = shown(class_table([("ann", finished.report), ("bob", None)], "Toy"))
    assert "5 passed" not in table
    assert "4 passed, 1 wrong, 3 not written" in table
    assert "grader error" in table
