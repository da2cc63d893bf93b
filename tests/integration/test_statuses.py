"""Whatever a submission or a check does, every check ends with one explicit status and costs no other check a point."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.contract.verdict import Status

SUBMISSION = """\
import ctypes
import os
import torch


def answer():
    return 42


def raises():
    return {}["no such key"]


def stub():
    raise NotImplementedError("stub: return something")


def spins():
    while True:
        pass


def hoards():
    return torch.zeros(10**13)


def leaves():
    os._exit(0)


def crashes():
    ctypes.string_at(0)


def babbles():
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b"\\xff" * 1000)
        except OSError:
            pass


def interrupts():
    raise KeyboardInterrupt


def exits():
    raise SystemExit(0)


def recurses():
    return recurses()


def prints():
    print("\\x1b[2J\\0\\ud800\\u202e" + "long" * 100_000)


def cheats():
    return torch.linalg.norm(torch.ones(4))


def holds():
    return object
"""

# Name of a check -> its decorators and body, how it must end, and the points that it earns of 4.
CHECKS = {
    "passes": ("def {}(student, expect):\n    expect(student.work.answer()).equals(42)", Status.PASSED, 4),
    "fails": ("def {}(student, expect):\n    expect(student.work.answer()).equals(43)", Status.FAILED, 0),
    "raises": ("def {}(student):\n    student.work.raises()", Status.STUDENT_ERROR, 0),
    "stub": ("def {}(student):\n    student.work.stub()", Status.MISSING, 0),
    "no_function": ("def {}(student):\n    student.work.anwser()", Status.MISSING, 0),
    "no_module": ("def {}(student):\n    student.absent.answer()", Status.MISSING, 0),
    "syntax_error": ("def {}(student):\n    student.broken.answer()", Status.MISSING, 0),
    "spins": (
        "@pytest.mark.time_limit(cpu_seconds=0.2)\ndef {}(student):\n    student.work.spins()", Status.TIMEOUT, 0
    ),
    "hoards": ("def {}(student):\n    student.work.hoards()", Status.OUT_OF_MEMORY, 0),
    "leaves": ("def {}(student):\n    student.work.leaves()", Status.CRASHED, 0),
    "crashes": ("def {}(student):\n    student.work.crashes()", Status.CRASHED, 0),
    "babbles": ("def {}(student):\n    student.work.babbles()", Status.BAD_ANSWER, 0),
    "interrupts": ("def {}(student):\n    student.work.interrupts()", Status.STUDENT_ERROR, 0),
    "exits": ("def {}(student):\n    student.work.exits()", Status.STUDENT_ERROR, 0),
    "recurses": ("def {}(student):\n    student.work.recurses()", Status.STUDENT_ERROR, 0),
    "prints": ("def {}(student):\n    student.work.prints()\n    assert False", Status.FAILED, 0),
    "cheats": ("def {}(student):\n    student.work.cheats()", Status.RULE_BROKEN, 0),
    "assertion": ("def {}(student):\n    assert student.work.answer() == 43", Status.FAILED, 0),
    "pytest_fail": ("def {}(student):\n    pytest.fail('no')", Status.FAILED, 0),
    "odd_text": ("def {}():\n    raise CheckFailed(Explanation('a\\ud800\\0b', got='\\x1b[1m'))", Status.FAILED, 0),
    "bug": ("def {}(student):\n    student.work.answer().no_such_attribute", Status.GRADER_ERROR, 0),
    "unsendable": ("def {}(student):\n    student.work.answer({{1, 2}}, object())", Status.GRADER_ERROR, 0),
    "system_exit": ("def {}(student):\n    raise SystemExit(0)", Status.GRADER_ERROR, 0),
    "pytest_exit": ("def {}(student):\n    pytest.exit('all of it')", Status.GRADER_ERROR, 0),
    "exit_in_fixture": ("def {}(leaving):\n    pass", Status.GRADER_ERROR, 0),
    "fixture_error": ("def {}(spoilt, student):\n    pass", Status.GRADER_ERROR, 0),
    "fixture_assertion": ("def {}(doubtful, student):\n    pass", Status.GRADER_ERROR, 0),
    "fixture_of_student": ("def {}(asked):\n    pass", Status.STUDENT_ERROR, 0),
    "no_fixture": ("def {}(no_such_fixture):\n    pass", Status.GRADER_ERROR, 0),
    "teardown_error": ("def {}(leaky, student):\n    student.work.answer()", Status.GRADER_ERROR, 0),
    "skips": ("def {}(student):\n    pytest.skip('not today')", Status.NOT_RUN, 0),
    "skip_mark": ("@pytest.mark.skip(reason='not today')\ndef {}(student):\n    pass", Status.NOT_RUN, 0),
    "skipif_mark": ("@pytest.mark.skipif(True, reason='not here')\ndef {}(student):\n    pass", Status.NOT_RUN, 0),
    "xfail_fails": ("@pytest.mark.xfail\ndef {}(student):\n    student.work.raises()", Status.STUDENT_ERROR, 0),
    "xfail_passes": ("@pytest.mark.xfail\ndef {}(student):\n    pass", Status.PASSED, 4),
    "xfail_strict": ("@pytest.mark.xfail(strict=True)\ndef {}(student):\n    pass", Status.PASSED, 4),
    "xfail_not_run": ("@pytest.mark.xfail(run=False)\ndef {}(student):\n    pass", Status.NOT_RUN, 0),
    "xfail_call": ("def {}(student):\n    pytest.xfail('some day')", Status.NOT_RUN, 0),
    "part": ("@partial_credit(4)\ndef {}(student, set_score=None):\n    set_score(1.5)", Status.PARTIAL, 1.5),
    "part_unset": ("@partial_credit(4)\ndef {}(student, set_score=None):\n    pass", Status.PASSED, 4),
    "part_none": ("@partial_credit(4)\ndef {}(student, set_score=None):\n    set_score(0)", Status.FAILED, 0),
    "part_huge": ("@partial_credit(4)\ndef {}(student, set_score=None):\n    set_score(1e9)", Status.PASSED, 4),
    "part_below": ("@partial_credit(4)\ndef {}(student, set_score=None):\n    set_score(-1)", Status.FAILED, 0),
    "part_nan": (
        "@partial_credit(4)\ndef {}(student, set_score=None):\n    set_score(float('nan'))", Status.GRADER_ERROR, 0
    ),
    "part_infinite": (
        "@partial_credit(4)\ndef {}(student, set_score=None):\n    set_score(float('inf'))", Status.GRADER_ERROR, 0
    ),
    "part_text": ("@partial_credit(4)\ndef {}(student, set_score=None):\n    set_score('4')", Status.GRADER_ERROR, 0),
    "part_tensor": (
        "@partial_credit(4)\ndef {}(student, set_score=None):\n    set_score(torch.ones(2))", Status.GRADER_ERROR, 0
    ),
    "board": (
        "@leaderboard('speed')\ndef {}(student, set_leaderboard_value=None):\n    set_leaderboard_value(7)",
        Status.PASSED, 4,
    ),
    "board_nan": (
        "@leaderboard('luck')\ndef {}(student, set_leaderboard_value=None):\n    set_leaderboard_value(float('nan'))",
        Status.PASSED, 4,
    ),
    "board_text": (
        "@leaderboard('name')\ndef {}(student, set_leaderboard_value=None):\n    set_leaderboard_value('first')",
        Status.PASSED, 4,
    ),
    "held": ("def {}(student):\n    assert 'object' in repr(student.work.holds())", Status.PASSED, 4),
    "last": ("def {}(student, expect):\n    expect(student.work.answer()).equals(42)", Status.PASSED, 4),
}  # fmt: skip

FIXTURES = """
@pytest.fixture
def spoilt():
    raise LookupError("the fixture's own bug")


@pytest.fixture
def doubtful():
    assert 1 == 2


@pytest.fixture
def leaving():
    pytest.exit("all of it")


@pytest.fixture
def asked(student):
    return student.work.raises()


@pytest.fixture
def leaky():
    yield
    raise OSError("cannot clean up")
"""


def numbered(checks: dict[str, str], points: int = 4) -> str:
    """The text of a file in which each check answers a question of its own."""
    return "\n\n".join(
        f'@number("{place}.1")\n@weight({points})\n'
        + body.format(f"test_{name}").replace("):\n", f'):\n    """{name}."""\n', 1)
        for place, (name, body) in enumerate(checks.items(), start=1)
    )


@pytest.fixture(scope="module")
def submission(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("submission")
    (folder / "work.py").write_text(SUBMISSION)
    (folder / "broken.py").write_text("def answer(:\n    return 42\n")
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory, make_course, grade, submission):
    bodies = {name: body for name, (body, _, _) in CHECKS.items()}
    place = {name: str(place) for place, name in enumerate(CHECKS, start=1)}
    course = make_course(
        tmp_path_factory.mktemp("course"),
        {"test_odd.py": FIXTURES + "\n\n" + numbered(bodies)},
        dict.fromkeys(place.values(), 4),
        functions={place["cheats"]: "work.cheats", place["no_module"]: "absent.answer"},
        modules=("work", "absent", "broken"),
        extra='[rules]\nforbidden = ["torch.linalg"]',
    )
    return grade(course, "odd", tmp_path_factory.mktemp("out"), ann=submission)["ann"]


@pytest.fixture(scope="module")
def verdicts(finished, held_to_schemas):
    return {verdict.title.rstrip("."): verdict for verdict in held_to_schemas(finished).values()}


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_ends_as_it_must(verdicts, name):
    _, status, points = CHECKS[name]
    assert (verdicts[name].status, verdicts[name].points) == (status, points), verdicts[name].explanation
    assert verdicts[name].max_points == 4
    assert status is Status.PASSED or verdicts[name].explanation.message


def test_every_check_of_the_ledger_has_a_verdict(finished, verdicts):
    assert verdicts.keys() == CHECKS.keys()
    assert finished.report.max_score == 4 * len(CHECKS)
    assert finished.grader_failed


def test_our_own_errors_are_told_to_staff_and_not_to_students(verdicts):
    for name, word in (
        ("bug", "no_such_attribute"),
        ("fixture_error", "LookupError"),
        ("teardown_error", "cannot clean up"),
        ("pytest_exit", "all of it"),
        ("exit_in_fixture", "all of it"),
        ("part_nan", "nan"),
        ("unsendable", "object"),
    ):
        told = verdicts[name].explanation
        assert word in told.evidence
        assert word not in told.message


def test_reasons_reach_the_student(verdicts):
    for name, words in (
        ("stub", "return something"),
        ("no_function", "answer"),
        ("no_module", "absent.py"),
        ("syntax_error", "broken.py"),
        ("raises", "no such key"),
        ("skips", "not today"),
        ("skip_mark", "not today"),
        ("xfail_call", "some day"),
        ("cheats", "torch.linalg"),
    ):
        assert words in verdicts[name].explanation.message


def test_what_was_printed_is_fit_to_be_shown(verdicts):
    shown = verdicts["prints"].output
    assert "long" in shown
    assert not set(shown) & set("\x1b\0\ud800\u202e")
    assert len(shown) <= 20_000


def test_only_finite_numbers_reach_the_leaderboard(verdicts):
    assert verdicts["board"].leaderboard == ("speed", 7.0, "desc")
    assert verdicts["board_nan"].leaderboard is None
    assert verdicts["board_text"].leaderboard is None


# ------------------------------------------------------------------------------------ what ends or spoils a whole judge

ENDS = {
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "terminated": "os.kill(os.getpid(), signal.SIGTERM)",
    "left": "os._exit(0)",
    "interrupted": "raise KeyboardInterrupt",
}


@pytest.mark.parametrize("end", ENDS)
def test_a_check_that_ends_its_judge_is_our_error(tmp_path, make_course, grade, submission, held_to_schemas, end):
    bodies = {"before": "def {}(student):\n    student.work.answer()", end: f"def {{}}(student):\n    {ENDS[end]}"}
    bodies["after"] = bodies["before"]
    course = make_course(tmp_path / "course", {"test_odd.py": numbered(bodies)}, {"1": 4, "2": 4, "3": 4})
    finished = grade(course, "odd", tmp_path / "out", ann=submission, bob=submission)
    for each in finished.values():
        ended = held_to_schemas(each)
        assert [ended[f"{k}.1"].status.value for k in (1, 2, 3)] == ["passed", "grader_error", "grader_error"]
        assert ended["1.1"].points == 4
        assert each.grader_failed


def test_a_file_of_checks_that_cannot_be_collected_costs_no_point_silently(
    tmp_path, make_course, grade, submission, held_to_schemas
):
    good = numbered({"one": "def {}(student):\n    student.work.answer()"})
    bad = "import no_such_module\n" + numbered({"x": "def {}(): pass"})
    course = make_course(tmp_path / "course", {"test_a.py": good, "test_b.py": bad}, {"1": 6, "2": 3})
    finished = grade(course, "odd", tmp_path / "out", ann=submission)["ann"]
    ended = held_to_schemas(finished)
    assert ended["1.1"].status is Status.PASSED
    # Two of question 1's points and all of question 2's were in the file that is lost.
    lost = [verdict for verdict in ended.values() if verdict.status is Status.GRADER_ERROR]
    assert sorted(verdict.max_points for verdict in lost) == [2, 3]
    assert all("no_such_module" in verdict.explanation.evidence for verdict in lost)
    assert finished.report.max_score == 9
    assert finished.grader_failed


def test_only_files_that_cannot_be_collected(tmp_path, make_course, grade, submission, held_to_schemas):
    course = make_course(tmp_path / "course", {"test_a.py": "1 / 0"}, {"1": 6, "2": 3})
    finished = grade(course, "odd", tmp_path / "out", ann=submission)["ann"]
    assert [verdict.status for verdict in held_to_schemas(finished).values()] == [Status.GRADER_ERROR] * 2
    assert finished.report.max_score == 9
