"""The command line: exit codes, names of what it writes, and sentences where it refuses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import psutil
import pytest
import torch

from grader import cli_class
from grader.contract.report import from_json
from grader.contract.verdict import Status

ANSWER = "def answer():\n    return 42\n"
HEAD = '@number("1.1")\n@weight(4)\ndef test_a(student):\n    """It answers."""\n    '
SOUND = HEAD + "assert student.work.answer() == 42\n"
BUG = HEAD + "student.work.answer().no_such_attribute\n"


def reports(out: Path) -> dict[str, dict]:
    """Name -> content of results.json, held to the schema; each has a report beside it."""
    schema = json.loads((Path(__file__).parents[1] / "schemas" / "gradescope_results.schema.json").read_text())
    found = {}
    for file in sorted(out.rglob("results.json")):
        content = json.loads(file.read_text())
        jsonschema.Draft202012Validator(schema).validate(content)
        assert from_json((file.parent / "report.json").read_text()).score == content["score"]
        found[file.parent.relative_to(out).as_posix()] = content
    return found


# -------------------------------------------------------------------------------------------------------------- grade


def test_grade_takes_classes_single_files_and_damaged_archives(grader, toy, tmp_path):
    reference, template = toy / "reference" / "series", toy / "student_template" / "series"
    for name, source in (("ann", reference), ("bob", template), ("cay-2", reference)):
        shutil.copytree(source, tmp_path / "class" / name)
    (tmp_path / "class" / "broken.zip").write_bytes(b"PK\3\4 this is no archive")
    shutil.make_archive(str(tmp_path / "class" / "packed"), "zip", reference)
    shutil.copytree(reference, tmp_path / "late" / "cay")
    shutil.copytree(template, tmp_path / "later" / "CAY")
    shutil.copy(reference / "sums.py", tmp_path / "sums.py")
    paths = [tmp_path / part for part in ("class", "late/cay", "later/CAY", "sums.py")]
    code, output, errors = grader("grade", *paths, "-a", "series", "-o", tmp_path / "out", "-j", 2)
    assert code == 0, errors
    found = reports(tmp_path / "out")
    assert {name: content["score"] for name, content in found.items()} == {
        "ann": 5, "bob": 0, "broken": 0, "packed": 5, "cay-2": 5, "cay": 5, "CAY-3": 0, "sums": 5
    }  # fmt: skip
    assert all(name in output for name in found)
    assert "broken.zip cannot be read" in found["broken"]["output"]
    verdicts = from_json((tmp_path / "out" / "broken" / "report.json").read_text()).verdicts
    assert {verdict.status for verdict in verdicts} == {Status.MISSING}


def test_grade_replaces_an_older_report(grader, toy, tmp_path):
    out = tmp_path / "out"
    for seed in ("one", "two"):
        assert grader("grade", toy / "reference" / "series", "-a", "series", "-o", out, "--seed", seed)[0] == 0
    assert from_json((out / "series" / "report.json").read_text()).environment.seed == "two"
    assert sorted(path.name for path in (out / "series").iterdir()) == [
        "report.html", "report.json", "results.json", "staff.html"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{toy}", "-a", "no-such"], "no assignment 'no-such'; it has: series, warmup"),
        (["{tmp}/absent", "-a", "series"], "absent does not exist; give a folder"),
        (["{toy}", "-a", "series", "-o", "{tmp}/file/out"], "{tmp}/file/out"),
        (["{toy}", "-a", "series", "-o", "{tmp}/file"], "{tmp}/file"),
        (["{toy}", "-a", "series", "--data", "{tmp}/absent"], "absent"),
        (["{toy}", "-a", "series", "--course", "{tmp}"], "holds no course"),
        (["{toy}"], "required: -a"),
        (["{toy}", "-a", "series", "--device", "tpu"], "invalid choice: 'tpu'"),
        pytest.param(
            ["{toy}", "-a", "series", "--device", "cuda"], "no CUDA device",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has one"),
        ),
    ],
)  # fmt: skip
def test_grade_refuses_what_it_cannot_use(grader, toy, tmp_path, arguments, sentence):
    (tmp_path / "file").write_text("in the way")
    places = {"toy": toy / "reference" / "series", "tmp": tmp_path}
    filled = [argument.format(**places) for argument in arguments]
    own_course = Path(filled[filled.index("--course") + 1]) if "--course" in filled else toy
    code, _, errors = grader("grade", *filled, course=own_course)
    assert code == 2
    assert sentence.format(**places) in errors
    assert "Traceback" not in errors


def test_checks_that_do_not_fit_are_a_usage_error(grader, make_course, tmp_path):
    course = make_course(tmp_path / "course", {"test_odd.py": SOUND}, {"1": 5})
    (tmp_path / "work.py").write_text(ANSWER)
    code, _, errors = grader("grade", tmp_path / "work.py", "-a", "odd", "-o", tmp_path / "out", course=course)
    assert code == 2
    assert "question 1: its checks are worth 4 points together; assignment.toml says 5" in errors
    assert "Traceback" not in errors
    assert reports(tmp_path / "out") == {}


def test_our_own_errors_have_an_exit_code_of_their_own(grader, make_course, tmp_path):
    course = make_course(tmp_path / "course", {"test_odd.py": BUG}, {"1": 4})
    (tmp_path / "work.py").write_text(ANSWER)
    code, output, errors = grader("grade", tmp_path / "work.py", "-a", "odd", "-o", tmp_path / "out", course=course)
    assert code == 3
    assert "work: the grader itself failed" in errors
    assert "1 grader error" in output
    assert not reports(tmp_path / "out")["work"]["extra_data"]["complete"]
    assert grader("check", tmp_path / "work.py", "-a", "odd", course=course)[0] == 3


def test_a_judge_that_cannot_start_is_our_error(grader, make_course, tmp_path):
    course = make_course(tmp_path / "course", {"test_odd.py": SOUND, "conftest.py": "1 / 0"}, {"1": 4})
    (tmp_path / "work.py").write_text(ANSWER)
    code, output, errors = grader("grade", tmp_path / "work.py", "-a", "odd", "-o", tmp_path / "out", course=course)
    assert code == 3
    assert "ZeroDivisionError" in errors
    assert "grader error" in output


def test_an_error_of_the_command_itself_is_no_failed_check(grader, toy, monkeypatch, tmp_path):
    def broken() -> None:
        raise RuntimeError("the zygote did not start")

    monkeypatch.setattr(cli_class, "grading", broken)
    code, _, errors = grader("check", toy / "reference" / "series", "-a", "series")
    assert code == 3
    assert "the zygote did not start" in errors


# ------------------------------------------------------------------------------------------------- check, new and demo


def test_check_shows_visible_checks_and_recognises_the_assignment(grader, toy, tmp_path, monkeypatch):
    code, output, _ = grader("check", toy / "reference" / "warmup")
    assert code == 0
    assert "13 of 13 points" in output
    assert "2.2" not in output
    assert "4.3" not in output
    (tmp_path / "mine").mkdir()
    shutil.copy(toy / "student_template" / "series" / "sums.py", tmp_path / "mine")
    monkeypatch.chdir(tmp_path / "mine")
    code, output, _ = grader("check")
    assert code == 1
    assert "not written" in output
    assert "0 of 5 points" in output
    assert [path.name for path in Path().iterdir()] == ["sums.py"]


def test_check_refuses_what_it_cannot_recognise(grader, toy, tmp_path):
    (tmp_path / "other.py").write_text("")
    code, _, errors = grader("check", tmp_path)
    assert code == 2
    assert "out of: series, warmup" in errors
    for name in ("series", "warmup"):
        shutil.copytree(toy / "reference" / name, tmp_path / name)
    assert grader("check", tmp_path)[0] == 2
    assert grader("check", tmp_path / "absent")[0] == 2


def test_new_lays_out_the_template_once(grader, toy, tmp_path, monkeypatch):
    code, output, _ = grader("new", "warmup", tmp_path / "mine")
    assert code == 0
    written = sorted(path.name for path in (tmp_path / "mine").iterdir())
    assert written == ["README.md", "fitting.py", "helpers.py", "vectors.py"]
    assert all(name in output for name in written)
    (tmp_path / "mine" / "vectors.py").write_text("my work")
    code, _, errors = grader("new", "warmup", tmp_path / "mine")
    assert code == 2
    assert "exists already" in errors
    assert (tmp_path / "mine" / "vectors.py").read_text() == "my work"
    monkeypatch.chdir(tmp_path)
    assert grader("new", "series")[0] == 0
    assert (tmp_path / "series" / "sums.py").is_file()
    assert grader("new", "no-such")[0] == 2


def test_demo_grades_the_demonstration_class(grader, tmp_path):
    code, output, errors = grader("demo", "-o", tmp_path / "out", "-j", 2)
    assert code == 0, errors
    scores = {name: content["score"] for name, content in reports(tmp_path / "out").items()}
    assert scores == {"warmup/complete": 16, "warmup/blank": 0, "warmup/sign": 10}
    assert "Vectors and a straight line" in output


# ------------------------------------------------------------------------------------------- in a process of its own


def heed_interruptions() -> None:
    """A shell starts what runs in its background with interruptions ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def start(tmp_path, toy):
    """``start(arguments)`` runs ``grader`` with its temporary files in a folder that a test can look into."""
    (tmp_path / "t").mkdir()
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "grader.cli", *map(str, arguments), "--course", str(toy)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        environment = {**os.environ, "TMPDIR": str(tmp_path / "t")}
        how = {"text": True, "start_new_session": True, "preexec_fn": heed_interruptions}
        started.append(subprocess.Popen(command, env=environment, **how, **pipes))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def left_behind(folder: Path) -> list[str]:
    """Temporary files, and processes whose command line names them, once these had a moment to end."""
    named = [each for each in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(each.info["cmdline"] or ())]
    _, alive = psutil.wait_procs(named, timeout=5)
    return [*map(str, alive), *map(str, folder.iterdir())]


def test_nothing_survives_the_command(start, toy, tmp_path):
    (tmp_path / "sums.py").write_text("import os\n\n\ndef running_sum(x):\n    os._exit(0)\n")
    process = start("grade", tmp_path / "sums.py", "-a", "series", "-o", tmp_path / "out")
    output, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    assert "1 crashed, 1 not written" in output
    assert set(reports(tmp_path / "out")) == {"sums"}
    assert left_behind(tmp_path / "t") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_what_is_finished(start, toy, tmp_path, number):
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "sums.py").write_text("def running_sum(x):\n    while True:\n        pass\n")
    paths = [toy / "reference" / "series", tmp_path / "slow"]
    process = start("grade", *paths, "-a", "series", "-o", tmp_path / "out", "-j", 1)
    deadline = time.monotonic() + 200
    while not (tmp_path / "out" / "slow" / "report.json").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    # A terminal interrupts the whole group, and who terminates a process means that process.
    os.killpg(process.pid, number) if number is signal.SIGINT else process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    found = reports(tmp_path / "out")
    assert (found["series"]["score"], found["slow"]["score"]) == (5, 0)
    assert not found["slow"]["extra_data"]["complete"]
    assert left_behind(tmp_path / "t") == []


def test_a_termination_of_a_run_by_hand_leaves_its_report_and_nothing_else(toy, tmp_path):
    (tmp_path / "slow").mkdir()
    (tmp_path / "t").mkdir()
    (tmp_path / "slow" / "sums.py").write_text("def moving_mean(x, width):\n    while True:\n        pass\n")
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull]
    command += [str(toy / "assignments" / "series"), "--submission", str(tmp_path / "slow"), "--report", str(report)]
    process = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path / "t")}, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 200
        while not report.exists() or '"status": "missing"' not in report.read_text():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.terminate()
        assert process.wait(timeout=60) == pytest.ExitCode.INTERRUPTED
    finally:
        process.kill()
        process.wait()
    verdicts = {verdict.number: verdict.status for verdict in from_json(report.read_text()).verdicts}
    assert verdicts == {"1.1": Status.MISSING, "2.1": Status.NOT_RUN}
    # pytest itself makes a folder for the files of tests.
    assert [left for left in left_behind(tmp_path / "t") if not Path(left).name.startswith("pytest-of-")] == []
