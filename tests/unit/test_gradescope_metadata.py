"""Gradescope's metadata: what is there is read, what is odd counts as absent and is told, nothing raises."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.gradescope.metadata import MOST_BYTES, Metadata, date_of, parse, read

WHOLE = {
    "id": 123456,
    "created_at": "2026-02-03T10:00:00.123456-05:00",
    "assignment": {
        "due_date": "2026-02-05T23:59:00.000000-05:00",
        "late_due_date": None,
        "release_date": "2026-01-20T09:00:00Z",
        "title": "A2",
        "total_points": "20.5",
        "group_size": None,
    },
    "submission_method": "upload",
    "users": [
        {"email": "ann@example.edu", "id": 7, "name": "Ann", "sid": None},
        {"name": "Bob", "assignment": {"due_date": "2026-02-09T23:59:00-05:00", "late_due_date": None}},
    ],
    "previous_submissions": [
        {
            "submission_time": "2026-02-02T10:00:00-05:00",
            "score": 3,
            "autograder_error": False,
            "results": {"score": 3},
        },
        {"submission_time": "2026-02-01T10:00:00-05:00", "score": "2.5", "autograder_error": True},
    ],
}


def of(content: object) -> Metadata:
    return parse(json.dumps(content).encode())


def test_everything_is_read():
    found = of(WHOLE)
    assert found.id == "123456"
    assert found.created_at == datetime(2026, 2, 3, 15, 0, 0, 123456, timezone.utc)
    assert found.created_at.utcoffset() == timedelta(hours=-5)
    assert (found.title, found.method, found.total_points) == ("A2", "upload", 20.5)
    assert found.dates.release == datetime(2026, 1, 20, 9, tzinfo=timezone.utc)
    assert found.dates.late_due is None
    assert [user.name for user in found.users] == ["Ann", "Bob"]
    assert (found.users[0].id, found.users[0].email) == ("7", "ann@example.edu")
    assert found.problems == ()
    assert len(found.digest) == 64


def test_previous_submissions_are_in_the_order_of_time():
    found = of(WHOLE).previous
    assert [each.score for each in found] == [2.5, 3.0]
    assert [each.autograder_error for each in found] == [True, False]
    assert of(WHOLE).latest_results == {"score": 3}
    assert found[0].results is None


def test_a_groups_due_date_is_the_latest_of_its_members():
    assert of(WHOLE).due == datetime(2026, 2, 10, 4, 59, tzinfo=timezone.utc)
    one = {**WHOLE, "users": WHOLE["users"][:1]}
    assert of(one).due == of(WHOLE).dates.due == datetime(2026, 2, 6, 4, 59, tzinfo=timezone.utc)
    earlier = {"users": [{"assignment": {"due_date": "2026-02-01T00:00:00Z"}}], "assignment": WHOLE["assignment"]}
    assert of(earlier).due == datetime(2026, 2, 1, tzinfo=timezone.utc)
    assert of({**WHOLE, "users": []}).due == of(WHOLE).dates.due


@pytest.mark.parametrize("key", list(WHOLE))
def test_any_key_may_be_missing(key):
    found = of({name: value for name, value in WHOLE.items() if name != key})
    whole = of(WHOLE)
    field = {"assignment": "title", "submission_method": "method", "previous_submissions": "previous"}.get(key, key)
    assert not getattr(found, field)
    assert found.created_at == (None if key == "created_at" else whole.created_at)
    assert any(key in problem for problem in found.problems) or key in ("id", "submission_method")


@pytest.mark.parametrize(
    "content", [{}, [], None, 3, "text", {"users": 3, "assignment": [], "previous_submissions": {}}]
)
def test_what_is_no_metadata_is_empty_and_told(content):
    found = of(content)
    assert (found.users, found.previous, found.due, found.created_at) == ((), (), None, None)
    assert found.problems


def test_odd_values_count_as_absent():
    odd = {
        "created_at": "yesterday",
        "assignment": {"due_date": 5, "total_points": "many"},
        "users": [None, {"name": ["x"], "id": True}],
        "previous_submissions": ["x", {"submission_time": None, "score": True, "autograder_error": 1, "results": []}],
    }
    found = of(odd)
    assert (found.created_at, found.due, found.total_points) == (None, None, None)
    assert [user.name for user in found.users] == ["", ""]
    assert [(each.submitted, each.score, each.autograder_error, each.results) for each in found.previous] == [
        (None, None, False, None)
    ] * 2
    assert any("'yesterday'" in problem for problem in found.problems)
    assert any("users[0]" in problem for problem in found.problems)


def test_numbers_that_are_not_finite_are_absent():
    found = parse(
        b'{"assignment": {"total_points": "nan"}, "previous_submissions": [{"score": Infinity}, {"score": 1e999}]}'
    )
    assert found.total_points is None
    assert [each.score for each in found.previous] == [None, None]


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_told(data):
    assert parse(data).problems[0].startswith("The metadata are no JSON")


def test_problems_are_few_enough_to_read():
    assert len(of({"previous_submissions": [0] * 1000}).problems) == 50


def test_the_file_may_be_absent_or_too_large(tmp_path: Path):
    file = tmp_path / "submission_metadata.json"
    assert "is not there" in read(file).problems[0]
    file.write_bytes(json.dumps(WHOLE).encode())
    assert read(file) == of(WHOLE)
    with file.open("wb") as stream:
        stream.truncate(MOST_BYTES + 1)
    assert "larger than" in read(file).problems[0]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-02-03T10:00:00Z", datetime(2026, 2, 3, 10, tzinfo=timezone.utc)),
        ("2026-02-03T10:00:00", datetime(2026, 2, 3, 10, tzinfo=timezone.utc)),
        (" 2026-02-03T10:00:00.5+00:00 ", datetime(2026, 2, 3, 10, 0, 0, 500000, timezone.utc)),
        ("2026-02-03T10:00:00.123456789-01:00", datetime(2026, 2, 3, 11, 0, 0, 123456, timezone.utc)),
        ("0001-01-01T00:00:00+05:00", None),
        ("9999-12-31T23:59:59-05:00", None),
        ("2026-13-03", None),
        (" " * 200, None),
        (1770000000, None),
        (None, None),
    ],
)
def test_dates(text, moment):
    assert date_of(text) == moment


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8) | st.just("2026-02-03T10:00:00Z"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*WHOLE, "due_date", "submission_time", "score", "results", "total_points"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(JSON)
def test_nothing_raises(content):
    found = of(content)
    assert found.due is None or found.due.tzinfo is not None
    assert found.latest_results is None or isinstance(found.latest_results, dict)
