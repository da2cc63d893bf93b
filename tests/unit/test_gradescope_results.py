"""What Gradescope is told: valid by its schema, finite, clamped, capped and in order, whatever the report holds."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from grader.contract.report import AssignmentInfo, EnvironmentInfo, Report, SubmissionInfo, Times
from grader.contract.text import natural_key
from grader.contract.verdict import Explanation, Status, Verdict
from grader.gradescope.results import MAX_LENGTH, dumps, results, staff_text

SCHEMA = json.loads((Path(__file__).parents[1] / "schemas" / "gradescope_results.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

EXPLANATION = Explanation("dW is wrong.", "1.0", "2.0", "at (0, 1)", "Divide by N.", "drawn with secret-seed")
GOOD = Verdict("t.py::one", "1.1", "Adds two numbers.", Status.PASSED, 2.0, 2.0)
BAD = Verdict("t.py::two", "1.2", "Scales.", Status.FAILED, 0.0, 3.0, explanation=EXPLANATION, tags=("core",))


def report_of(*verdicts: Verdict, **changes: Any) -> Report:
    report = Report(
        schema_version=1,
        grader_version="0.1.0",
        submission=SubmissionInfo("ann", "ab12"),
        assignment=AssignmentInfo("toy", "A toy", "cd34"),
        environment=EnvironmentInfo("3.11.2", "2.6", "cpu", "", "secret-seed", {"limits": "on"}),
        verdicts=verdicts,
        times=Times("2026-01-31T12:00:00+00:00", 12.34567),
    )
    return replace(report, **changes)


def rendered(*verdicts: Verdict, **changes: Any) -> dict[str, Any]:
    """What a reader of the file gets, after it has been held to the schema."""
    content = json.loads(dumps(results(report_of(*verdicts, **changes))))
    VALIDATOR.validate(content)
    return content


def test_the_schema_is_a_schema_and_tells_right_from_wrong():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for right in ({"score": 1}, {"tests": [{"score": 1, "status": "passed", "name_format": "md"}]}):
        assert VALIDATOR.is_valid(right)
    test = {"score": 1}
    for wrong in (
        {},
        {"tests": [{"max_score": 1}]},
        {"tests": [{**test, "status": None}]},
        {"tests": [{**test, "number": 1}]},
        {"tests": [{**test, "visibility": "secret"}]},
        {"score": 1, "execution_time": "1.5"},
        {"score": 1, "output": "a\0b"},
        {"score": 1, "output": "x" * (MAX_LENGTH + 1)},
        {"score": 1, "leaderboard": [{"name": "a"}]},
        {"score": 1, "points": 2},
    ):
        assert not VALIDATOR.is_valid(wrong)


def test_one_test_for_each_check():
    content = rendered(GOOD, BAD)
    assert content["score"] == 2.0
    assert content["execution_time"] == 12.346
    assert content["stdout_visibility"] == "hidden"
    assert content["output_format"] == "text"
    first, second = content["tests"]
    assert first == {
        "number": "1.1",
        "name": "Adds two numbers.",
        "score": 2.0,
        "max_score": 2.0,
        "status": "passed",
        "output": "Passed.",
        "output_format": "text",
        "visibility": "visible",
        "tags": [],
        "extra_data": {"check": "t.py::one", "edge": False},
    }
    assert (second["score"], second["max_score"], second["status"], second["tags"]) == (0.0, 3.0, "failed", ["core"])
    assert second["output"].split("\n")[:2] == ["dW is wrong.", "Expected: 1.0"]


@pytest.mark.parametrize("status", Status)
def test_only_passed_is_passed(status):
    (test,) = rendered(replace(BAD, status=status))["tests"]
    assert test["status"] == ("passed" if status is Status.PASSED else "failed")


def test_part_of_the_points_is_kept():
    (test,) = rendered(replace(BAD, status=Status.PARTIAL, points=1.25))["tests"]
    assert (test["score"], test["status"]) == (1.25, "failed")


def test_order_follows_the_numbers_not_the_report():
    numbers = ["2", "1.10", "1.2", "10", "1.2"]
    verdicts = [replace(GOOD, check=f"c{place}", number=number) for place, number in enumerate(numbers)]
    content = rendered(*verdicts)
    assert [test["number"] for test in content["tests"]] == ["1.2", "1.2-2", "1.10", "2", "10"]
    assert rendered(*verdicts[::-1]) == content


def test_numbers_stay_unique_when_a_made_one_exists_already():
    numbers = ["1", "1-2", "1", "", ""]
    tests = rendered(*(replace(GOOD, check=str(place), number=number) for place, number in enumerate(numbers)))["tests"]
    assert len({test["number"] for test in tests}) == 5


def test_students_see_neither_evidence_nor_flags_nor_the_seed():
    verdict = replace(BAD, flags=("copied from secret-friend",))
    text = json.dumps(rendered(verdict))
    assert "secret" not in text


def test_fixed_text_is_all_that_a_hiding_check_says():
    verdict = replace(BAD, fixed_text="A hidden check failed.", notes=("a note",), output="prints")
    (test,) = rendered(verdict)["tests"]
    assert test["output"] == "A hidden check failed."


def test_hidden_points_are_announced():
    verdicts = [
        replace(GOOD, check=visibility, visibility=visibility, max_points=points)
        for visibility, points in (("visible", 5.0), ("after_due_date", 2.5), ("hidden", 1.0), ("sometimes", 3.0))
    ]
    content = rendered(*verdicts)
    assert "Checks worth 2.5 points are hidden; their outcome is shown after the due date." in content["output"]
    assert "Checks worth 4 points are hidden; their outcome is shown to staff only." in content["output"]
    assert "grades are published" not in content["output"]
    assert [test["visibility"] for test in content["tests"]].count("hidden") == 2
    assert "hidden" not in rendered(GOOD)["output"]


def test_the_intake_is_reported():
    submission = SubmissionInfo("ann", "d", ("a.py",), ("b.txt: no code",), ("A.py -> a.py",), ("c.py",), ("Odd zip.",))
    environment = replace(report_of().environment, data="CIFAR-10")
    lines = rendered(GOOD, submission=submission, environment=environment)["output"].split("\n")
    assert lines == [
        "Odd zip.",
        "Graded files: a.py",
        "Taken under another name: A.py -> a.py",
        "Missing files: c.py",
        "Files that were not graded: b.txt: no code",
        "Data: CIFAR-10",
    ]


def test_the_graders_own_failures_are_said_plainly():
    failed = replace(BAD, status=Status.GRADER_ERROR)
    skipped = replace(BAD, check="t.py::three", number="1.3", status=Status.NOT_RUN)
    content = rendered(GOOD, failed, skipped)
    assert "The grader itself failed on 1 check (1.2). This is not the fault of the submission" in content["output"]
    assert "The grader did not run 1 check (1.3)." in content["output"]
    assert content["extra_data"]["complete"] is False
    assert "dW" not in content["tests"][1]["output"]


def test_impossible_points_are_limited_and_said():
    content = rendered(replace(GOOD, points=7.0), replace(BAD, points=math.nan))
    assert [test["score"] for test in content["tests"]] == [2.0, 0.0]
    assert "impossible points for 2 checks (1.1, 1.2)" in content["output"]
    assert "impossible" not in rendered(GOOD, BAD)["output"]


def test_leaderboard():
    entries = [
        ("acc", 0.5, "desc"),
        ("time", 3.0, "asc"),
        ("acc", 0.9, "desc"),
        ("nan", math.nan, "asc"),
        ("x", 1, "?"),
    ]
    verdicts = [replace(GOOD, check=str(place), leaderboard=entry) for place, entry in enumerate(entries)]
    assert rendered(*verdicts)["leaderboard"] == [
        {"name": "acc", "value": 0.5, "order": "desc"},
        {"name": "time", "value": 3.0, "order": "asc"},
        {"name": "x", "value": 1.0},
    ]


def test_long_texts_keep_both_ends():
    verdict = replace(BAD, output="first line\n" + "€ and more\n" * 50_000 + "last line")
    (test,) = rendered(verdict)["tests"]
    assert len(test["output"].encode()) <= MAX_LENGTH
    assert "first line" in test["output"] and test["output"].endswith("last line")
    assert "are left out here" in test["output"]


def test_staff_read_flags_evidence_and_seed_apart_from_students():
    report = report_of(GOOD, replace(BAD, flags=("trace was touched",)))
    text = staff_text(report)
    assert text.split("\n") == [
        "Seed: secret-seed",
        "Environment: Python 3.11.2, torch 2.6, device cpu",
        "Confinement, limits: on",
        "1.2 t.py::two (failed): trace was touched",
        "1.2 t.py::two (failed): drawn with secret-seed",
    ]
    content = results(report, staff_notes=True)
    VALIDATOR.validate(content)
    assert content["tests"][-1]["visibility"] == "hidden" and content["tests"][-1]["output"] == text
    assert content["score"] == results(report)["score"] == 2.0
    assert [test["number"] for test in content["tests"]] == ["1.1", "1.2", "staff"]


def test_dumps_never_writes_what_json_lacks():
    with pytest.raises(ValueError, match="JSON"):
        dumps({"score": math.nan})
    assert dumps({"output": "ä"}) == '{\n "output": "ä"\n}\n'


NASTY = st.one_of(
    st.text(st.characters(codec=None), max_size=20),
    st.sampled_from(["", "1.1", "\0", "\ud800", "<script>alert(1)</script>", "a\x1b[31m\r\n", "9" * 5000, "\u202etxt"]),
)
HUGE = st.sampled_from(["x" * 110_000, "€\n" * 60_000, "\0" * 110_000, "\U0001f389" * 40_000])
NUMBER = st.one_of(
    st.floats(), st.integers(-3, 3), st.sampled_from([10**400, -(10**400), 1e308, -0.0, 5e-324, math.inf, math.nan])
)
VALUE = st.one_of(NUMBER, st.sampled_from(["12", "n/a", None]))
VERDICT = st.builds(
    Verdict,
    check=NASTY,
    number=NASTY,
    title=NASTY,
    status=st.sampled_from(Status),
    points=NUMBER,
    max_points=NUMBER,
    edge=NASTY,
    visibility=st.one_of(st.sampled_from(["visible", "hidden", "after_due_date", "after_published"]), NASTY),
    explanation=st.none() | st.builds(Explanation, *[NASTY] * 5),
    notes=st.lists(NASTY, max_size=2).map(tuple),
    flags=st.lists(NASTY, max_size=1).map(tuple),
    output=NASTY | HUGE,
    fixed_text=NASTY,
    tags=st.lists(NASTY, max_size=2).map(tuple),
    leaderboard=st.none() | st.tuples(NASTY, VALUE, NASTY | st.sampled_from(["asc", "desc"])),
)


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (key, *strings(item))]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(VERDICT, max_size=4), NASTY | HUGE, NUMBER, st.booleans())
@example([replace(GOOD, points=1e308, max_points=1e308)] * 20, "", math.inf, False)
def test_whatever_the_report_holds_the_file_is_sound(verdicts, text, seconds, staff_notes):
    report = report_of(
        *verdicts,
        submission=SubmissionInfo(text, text, (text,), (text,), (text,), (text,), (text,)),
        environment=EnvironmentInfo(text, text, text, text, text, {text: text}),
        times=Times(text, seconds),
    )
    file = dumps(results(report, staff_notes=staff_notes))
    file.encode()
    content = json.loads(file, parse_constant=pytest.fail)
    VALIDATOR.validate(content)
    tests = content["tests"]
    assert len(tests) == len(verdicts) + staff_notes
    for test in tests:
        assert 0 <= test["score"] <= test["max_score"] < math.inf
    assert content["score"] == pytest.approx(math.fsum(test["score"] for test in tests), abs=1e-5)
    numbers = [test["number"] for test in tests]
    assert len(set(numbers)) == len(numbers)
    for shown in strings(content):
        assert len(shown.encode()) <= MAX_LENGTH
        assert not any(character in shown for character in "\0\x1b\r\u202e")
    assert results(replace(report, verdicts=tuple(verdicts[::-1]))) == results(report) or has_twins(verdicts)


def has_twins(verdicts: list[Verdict]) -> bool:
    """Whether two verdicts have the same name and number, so that only the report's order can tell them apart."""
    keys = [(natural_key(verdict.number[:40]), verdict.check) for verdict in verdicts]
    return len({name for _, name in keys}) < len(keys)
