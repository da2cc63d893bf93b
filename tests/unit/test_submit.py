"""What is handed in: the right files, and what is missing."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from grader.contract.course import Course
from grader.kit.new import lay_out
from grader.kit.submit import SubmitError, gather

COURSE = Course(Path(__file__).parents[1] / "toy_course")


@pytest.fixture
def assignment():
    found = COURSE.assignment("warmup")
    return replace(found, content=replace(found.content, checkpoints=("best.pt", "other.pt")))


@pytest.fixture
def folder(tmp_path, assignment):
    """A student's folder in which all is written."""
    lay_out(assignment, tmp_path / "mine")
    for file in ("vectors.py", "fitting.py"):
        shutil.copy(assignment.reference / file, tmp_path / "mine")
    return tmp_path / "mine"


def test_only_what_is_asked_for_is_packed(folder, assignment, tmp_path):
    for name in ("best.pt", "best_old.pt", "notes.txt", "vectors.ipynb", "scratch.py"):
        (folder / name).write_bytes(b"x = 1\n")
    contents = gather(folder, assignment)
    assert list(contents.files) == ["vectors.py", "fitting.py", "best.pt"]
    assert (contents.missing, contents.unwritten) == ((), ())
    assert contents.notes == ("Not there, and need not be: other.pt. Your training code is run instead.",)
    size = contents.write(assignment, tmp_path / "out.zip")
    assert size == (tmp_path / "out.zip").stat().st_size
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == ["vectors.py", "fitting.py", "best.pt", "manifest.json"]
        manifest = json.loads(archive.read("manifest.json"))
    assert [each["name"] for each in manifest["files"]] == ["vectors.py", "fitting.py", "best.pt"]
    contents.write(assignment, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "out.zip").read_bytes()


def test_own_helpers_go_along_and_those_of_the_course_stay(folder, assignment):
    text = (folder / "vectors.py").read_text()
    (folder / "vectors.py").write_text(f"import mine\nimport helpers\nfrom pack.inner import f\n{text}")
    (folder / "mine.py").write_text("from deeper import g\n")
    (folder / "deeper.py").write_text("def g(): return 1\n")
    (folder / "pack").mkdir()
    (folder / "pack" / "inner.py").write_text("f = 1\n")
    (folder / "helpers.py").write_text((folder / "helpers.py").read_text() + "\n# mine\n")
    contents = gather(folder, assignment)
    assert set(contents.files) == {"vectors.py", "fitting.py", "mine.py", "deeper.py", "pack/inner.py"}
    assert "helpers.py was changed, and is left out" in contents.notes[0]


def test_what_is_missing_broken_or_unwritten_is_told(folder, assignment):
    shutil.copy(assignment.template / "vectors.py", folder)
    (folder / "fitting.py").write_text("def f(:\n")
    contents = gather(folder, assignment)
    assert contents.unwritten == ("vectors.py: dot", "vectors.py: norms", "vectors.py: unit")
    assert len(contents.missing) == 1
    assert "fitting.py cannot be read by Python" in contents.missing[0]
    (folder / "fitting.py").unlink()
    assert gather(folder, assignment).missing == ("fitting.py is missing.",)


def test_a_folder_of_nothing_is_refused(tmp_path, assignment):
    with pytest.raises(SubmitError, match=r"none of the files of warmup: vectors\.py, fitting\.py"):
        gather(tmp_path, assignment)
    with pytest.raises(SubmitError, match="is no folder"):
        gather(tmp_path / "absent", assignment)
