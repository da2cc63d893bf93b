"""The report, its JSON and its schema; and the two helpers that every face uses: texts and files."""

from __future__ import annotations

import json
import math
import os
import stat
import time
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from grader.contract.picture import Picture
from grader.contract.report import (
    AssignmentInfo,
    EnvironmentInfo,
    Report,
    ReportError,
    SubmissionInfo,
    Times,
    comparable,
    from_json,
    json_schema,
    json_schema_text,
    to_json,
    write_atomically,
)
from grader.contract.text import natural_key, one_line, printable
from grader.contract.verdict import Explanation, Status, Verdict
from grader.contract.wording import Telling, student_pictures, student_text

SCHEMA_FILE = Path(__file__).parents[2] / "docs" / "report.schema.json"

EXPLANATION = Explanation("dW is wrong.", "1.0", "2.0", "at (0, 1)", "Divide by N.", "seed 7, line 3")
PASSED = Verdict("t.py::one", "1.1", "Adds.", Status.PASSED, 2.0, 2.0)
PARTIAL = Verdict(
    "t.py::two", "1.2", "Ä → ü", Status.PARTIAL, 0.1, 0.3, "It overflows.", "hidden", EXPLANATION,
    ("note",), ("flag",), "printed", "", ("tag",), ("accuracy", 0.5, "desc"),
)  # fmt: skip
REPORT = Report(
    schema_version=1,
    grader_version="0.1.0",
    submission=SubmissionInfo("ann", "ab12", ("toy.py",), ("notes.txt: no code",), ("Toy.py -> toy.py",), ("x.py",)),
    assignment=AssignmentInfo("toy", "A toy", "cd34"),
    environment=EnvironmentInfo("3.11.2", "2.6", "cpu", "none", "7", {"namespaces": "off", "limits": "on"}),
    verdicts=(PASSED, PARTIAL),
    times=Times("2026-01-31T12:00:00+00:00", 1.5, {"t.py::two": 0.5, "t.py::one": 1.0}),
)


def with_verdicts(*verdicts: Verdict) -> Report:
    return replace(REPORT, verdicts=verdicts)


def test_a_report_survives_the_way_through_json():
    text = to_json(REPORT)
    assert from_json(text) == REPORT
    assert to_json(from_json(text)) == text
    assert text.endswith("}\n") and "Ä → ü" in text
    assert list(json.loads(text))[-1] == "times"


def test_the_same_report_gives_the_same_bytes():
    turned = replace(
        REPORT,
        environment=replace(REPORT.environment, confinement={"limits": "on", "namespaces": "off"}),
        verdicts=(replace(PASSED, points=2, max_points=2), PARTIAL),
    )
    assert to_json(turned) == to_json(REPORT)


def test_comparable_leaves_out_the_times_and_nothing_else():
    later = replace(REPORT, times=Times("2027-01-01T00:00:00Z", 9.0))
    assert comparable(later) == comparable(REPORT)
    assert comparable(replace(REPORT, grader_version="0.2.0")) != comparable(REPORT)


def test_scores_are_sums_without_rounding_dust():
    report = with_verdicts(*(replace(PASSED, check=str(place), points=0.1, max_points=0.7) for place in range(10)))
    assert (report.score, report.max_score) == (1.0, 7.0)


@pytest.mark.parametrize("status", Status)
def test_complete_unless_the_grader_failed_or_did_not_run(status):
    report = with_verdicts(PASSED, replace(PARTIAL, status=status))
    assert report.complete == (status not in (Status.GRADER_ERROR, Status.NOT_RUN))
    assert report.counts[status] == (2 if status is Status.PASSED else 1)
    assert list(report.counts) == list(Status)


def test_committed_schema_is_the_generated_one():
    assert SCHEMA_FILE.read_text(encoding="utf-8") == json_schema_text()


def test_schema_accepts_what_is_written_and_refuses_what_the_reader_refuses():
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(json.loads(to_json(REPORT)))
    for _, text in bad_texts():
        assert not validator.is_valid(json.loads(text))


def bad_texts() -> list[tuple[str, str]]:
    """What a message must name, and a text with that mistake."""
    text = to_json(REPORT)
    changes = [
        ("verdicts.0.egde", '"edge": ""', '"egde": ""'),
        ("verdicts.0.status", '"status": "passed"', '"status": "great"'),
        ("verdicts.0.points", '"points": 2.0', '"points": "2"'),
        ("t.py::one gives -2.0", '"points": 2.0', '"points": -2.0'),
        ("schema_version 2", '"schema_version": 1', '"schema_version": 2'),
        ("submission.name", '"name": "ann"', '"name": null'),
        ("environment.seed", '"seed": "7"', '"seed": 7'),
        ("author", '"grader_version"', '"author": "x",\n "grader_version"'),
        ("seconds", '"seconds": 1.5', '"seconds": -1.5'),
        ("explanation.message", '"message": "dW is wrong.",', ""),
    ]
    assert all(old in text for _, old, _ in changes)
    return [(named, text.replace(old, new, 1)) for named, old, new in changes]


@pytest.mark.parametrize(("named", "text"), bad_texts())
def test_a_text_that_is_no_report_is_refused_by_name(named, text):
    with pytest.raises(ReportError) as caught:
        from_json(text)
    assert named in str(caught.value)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999"])
def test_numbers_that_json_cannot_express_are_refused(value):
    for old in ('"points": 2.0', '"seconds": 1.5', '"t.py::one": 1.0'):
        with pytest.raises(ReportError):
            from_json(to_json(REPORT).replace(old, old.split(": ")[0] + f": {value}"))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"schema_version": 1}', "\ufeff{}"])
def test_other_texts_are_refused(text):
    with pytest.raises(ReportError, match=r"no report of the grader, version 1: at .* Grade the submission again"):
        from_json(text)


@pytest.mark.parametrize(
    "report",
    [
        with_verdicts(replace(PASSED, points=2.5)),
        with_verdicts(replace(PASSED, points=math.nan)),
        with_verdicts(replace(PASSED, points=math.inf, max_points=math.inf)),
        with_verdicts(PASSED, PASSED),
        with_verdicts(replace(PASSED, leaderboard=("a", math.nan, "asc"))),
        replace(REPORT, times=Times("2026-01-31T12:00:00+00:00", math.nan)),
        replace(REPORT, times=Times("2026-01-31T12:00:00", 1.0)),
        replace(REPORT, times=Times("2026-01-31T12:00:00+02:00", 1.0)),
        replace(REPORT, times=Times("yesterday", 1.0)),
        replace(REPORT, schema_version=0),
    ],
)
def test_a_report_that_breaks_a_rule_is_not_written(report):
    with pytest.raises(ReportError, match=r"expected|must be|exactly one|this grader reads"):
        to_json(report)


def test_sums_of_decimal_fractions_may_reach_the_maximum():
    report = with_verdicts(replace(PASSED, points=0.1 + 0.2, max_points=0.3))
    assert from_json(to_json(report)) == report


def test_lone_surrogates_become_readable_bytes():
    report = replace(REPORT, submission=replace(REPORT.submission, ignored=("caf\udce9.txt",)))
    text = to_json(report)
    text.encode()
    assert from_json(text).submission.ignored == ("caf\ufffd.txt",)


# --- files


def test_a_file_is_replaced_whole_and_alone(tmp_path):
    path = tmp_path / "report.json"
    for text in ("old\n", "neü\n"):
        write_atomically(path, text)
        assert path.read_bytes() == text.encode()
    assert list(tmp_path.iterdir()) == [path]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    write_atomically(path, "old\n")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "half \udc80")

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, "new\n")
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path):
    target, path = tmp_path / "target", tmp_path / "report.json"
    target.write_text("untouched")
    path.symlink_to(target)
    write_atomically(path, "new\n")
    assert target.read_text() == "untouched" and path.read_text() == "new\n"


# --- texts

CLEANED = {
    "plain\ttext\nä 日本 🎉": "plain\ttext\nä 日本 🎉",
    "\x1b[1;31mred\x1b[0m": "red",
    "\x9b31mred": "red",
    "a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c": "abc",
    "a\x1b]never ends\nnext": "anever ends\nnext",
    "a\x1bPdata\x1b\\b\x1b(Bc\x1bMd": "abcd",
    "half \x1b": "half ",
    "half \x1b[12": "half ",
    "a\r\nb\rc\x0bd\x0ce\x85f\u2028g": "a\nb\nc\nd\ne\nf\ng",
    "bell\x07 back\x08 delete\x7f c1\x80": "bell back delete c1",
    "a\x00b": "a\ufffdb",
    "a\ud800b\udfff": "a\ufffdb\ufffd",
    "pass\u202edeliaf\u202c \u2066x\u2069": "passdeliaf x",
    "zero\u200bwidth\u200d\ufeff\u2060": "zerowidth",
    "\x1b\x1b[[31m": "31m",
}


@pytest.mark.parametrize("text", CLEANED)
def test_printable_takes_out_what_disturbs(text):
    assert printable(text, 1000) == CLEANED[text]


def test_printable_cuts_the_middle_at_line_ends():
    lines = [f"line {place}" for place in range(1000)]
    shown = printable("\n".join(lines), 300)
    assert len(shown) <= 300
    head, said, tail = shown.partition("\n[")
    said, _, tail = tail.partition("]\n")
    assert head.split("\n") == lines[: head.count("\n") + 1]
    assert tail.split("\n") == lines[-tail.count("\n") - 1 :]
    left_out = len("\n".join(lines)) - len(head) - len(tail)
    assert said.startswith(f"{left_out:,} characters, ") and said.endswith("are left out here.")


@pytest.mark.parametrize("piece", ["\x9d", "\x1b]", "\x1b[", "\x1b", "\x9b1;", "\x1b[ ", "\0", "\u200b"])
def test_no_text_is_costly_to_clean(piece):
    def cost(text: str) -> float:
        start = time.process_time()
        printable(text, 1000)
        return time.process_time() - start

    length = 80_000
    plain = min(cost("x" * length) for _ in range(5))
    assert min(cost(piece * (length // len(piece))) for _ in range(3)) < 50 * plain


def test_printable_cuts_one_endless_line_too():
    shown = printable("x" * 10_000, 200)
    assert 150 < len(shown) <= 200 and "characters, 0 line ends among them, are left out here" in shown


@given(st.text(st.characters(codec=None), max_size=300), st.integers(0, 250))
@example("\x1b" * 50 + "[[[[mmmm", 100)
@example("a\r\r\n" * 100, 120)
def test_printable_is_clean_short_and_stable(text, cap):
    shown = printable(text, cap)
    assert len(shown) <= cap
    shown.encode()
    assert not any((ord(c) < 32 and c not in "\n\t") or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u200b" for c in shown)
    assert printable(shown, cap) == shown


@pytest.mark.parametrize(
    ("text", "cap", "shown"),
    [
        (" a\n b\tc ", 9, "a b c"),
        ("abcdef", 4, "abc…"),
        ("abc", 3, "abc"),
        ("abc", 0, ""),
        ("\x1b[1mA\x00", 5, "A\ufffd"),
    ],
)
def test_one_line(text, cap, shown):
    assert one_line(text, cap) == shown


def test_natural_order():
    ordered = ["", "1", "1.2", "1.2a", "1.10", "2", "10.1", "9" * 5000, "A1", "A10"]
    turned = ordered[::-1]
    assert sorted(turned, key=natural_key) == ordered


# --- what a student reads


def test_a_student_reads_everything_but_what_is_for_staff():
    text = student_text(replace(PARTIAL, output="one\ntwo\n"))
    assert text.split("\n") == [
        "Partly right.",
        "dW is wrong.",
        "Expected: 1.0",
        "Got: 2.0",
        "Difference: at (0, 1)",
        "Hint: Divide by N.",
        "Why this matters: It overflows.",
        "Note: note",
        "The submission printed:",
        "one",
        "two",
    ]


def test_a_student_who_wants_less_is_told_less():
    printed = replace(PARTIAL, output="one\n", pictures=(Picture("loss", "from 2 to 1", "", 5),))
    assert student_text(printed, Telling.SHORT).split("\n") == [
        "Partly right.",
        "dW is wrong.",
        "Hint: Divide by N.",
        "Note: note",
        "The submission printed:",
        "one",
    ]
    assert student_text(printed, Telling.NONE) == "The submission printed:\none"
    assert [len(student_pictures(printed, telling)) for telling in Telling] == [0, 0, 1]


@pytest.mark.parametrize("status", [Status.GRADER_ERROR, Status.NOT_RUN])
def test_what_the_grader_is_to_blame_for_is_told_in_any_case(status):
    verdict = Verdict("c", "1", "t", status, 0.0, 1.0)
    assert student_text(verdict, Telling.NONE) == student_text(verdict) != ""


def test_fixed_text_stands_alone_unless_it_would_be_untrue():
    hidden = replace(PARTIAL, fixed_text="A hidden check failed.")
    for status in Status:
        text = student_text(replace(hidden, status=status))
        if status in (Status.PASSED, Status.GRADER_ERROR, Status.NOT_RUN):
            assert "hidden check" not in text and "dW" not in text and "\n" not in text
        else:
            assert text == "A hidden check failed."


@pytest.mark.parametrize("status", Status)
def test_every_status_has_words_of_its_own(status):
    text = student_text(Verdict("c", "1", "t", status, 0.0, 1.0))
    assert text.endswith(".")
    others = [student_text(Verdict("c", "1", "t", other, 0.0, 1.0)) for other in Status if other is not status]
    assert text not in others


def test_the_grader_s_own_failure_is_never_shown_in_detail():
    text = student_text(replace(PARTIAL, status=Status.GRADER_ERROR))
    assert "not the fault of the submission" in text and "dW" not in text and "seed" not in text


def test_long_values_stand_below_their_label():
    explanation = Explanation("Wrong.", expected="[1, 2]\n[3, 4]")
    assert "Expected:\n    [1, 2]\n    [3, 4]" in student_text(replace(PARTIAL, explanation=explanation))
