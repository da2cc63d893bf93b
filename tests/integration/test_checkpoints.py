"""Submitted checkpoints: read in the player as plain data, evaluated by the judge, and harmless."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from test_data import FLOOR, NEEDED, write_cifar10

from grader.contract.verdict import Status
from grader.judge.prepare import Options

# The check trusts a checkpoint with one number, the brightness of label 0; without one it asks the submission.
CHECK = '''
@number("1.1")
@weight(4)
def test_accuracy(student, accuracy, checkpoint):
    """It tells bright images from dark ones."""
    saved = checkpoint("best_model.pt")
    darkest = student.work.darkest() if saved is None else saved["darkest"]
    accuracy(lambda x: ((x.float().mean(dim=(1, 2, 3)) - float(darkest)) / 20).round())
'''

WORK = "def darkest():\n    return {}\n"


class Code:
    """Writes a file where it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return (Path.touch, (self.file,))


@pytest.fixture(scope="module")
def cifar10(tmp_path_factory) -> Path:
    return write_cifar10(tmp_path_factory.mktemp("data") / "cifar-10-batches-py")


@pytest.fixture(scope="module")
def course(tmp_path_factory, make_course) -> Path:
    folder = make_course(
        tmp_path_factory.mktemp("course"), {"test_odd.py": CHECK}, {"1": 4}, functions={"1": "work.darkest"}
    )
    (folder / "reference" / "odd" / "work.py").write_text(WORK.format(40))
    toml = folder / "assignments" / "odd" / "assignment.toml"
    goal = f"{{ needed = {NEEDED}, floor = {FLOOR} }}"
    toml.write_text(
        toml.read_text()
        + f'relies_on = ["work.darkest"]\n[questions.goals.cifar10]\n"1.1" = {goal}\n'
        + f'[questions.goals.shapes10]\n"1.1" = {goal}\n'
    )
    return folder


@pytest.fixture(scope="module")
def marker(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("outside") / "code-ran"


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory, course, cifar10, marker, grade):
    folder, right = tmp_path_factory.mktemp("submissions"), {"darkest": torch.tensor(40.0), "dtype": torch.float32}
    answers = {"deep": 0, "tensors": 0, "trainer": 40, "code": 40, "nonsense": 40, "worse": 0}
    for name, answer in answers.items():
        (folder / name).mkdir()
        (folder / name / "work.py").write_text(WORK.format(answer))
    (folder / "deep" / "models").mkdir()
    torch.save(right, folder / "deep" / "models" / "Best_Model.pth")
    save_file({"darkest": right["darkest"]}, folder / "tensors" / "best_model.safetensors")
    torch.save({"darkest": Code(marker)}, folder / "code" / "best_model.pt")
    (folder / "nonsense" / "best_model.pt").write_bytes(b"nothing of the kind")
    torch.save({"darkest": torch.tensor(90.0)}, folder / "worse" / "best_model.pt")
    uploads = {name: folder / name for name in answers}
    graded = grade(course, "odd", folder / "out", Options("a seed", data=str(cifar10)), **uploads)
    return {name: finished.report.verdicts[0] for name, finished in graded.items()}


@pytest.mark.parametrize(("name", "file"), [("deep", "Best_Model.pth"), ("tensors", "best_model.safetensors")])
def test_a_checkpoint_counts_in_the_place_of_a_training(verdicts, name, file):
    assert verdicts[name].status is Status.PASSED
    assert f"{file} was evaluated." in verdicts[name].notes and not any("checkpoint" in f for f in verdicts[name].flags)


def test_without_a_checkpoint_the_training_counts(verdicts):
    assert verdicts["trainer"].status is Status.PASSED
    assert not any("best_model" in note for note in verdicts["trainer"].notes)


def test_code_in_a_checkpoint_runs_nowhere_and_is_reported(verdicts, marker):
    verdict = verdicts["code"]
    assert not marker.exists()
    assert any("names code or classes of its own, none of which was run" in flag for flag in verdict.flags)
    assert verdict.status is Status.PASSED and any("your own training is graded" in note for note in verdict.notes)


def test_the_code_would_have_run(tmp_path):
    file = tmp_path / "code-ran"
    torch.save(Code(file), tmp_path / "c.pt")
    torch.load(tmp_path / "c.pt", weights_only=False)
    assert file.exists()


def test_what_is_no_checkpoint_is_told_and_left_out(verdicts):
    verdict = verdicts["nonsense"]
    assert verdict.status is Status.PASSED and any("cannot be read as plain data" in note for note in verdict.notes)
    assert any("the checkpoint best_model.pt" in flag for flag in verdict.flags)


def test_where_a_checkpoint_fails_right_functions_are_lent_to_the_training(verdicts):
    verdict = verdicts["worse"]
    assert verdict.status is Status.PASSED
    assert any("a right version of work.darkest" in note for note in verdict.notes)


def test_a_checkpoint_is_left_out_on_another_data_set(tmp_path, course, grade, monkeypatch):
    from dataclasses import replace

    from grader.datasets import shapes10
    from grader.datasets.store import KNOWN

    monkeypatch.setenv("SCRATCHGRADE_CACHE", str(tmp_path / "cache"))
    known = replace(KNOWN["shapes10"], make=lambda: shapes10.make(20, 20))
    monkeypatch.setattr("grader.datasets.store.KNOWN", {"shapes10": known})
    upload = shutil.copytree(course / "reference" / "odd", tmp_path / "upload")
    torch.save({"darkest": 40.0}, upload / "best_model.pt")
    finished = grade(course, "odd", tmp_path / "out", Options("a seed", data="shapes10"), upload=upload)
    (verdict,) = finished["upload"].report.verdicts
    assert any("best_model.pt was left out: it belongs to cifar10" in note for note in verdict.notes)
