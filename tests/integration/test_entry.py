"""What ``run_autograder`` calls: results that the platform can take, whatever happens to the grading."""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from grader import __version__
from grader.contract.course import Course
from grader.contract.report import from_json
from grader.gradescope import child, entry
from grader.gradescope.earlier import Carried
from grader.gradescope.grading import GradingOrder
from grader.gradescope.manifest import Manifest
from grader.gradescope.memory import player_mb
from grader.gradescope.place import Place

SCHEMA = json.loads((Path(__file__).parents[1] / "schemas" / "gradescope_results.schema.json").read_text())
NOW = datetime(2026, 2, 3, 12, tzinfo=timezone.utc)
LIMITED = '[gradescope]\ncounts = "best"\nlimit = { submissions = 2 }\n'
TEMPLATE_FAILS = "def running_sum(x):\n    raise NotImplementedError\n"


class Container:
    """The platform's folder, with the assignment ``series`` of the toy course in it."""

    def __init__(self, root: Path, toy: Path, declared: str) -> None:
        self.place = Place(root / "autograder")
        for part in ("assignments", "reference"):
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(toy / part / "series", self.place.source / "course" / part / "series", ignore=ignore)
        toml = self.place.source / "course" / "assignments" / "series" / "assignment.toml"
        head, questions, tail = toml.read_text().partition("[[questions]]")
        toml.write_text(head + declared + questions + tail)
        digest = Course(self.place.source / "course").assignment("series").digest
        (self.place.source / "bundle.json").write_text(Manifest("series", __version__, digest, "a seed").to_json())
        self.place.submission.mkdir()
        self.place.results.parent.mkdir()
        shutil.copy(toy / "reference" / "series" / "sums.py", self.place.submission)
        self.tell()

    def tell(self, *previous: dict[str, Any], **changes: Any) -> None:
        """Writes the metadata."""
        metadata = {"id": 5, "created_at": NOW.isoformat(), "users": [], "assignment": {}, **changes}
        metadata["previous_submissions"] = list(previous)
        self.place.metadata.write_text(json.dumps(metadata))

    def run(self, limit: str = "300") -> tuple[int, dict[str, Any]]:
        """The exit code and ``results.json``, held to the schema."""
        code = entry.main([str(self.place.root), limit])
        content = json.loads(self.place.results.read_text())
        jsonschema.Draft202012Validator(SCHEMA).validate(content)
        assert os.listdir(self.place.results.parent) == ["results.json"]
        return code, content


@pytest.fixture
def container(tmp_path, toy):
    """``container(declared)``: with this text in ``assignment.toml``."""
    return lambda declared="": Container(tmp_path, toy, declared)


@pytest.fixture(scope="module")
def graded(toy, tmp_path_factory) -> str:
    """The report of the reference, graded for real once."""
    made = Container(tmp_path_factory.mktemp("once"), toy, "")
    kept: list[str] = []

    def spy(order: GradingOrder, folder: Path, cache: Path, deadline: float) -> child.Ended:
        ended = real(order, folder, cache, deadline)
        kept.append((folder / "report.json").read_text())
        return ended

    real, child.run = child.run, spy
    try:
        code, content = made.run()
    finally:
        child.run = real
    assert code == 0
    assert content["score"] == 5
    return kept[0]


@pytest.fixture
def ends(monkeypatch, graded):
    """``ends(late=, words=, ...)`` lets the grading end in this way, with the report of the reference or another."""

    def prepared(report: str | None = graded, *, late: bool = False, log: str = "what it said") -> list[GradingOrder]:
        orders: list[GradingOrder] = []

        def run(order: GradingOrder, folder: Path, cache: Path, deadline: float) -> child.Ended:
            orders.append(order)
            if report is not None:
                (folder / "report.json").write_text(report)
            return child.Ended("the grading ended", log, late)

        monkeypatch.setattr(child, "run", run)
        return orders

    return prepared


def previous(hours: float, score: float = 1.0, **changes: Any) -> dict[str, Any]:
    return {"submission_time": (NOW - timedelta(hours=hours)).isoformat(), "score": score, **changes}


def half_done(report: str, count: int = 1) -> str:
    """The report as it stands after ``count`` checks."""
    content = json.loads(report)
    for verdict in content["verdicts"][count:]:
        verdict.update(status="not_run", points=0.0, explanation={"message": "This check was not made.", **EMPTY})
    return json.dumps(content)


EMPTY = dict.fromkeys(("expected", "got", "difference", "hint", "evidence"), "")


# ------------------------------------------------------------------------------------------------------------- graded


def test_a_submission_is_graded_in_a_process_of_its_own(graded):
    report = from_json(graded)
    assert report.complete and report.score == 5
    assert report.environment.seed == "a seed"
    assert report.submission.name == "submission 5"


def test_staff_are_told_what_students_are_not(container, ends, capsys):
    orders = ends()
    code, content = container().run()
    printed = capsys.readouterr().out
    assert code == 0 and content["score"] == 5
    assert "Seed: a seed" in printed and "Attempt 1; shown: everything" in printed
    assert "a seed" not in json.dumps(content)
    assert orders[0].memory_mb == player_mb(768)
    assert Carried.of(content) == Carried(best=5.0)


def test_what_a_player_must_not_see_is_closed(container, ends):
    ends()
    made = container()
    made.run()
    place = made.place
    for path in (place.source, place.submission, place.results.parent, place.metadata):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert stat.S_IMODE(place.root.stat().st_mode) == 0o711


def test_metadata_with_nothing_in_them_are_no_hindrance(container, ends, capsys):
    ends()
    made = container(LIMITED)
    for text in ("", "{}", "[1, 2]", '{"previous_submissions": [{}], "users": [{}]}'):
        made.place.metadata.write_text(text)
        assert made.run()[1]["score"] == 5
        assert "Metadata: " in capsys.readouterr().out
    made.place.metadata.unlink()
    assert made.run()[1]["score"] == 5


# --------------------------------------------------------------------------------------------------------------- policy


def test_over_the_limit_the_latest_results_are_shown_again(container, ends):
    orders = ends()
    made = container(LIMITED)
    latest = {"score": 3.0, "output": "Once.", "tests": [{"score": 3.0, "max_score": 5.0, "output": "Right."}]}
    latest["extra_data"] = Carried(best=4.0).to_json()
    made.tell(previous(2), previous(1, results=latest))
    code, content = made.run()
    assert (code, orders) == (0, [])
    lines = content["output"].splitlines()
    assert lines[0] == "This submission was not graded: 2 submissions are graded, and there were 2 before."
    assert lines[-1] == "Once."
    assert content["score"] == 4.0  # the best one
    assert content["tests"][0]["output"] == "Right."
    assert Carried.of(content) == Carried(4.0, (NOW,))


def test_a_refusal_without_earlier_results_is_said_all_the_same(container, ends):
    ends()
    made = container(LIMITED)
    made.tell(previous(2), previous(1))
    content = made.run()[1]
    assert "was not graded" in content["output"] and "What follows" not in content["output"]
    assert content["score"] == 1.0
    assert [test["visibility"] for test in content["tests"]] == ["hidden"]


def test_the_best_score_is_kept(container, ends, graded):
    ends(half_done(graded))
    made = container(LIMITED)
    made.tell(previous(2, 4.5))
    content = made.run()[1]
    assert content["score"] == 4.5
    assert Carried.of(content).best == 4.5


def test_feedback_follows_the_policy(container, ends):
    ends()
    made = container('[[gradescope.feedback]]\nshows = "after_published"\nfrom_attempt = 2\n')
    assert {test["visibility"] for test in made.run()[1]["tests"]} == {"visible"}
    made.tell(previous(1))
    assert {test["visibility"] for test in made.run()[1]["tests"]} == {"after_published"}


# --------------------------------------------------------------------------------------------------------------- faults


def test_when_time_runs_out_what_is_graded_counts(container, ends, graded, capsys):
    ends(half_done(graded), late=True)
    code, content = container().run()
    assert code == 3
    assert 0 < content["score"] < 5
    assert "ran out before this check was made" in content["tests"][1]["output"]
    assert "The grader did not run" in content["output"]
    assert content["extra_data"]["complete"] is False
    assert Carried.of(content).uncounted == ()  # the attempt counts: it had its time


def test_when_the_grading_dies_no_attempt_is_lost(container, ends, graded, capsys):
    ends(half_done(graded), log="Killed")
    code, content = container(LIMITED).run()
    assert code == 3
    assert "The grader itself failed on" in content["output"]
    assert Carried.of(content).uncounted == (NOW,)
    assert "Killed" in capsys.readouterr().out
    assert "Killed" not in json.dumps(content)


def test_without_a_report_the_best_score_is_kept(container, ends, capsys):
    ends(None, log="Traceback of ours")
    made = container()
    made.tell(previous(1, results={"extra_data": Carried(best=3.5).to_json()}))
    code, content = made.run()
    assert (code, content["score"]) == (3, 3.5)
    # The platform shows no total then: it may hold points of hidden checks.
    assert [test["visibility"] for test in content["tests"]] == ["hidden"]
    assert content["extra_data"]["complete"] is False
    assert "not the fault of the submission" in content["output"]
    assert "The best score so far is kept." in content["output"] and "3.5" not in content["output"]
    assert "Traceback of ours" in capsys.readouterr().out


@pytest.mark.parametrize("broken", ["bundle.json", "course/assignments/series/assignment.toml"])
def test_a_broken_bundle_is_our_fault(container, ends, broken, capsys):
    ends()
    made = container()
    (made.place.source / broken).write_text("[")
    code, content = made.run()
    assert (code, content["score"]) == (3, 0.0)
    assert "The grader itself failed." in content["output"]
    assert "Traceback" in capsys.readouterr().err


def test_results_are_there_before_the_grading_starts(container, monkeypatch):
    made = container()

    def look(*_: object) -> child.Ended:
        content = json.loads(made.place.results.read_text())
        assert "was ended before it could grade" in content["output"]
        assert Carried.of(content).uncounted == (NOW,)
        raise MemoryError

    monkeypatch.setattr(child, "run", look)
    assert "The grader itself failed." in made.run()[1]["output"]


def test_it_ends_before_the_platforms_limit(container, monkeypatch):
    seen: list[float] = []

    def run(order: GradingOrder, folder: Path, cache: Path, deadline: float) -> child.Ended:
        seen.append(deadline - time.monotonic())
        return child.Ended("the grading ended", "", False)

    monkeypatch.setattr(child, "run", run)
    made = container("[gradescope]\ntimeout_seconds = 900\n")
    for limit in ("300", "", "nonsense", "-1", "40"):
        made.run(limit)
    assert seen == pytest.approx([270, 870, 870, 870, 20], abs=5)


# --------------------------------------------------------------------------------------------------- the process itself


def test_the_grading_is_ended_at_its_deadline(toy, tmp_path):
    """With its players, though the submission never ends."""
    (tmp_path / "upload").mkdir()
    (tmp_path / "upload" / "sums.py").write_text("while True:\n    pass\n")
    order = GradingOrder(str(toy), "series", "ann", str(tmp_path / "upload"), str(tmp_path), "seed", "", 500)
    started = time.monotonic()
    ended = child.run(order, tmp_path, tmp_path, started + 0.5)
    assert ended.late
    assert "since the time was over" in ended.words
    assert time.monotonic() - started < child.GRACE_SECONDS + 10


def test_a_course_that_cannot_be_used_is_told(tmp_path):
    order = GradingOrder(str(tmp_path), "series", "ann", str(tmp_path), str(tmp_path), "seed", "", 500)
    ended = child.run(order, tmp_path, tmp_path, time.monotonic() + 120)
    assert not ended.late
    assert "holds no course" in ended.log
    assert "exit code 3" in ended.words
