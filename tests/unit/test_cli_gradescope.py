"""``grader bundle`` and ``grader simulate``: what they print and leave, and their exit codes."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from grader import cli

TOY = Path(__file__).parents[1] / "toy_course"
GOOD = (
    '{"score": 1, "tests": [{"score": 1, "max_score": 2, "name": "adds", "output": "no"}, '
    '{"score": 0, "visibility": "hidden"}]}'
)


@pytest.fixture
def grader(capsys):
    def run(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([*map(str, arguments)])
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def simulate(grader, tmp_path):
    """``simulate(results.json)`` of a made-up bundle, in a mere folder."""

    def run(results: str, *more: object) -> tuple[int, str, str]:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("setup.sh", "")
            info = zipfile.ZipInfo("run_autograder")
            info.external_attr = 0o100755 << 16
            archive.writestr(info, f"#!/bin/bash\ncat > results/results.json <<'END'\n{results}\nEND\necho printed\n")
        (tmp_path / "mine.py").write_text("")
        arguments = ("simulate", tmp_path / "a.zip", tmp_path / "mine.py", "--kind", "prefix", "-o", tmp_path / "out")
        return grader(*arguments, *more)

    return run


def test_bundle_lists_who_reads_what(grader, tmp_path):
    code, output, _ = grader("bundle", "warmup", "-o", tmp_path / "w.zip", "--data", "shapes10", "--course", TOY)
    assert code == 0
    hidden, _, readable = output.partition("Submissions read")
    assert "test_vectors.py" in hidden and "reference/warmup/fitting.py" in hidden
    assert "provided/helpers.py" in readable and "test_vectors.py" not in readable
    size = (tmp_path / "w.zip").stat().st_size
    assert f"w.zip: {size:,} bytes" in output
    assert zipfile.is_zipfile(tmp_path / "w.zip")


def test_bundle_has_a_name_of_its_own(grader, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert grader("bundle", "series", "--course", TOY)[0] == 0
    assert Path("series.zip").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("a9", "--course", TOY), "has no assignment 'a9'"),
        (("series", "--course", TOY, "--data", "/no/such/place"), "/no/such/place"),
        (("series", "--course", "/no/such/course"), "holds no course"),
        (("series", "--course", TOY, "-o", "/no/such/folder/a.zip"), "/no/such/folder"),
    ],
)
def test_bundle_refuses_what_it_cannot_use(grader, arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, errors = grader("bundle", *arguments)
    assert code == 2
    assert said in errors and "Traceback" not in errors


def test_simulate_shows_both_views_and_leaves_them(simulate, tmp_path):
    code, output, _ = simulate(GOOD)
    assert code == 0
    student, _, staff = output.partition("Staff see")
    assert "The student sees no total, 1 test" in student
    assert "FAILED        1/2  1) adds" in student
    assert staff.startswith(" 1 points, 2 tests") and "never shown to the student" in staff
    assert json.loads((tmp_path / "out" / "results.json").read_text())["score"] == 1
    assert (tmp_path / "out" / "stdout").read_text() == "printed\n"
    assert "<html" in (tmp_path / "out" / "preview.html").read_text()


def test_simulate_tells_what_the_platform_would_not_take(simulate):
    code, output, _ = simulate("{broken")
    assert code == 3
    assert "puts something else in the place of the results: results.json is no JSON" in output
    code, output, _ = simulate('{"score": 1, "output": null}')
    assert code == 3
    assert "against the platform's rules: results.output is null" in output
    assert simulate('{"score": 1, "extra_data": {"complete": false}}')[0] == 3
    assert simulate('{"score": 1, "extra_data": []}')[0] == 0


def test_simulate_hands_metadata_on(simulate, tmp_path):
    (tmp_path / "m.json").write_text('{"id": 77}')
    assert simulate(GOOD, "--metadata", tmp_path / "m.json")[0] == 0
    for text, said in (("{", "is no JSON"), ("[]", "holds no table")):
        (tmp_path / "m.json").write_text(text)
        code, _, errors = simulate(GOOD, "--metadata", tmp_path / "m.json")
        assert code == 2 and said in errors


def test_simulate_refuses_what_is_not_there(grader, simulate, tmp_path):
    code, _, errors = grader("simulate", tmp_path / "a.zip", tmp_path, "--kind", "prefix")
    assert code == 2 and "does not exist" in errors
    (tmp_path / "a.zip").write_bytes(b"no zip")
    code, _, errors = grader("simulate", tmp_path / "a.zip", tmp_path, "--kind", "prefix")
    assert code == 2 and "cannot be unpacked" in errors
