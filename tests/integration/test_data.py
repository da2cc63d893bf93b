"""Data sets in a grading: the accuracy fixture through the wall, and the command ``grader data``."""

from __future__ import annotations

import os
import pickle
import shutil
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from grader import cli, cli_data
from grader.contract.report import from_json
from grader.contract.verdict import Status
from grader.datasets import shapes10
from grader.datasets.store import KNOWN, Store
from grader.judge.data import Data
from grader.judge.prepare import Options

NEEDED, FLOOR = 60.0, 20.0

CHECK = '''
@number("1.1")
@weight(4)
def test_accuracy(student, data, accuracy):
    """It tells bright images from dark ones."""
    model = student.work.Model()
    accuracy(lambda x: model.predict(x))
'''

MODEL = """
import zlib

import torch

class Model:
    def predict(self, x):
        return BODY

def right(x):
    return ((x.float().mean(dim=(1, 2, 3)) - 40) / 20).round().long()
"""

SUBMISSIONS = {
    "sound": "right(x)",
    "half": "torch.where(torch.arange(len(x)) % 2 == 0, right(x), 11)",
    "blind": "torch.zeros(len(x), dtype=torch.int64)",
    "cheat": "[TABLE.get(zlib.crc32(image.numpy().tobytes()), 0) for image in x]",
    "shapeless": "torch.zeros(len(x), 10)",
    "raising": "x.no_such_attribute",
}


def write_cifar10(folder: Path) -> Path:
    """A small set in CIFAR-10's form, whose labels are the brightness of noisy images."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, count in [*((f"data_batch_{index}", 20) for index in range(1, 6)), ("test_batch", 1000)]:
        labels = np.arange(count) % 10
        images = (40 + 20 * labels[:, None] + rng.integers(-9, 10, (count, 3072))).astype(np.uint8)
        content = {b"data": images, "labels": labels.tolist()}
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    return folder


@pytest.fixture(scope="module")
def cifar10(tmp_path_factory) -> Path:
    return write_cifar10(tmp_path_factory.mktemp("data") / "cifar-10-batches-py")


@pytest.fixture(scope="module")
def course(tmp_path_factory, make_course) -> Path:
    folder = make_course(tmp_path_factory.mktemp("course"), {"test_odd.py": CHECK}, {"1": 4})
    (folder / "reference" / "odd" / "work.py").write_text(MODEL.replace("BODY", SUBMISSIONS["sound"]))
    toml = folder / "assignments" / "odd" / "assignment.toml"
    text = toml.read_text().replace('"work.answer"', '"work.Model.predict"')
    toml.write_text(f'{text}[questions.goals.cifar10]\n"1.1" = {{ needed = {NEEDED}, floor = {FLOOR} }}\n')
    return folder


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory, course, cifar10, grade):
    folder = tmp_path_factory.mktemp("submissions")
    images = Store.default().images(str(cifar10))
    table = {zlib.crc32(image.tobytes()): int(label) for image, label in zip(images.x_test, images.y_test, strict=True)}
    for name, body in SUBMISSIONS.items():
        (folder / name).mkdir()
        (folder / name / "work.py").write_text(MODEL.replace("BODY", body).replace("TABLE", f"({table!r})"))
    uploads = {name: folder / name for name in SUBMISSIONS}
    return grade(course, "odd", folder / "out", Options("a seed", data=str(cifar10)), **uploads)


def verdict_of(verdicts, name):
    report = verdicts[name].report
    assert report is not None, verdicts[name].log
    return report.verdicts[0]


def test_the_report_names_the_data_set_the_bar_and_the_images(verdicts):
    verdict = verdict_of(verdicts, "sound")
    assert (verdict.status, verdict.points) == (Status.PASSED, 4.0)
    title = "a set in CIFAR-10's format, not the official files"
    assert verdict.notes == (
        f"needed 60.0 % on {title}, got 100.0 ± 0.4 % (95 %, 500 images of 900, enough to be sure)",
    )
    assert verdicts["sound"].report.environment.data == f"{title} (100 training and 1,000 test images)"


def test_a_part_of_the_bar_earns_a_part_of_the_points(verdicts):
    verdict = verdict_of(verdicts, "half")
    assert verdict.status is Status.PARTIAL and verdict.points == pytest.approx(4 * 30 / 40, abs=0.3)
    assert verdict.explanation.got.endswith("900 images)") and "needed; points begin at 20.0 %" in str(verdict)


def test_guessing_earns_nothing(verdicts):
    verdict = verdict_of(verdicts, "blind")
    assert (verdict.status, verdict.points) == (Status.FAILED, 0.0)


def test_a_table_of_known_images_earns_nothing_and_is_flagged(verdicts):
    verdict = verdict_of(verdicts, "cheat")
    assert (verdict.status, verdict.points) == (Status.FAILED, 0.0)
    assert any("learned by heart" in flag for flag in verdict.flags)
    assert not any("learned by heart" in flag for flag in verdict_of(verdicts, "half").flags)


def test_wrong_forms_and_errors_are_the_submission_s(verdicts):
    assert verdict_of(verdicts, "shapeless").status is Status.FAILED
    assert "one label for each image" in verdict_of(verdicts, "shapeless").explanation.message
    assert verdict_of(verdicts, "raising").status is Status.STUDENT_ERROR


def test_without_the_data_set_the_question_is_not_asked(tmp_path, course, grade):
    finished = grade(course, "odd", tmp_path / "out", sound=course / "reference" / "odd")
    assert finished["sound"].report.verdicts == ()


def test_a_set_without_a_goal_is_not_asked_either(tmp_path, course, grade, monkeypatch):
    monkeypatch.setenv("SCRATCHGRADE_CACHE", str(tmp_path / "cache"))
    known = replace(KNOWN["shapes10"], make=lambda: shapes10.make(20, 20))
    monkeypatch.setattr("grader.datasets.store.KNOWN", {"shapes10": known})
    options = Options("a seed", data="shapes10")
    finished = grade(course, "odd", tmp_path / "out", options, sound=course / "reference" / "odd")
    assert finished["sound"].report.verdicts == ()
    assert finished["sound"].report.environment.data == "shapes10, drawn from seed 0 (20 training and 20 test images)"


def test_several_sets_can_be_given_by_name_or_path(cifar10, monkeypatch):
    known = replace(KNOWN["shapes10"], make=lambda: shapes10.make(20, 20))
    monkeypatch.setattr("grader.datasets.store.KNOWN", {"small": known, "cifar10": KNOWN["cifar10"]})
    monkeypatch.chdir(cifar10.parent)
    joined = cli_data.made_ready([cifar10.name, "small"])
    assert joined == f"{cifar10}{os.pathsep}small"
    found = Data(joined, cifar10)
    assert found.names == {"cifar10", "shapes10"} and found.images().name == "cifar10"
    with pytest.raises(LookupError, match="no CaptionSet was given"):
        found.captions()


# ---------------------------------------------------------------- the command


@pytest.fixture
def data(monkeypatch, tmp_path, capsys):
    """``data(arguments)`` -> exit code, output, errors; with a cache of its own."""
    monkeypatch.setenv("SCRATCHGRADE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SCRATCHGRADE_CIFAR10", raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            code = cli.main(["data", *map(str, arguments)])
        except SystemExit as end:
            code = end.code
        return (code, *capsys.readouterr())

    return run


def test_list_says_what_there_is_and_where(data, cifar10, monkeypatch):
    code, out, _ = data("list")
    assert code == 0 and len(out.splitlines()) == 5
    assert "\tnot here; run: grader data fetch cifar10\n" in out and "\tmade from a seed\n" in out
    monkeypatch.setenv("SCRATCHGRADE_CIFAR10", str(cifar10))
    assert f"{cifar10} (SCRATCHGRADE_CIFAR10)" in data("list")[1]


def test_path_prints_the_place_or_says_how_to_get_it(data, cifar10, monkeypatch):
    code, out, err = data("path", "cifar10")
    assert (code, out) == (2, "") and "run 'grader data fetch cifar10'" in err and len(err.splitlines()) == 1
    monkeypatch.setenv("SCRATCHGRADE_CIFAR10", str(cifar10))
    assert data("path", "cifar10")[:2] == (0, f"{cifar10}\n")


def test_verify_reads_everything_anew(data, cifar10):
    code, out, _ = data("verify", cifar10)
    assert code == 0 and "(100 training and 1,000 test images), SHA-256 " in out


def test_verify_refuses_what_is_damaged(data, tmp_path):
    folder = write_cifar10(tmp_path / "set")
    (folder / "test_batch").write_bytes(b"nonsense")
    code, out, err = data("verify", folder)
    assert (code, out) == (2, "") and "test_batch" in err and len(err.splitlines()) == 1


def test_fetch_keeps_what_is_found(data, cifar10, monkeypatch, tmp_path):
    monkeypatch.setenv("SCRATCHGRADE_CIFAR10", str(cifar10))
    code, out, _ = data("fetch", "cifar10")
    assert code == 0 and out.startswith(f"{cifar10} (SCRATCHGRADE_CIFAR10): a set in CIFAR-10's format")
    assert list((tmp_path / "cache" / "arrays").glob("cifar10-*/about.json"))


def test_fetch_from_where_nothing_is(data):
    code, _, err = data("fetch", "cifar10", "--from", "http://127.0.0.1:1/x")
    assert code == 2 and "could not be fetched" in err and len(err.splitlines()) == 1


def test_sets_from_a_seed_are_not_downloaded(data):
    code, _, err = data("fetch", "shapes10", "--from", "http://127.0.0.1:1/x")
    assert code == 2 and "is not downloaded; leave out --from." in err


def test_grade_takes_data_sets_by_option(tmp_path, course, cifar10, capsys):
    submission = course / "reference" / "odd"
    arguments = ["grade", submission, "-a", "odd", "-o", tmp_path, "--course", course, "--data", cifar10, "--seed", "s"]
    assert cli.main([str(argument) for argument in arguments]) == 0
    report = from_json((tmp_path / "odd" / "report.json").read_text())
    assert [verdict.status for verdict in report.verdicts] == [Status.PASSED] and "CIFAR-10" in report.environment.data


def test_grade_refuses_a_data_set_that_there_is_not(tmp_path, course, capsys):
    arguments = ["grade", course / "reference" / "odd", "-a", "odd", "-o", tmp_path, "--course", course, "--data"]
    assert cli.main([str(argument) for argument in [*arguments, tmp_path / "none"]]) == 2
    assert "does not exist; give the unpacked folder" in capsys.readouterr().err


def test_grade_opens_a_data_set_once_and_falls_back_to_the_cpu(tmp_path, course, cifar10, capsys, monkeypatch):
    opened, whole = [], Store.open
    monkeypatch.setattr(Store, "open", lambda store, *request: opened.append(request) or whole(store, *request))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    elsewhere = tmp_path / "elsewhere" / "cifar-10-batches-py"
    shutil.copytree(cifar10, elsewhere)
    arguments = ["grade", course / "reference" / "odd", "-a", "odd", "-o", tmp_path / "out", "--course", course]
    more = ["--data", elsewhere, "--device", "auto", "--seed", "s"]
    assert cli.main([str(argument) for argument in [*arguments, *more]]) == 0
    assert opened == [(str(elsewhere),)]
    assert "no CUDA device of this machine; submissions run on the CPU" in capsys.readouterr().err
    report = from_json((tmp_path / "out" / "odd" / "report.json").read_text())
    assert report.environment.device == "cpu"
