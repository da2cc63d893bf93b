"""The journal of a class: torn lines, changed uploads, damaged reports, two runs at once."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from grader.contract.report import AssignmentInfo, EnvironmentInfo, Report, SubmissionInfo, Times, to_json
from grader.contract.verdict import Status, Verdict
from grader.grading.journal import JOURNAL, Journal, JournalError, key_of, line_of, opened

PASSED = Verdict("t.py::one", "1.1", "Adds.", Status.PASSED, 2.0, 2.0)
REPORT = Report(
    1,
    "0.1.0",
    SubmissionInfo("ann", "ab12"),
    AssignmentInfo("toy", "A toy", "cd34"),
    EnvironmentInfo("3.11.2", "2.6", "cpu", "", "s"),
    (PASSED,),
    Times("2026-01-31T12:00:00+00:00", 1.0),
)


@pytest.fixture
def journal(tmp_path):
    """A journal with the submission ``ann``, whose report lies beside it."""
    (tmp_path / "ann.json").write_text(to_json(REPORT))
    journal = Journal(tmp_path)
    journal.add(line_of("ann", "key", REPORT))
    return journal


def test_what_was_graded_is_found_by_a_later_run(journal, tmp_path):
    again = Journal(tmp_path)
    assert again.report("ann", "key", tmp_path / "ann.json") == REPORT
    assert again.report("ann", "another key", tmp_path / "ann.json") is None
    assert again.report("bob", "key", tmp_path / "ann.json") is None


def test_a_report_that_is_gone_damaged_or_another_is_no_report(journal, tmp_path):
    file = tmp_path / "ann.json"
    for text in ("", '{"schema_version": 1}', to_json(replace(REPORT, verdicts=(replace(PASSED, points=0.0),)))):
        file.write_text(text)
        assert journal.report("ann", "key", file) is None
    file.unlink()
    assert journal.report("ann", "key", file) is None


def test_what_the_grader_failed_on_is_graded_again(journal, tmp_path):
    failed = replace(REPORT, verdicts=(replace(PASSED, status=Status.GRADER_ERROR, points=0.0),))
    (tmp_path / "ann.json").write_text(to_json(failed))
    journal.add(line_of("ann", "key", failed))
    assert Journal(tmp_path).report("ann", "key", tmp_path / "ann.json") is None


@pytest.mark.parametrize("torn", ['{"name": "bob", "key": "k', "\0\0\0\0", '{"name": "bob"}', "[]", "3", "\xff"])
def test_a_line_that_was_not_written_to_its_end_is_left_out(journal, tmp_path, torn):
    whole = (tmp_path / JOURNAL).read_bytes()
    (tmp_path / JOURNAL).write_bytes(whole + torn.encode("latin-1"))
    again = Journal(tmp_path)
    assert list(again.lines) == ["ann"]
    again.add(line_of("cay", "key", REPORT))
    assert set(Journal(tmp_path).lines) == {"ann", "cay"}
    again.put_in_order(["cay", "ann"])
    assert list(Journal(tmp_path).lines) == ["cay", "ann"]


def test_a_journal_in_order_says_the_same_however_it_came_about(tmp_path):
    texts = []
    for order in (["a", "b", "c"], ["c", "a", "a", "b"]):
        folder = tmp_path / "".join(order)
        folder.mkdir()
        journal = Journal(folder)
        for place, name in enumerate(order):
            journal.add(line_of(name, "key", replace(REPORT, times=replace(REPORT.times, seconds=float(place)))))
        journal.put_in_order(["a", "b", "c"])
        texts.append((folder / JOURNAL).read_text())
    assert texts[0] == texts[1]


def test_the_key_of_an_upload_is_that_of_its_names_and_bytes(tmp_path):
    upload = tmp_path / "up"
    upload.mkdir()
    (upload / "a.py").write_text("x = 1\n")
    keys = [key_of(upload, "c"), key_of(upload, "another")]
    (upload / "a.py").write_text("x = 2\n")
    keys.append(key_of(upload, "c"))
    (upload / "a.py").rename(upload / "b.py")
    keys.append(key_of(upload, "c"))
    (upload / "c.py").symlink_to("/dev/zero")
    os.mkfifo(upload / "d.py")
    keys.append(key_of(upload, "c"))
    keys.append(key_of(upload / "b.py", "c"))
    assert len(set(keys)) == len(keys)
    assert key_of(upload, "c") == keys[4]


def test_two_runs_cannot_use_one_folder(tmp_path):
    with opened(tmp_path), pytest.raises(JournalError, match="Another run is writing"), opened(tmp_path):
        pass
    with opened(tmp_path):
        pass
