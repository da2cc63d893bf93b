"""A submission that hangs everywhere cannot hold up a class, and costs right functions nothing."""

from __future__ import annotations

import shutil
import time

from grader.contract.verdict import Status

STUCK = "\n\ndef {name}(*args):\n    import time\n\n    time.sleep(1000)\n"


def test_time_lost_in_checks_that_do_not_pass_is_limited(grade, toy, tmp_path, held_to_schemas):
    course = tmp_path / "course"
    shutil.copytree(toy, course)
    limits = course / "assignments" / "warmup" / "assignment.toml"
    text = limits.read_text().replace("cpu_seconds = 0.5", "cpu_seconds = 0.5\nwall_seconds = 2.0\nlost_seconds = 1.0")
    limits.write_text(text)
    shutil.copytree(toy / "reference" / "warmup", tmp_path / "stuck")
    vectors = tmp_path / "stuck" / "vectors.py"
    vectors.write_text(vectors.read_text() + STUCK.format(name="dot") + STUCK.format(name="norms"))
    before = time.monotonic()
    finished = grade(course, "warmup", tmp_path / "out", stuck=tmp_path / "stuck")["stuck"]
    assert time.monotonic() - before < 20
    verdicts = held_to_schemas(finished)
    assert {verdicts[number].status for number in ("1.1", "1.2", "2.1", "2.2")} == {Status.TIMEOUT}
    unmade = [number for number, verdict in verdicts.items() if "was not made" in str(verdict.explanation)]
    # The first check of a question is always made, and those of a question that hung are not made once time is up.
    assert {"1.2", "2.2"} <= set(unmade) and not {"1.1", "2.1"} & set(unmade)
    assert "more than 1 seconds on checks that it did not pass" in verdicts["2.2"].explanation.message
    assert [verdicts[number].status for number in ("3.1", "4.1", "4.2", "4.3")] == [Status.PASSED] * 4
    assert not finished.grader_failed
