"""The zip for Gradescope: what is in it, who may read it, and that the same input gives the same bytes."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from test_cifar10 import write_archive, write_set

from grader import __version__
from grader.contract.assignment import AssignmentError
from grader.contract.course import Course, default_course
from grader.datasets.problems import DataError
from grader.gradescope import bundle as module
from grader.gradescope import wheel
from grader.gradescope.bundle import BundleError, Member, make
from grader.gradescope.leaks import leaks
from grader.gradescope.manifest import Manifest, ManifestError, read_manifest

TOY = Path(__file__).parents[1] / "toy_course"
SCRIPTS = Path(module.__file__).parent / "files"
SECRET = b"""\
def softmax(scores):
    shifted = scores - scores.max(dim=1, keepdim=True).values
    exponentials = shifted.exp()
    return exponentials / exponentials.sum(dim=1, keepdim=True)
"""


@pytest.fixture
def course(tmp_path) -> Course:
    """A copy of the toy course, free to be changed."""
    shutil.copytree(TOY, tmp_path / "course", ignore=shutil.ignore_patterns("__pycache__"))
    return Course(tmp_path / "course")


def written(course: Course, path: Path, **options) -> dict[str, zipfile.ZipInfo]:
    make(course, "warmup", **options).write(path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {info.filename: info for info in archive.infolist()}


# --------------------------------------------------------------------------------------------------------------- bundle


def test_scripts_lie_at_the_root_and_can_be_run(course, tmp_path):
    members = written(course, tmp_path / "a.zip")
    assert list(members)[:2] == ["setup.sh", "run_autograder"]
    for name, info in members.items():
        mode = info.external_attr >> 16
        assert bool(mode & 0o111) == (name in ("setup.sh", "run_autograder")), name
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        for name in ("setup.sh", "run_autograder"):
            text = archive.read(name)
            assert text.startswith(b"#!/usr/bin/env bash\n") and b"\r" not in text


def test_it_holds_this_assignment_and_no_other(course, tmp_path):
    names = set(written(course, tmp_path / "a.zip"))
    assert "course/assignments/warmup/test_vectors.py" in names
    assert "course/reference/warmup/vectors.py" in names
    assert not any("series" in name or "__pycache__" in name or "student_template" in name for name in names)
    assert all(len(Path(name).parts) == 1 or name.startswith("course/") for name in names)


def test_the_same_input_gives_the_same_bytes(course, tmp_path):
    written(course, tmp_path / "a.zip")
    for path in course.root.rglob("*.py"):
        os.utime(path, (0, 0))
    written(course, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    (course.root / "reference" / "warmup" / "vectors.py").write_text("# other\n")
    written(course, tmp_path / "c.zip")
    assert (tmp_path / "a.zip").read_bytes() != (tmp_path / "c.zip").read_bytes()


def test_the_manifest_knows_the_course(course, tmp_path):
    members = make(course, "warmup", ["shapes10"]).members
    (manifest,) = [json.loads(member.read()) for member in members if member.name == "bundle.json"]
    assert manifest["assignment"] == "warmup"
    assert manifest["digest"] == course.assignment("warmup").digest
    assert manifest["data"] == ["shapes10"]
    assert manifest["grader_version"] == __version__
    other = {member.name: member.read() for member in make(course, "warmup", seed="mine").members}
    assert json.loads(other["bundle.json"])["seed"] == "mine" != manifest["seed"]


def test_helpers_are_read_by_submissions_and_nothing_else_is(course):
    readable = [member.name for member in make(course, "warmup").members if not member.hidden]
    assert readable == ["course/assignments/warmup/provided/helpers.py"]


def test_hidden_text_in_a_helper_is_found(course):
    helpers = course.root / "assignments" / "warmup" / "provided" / "helpers.py"
    solution = (course.root / "reference" / "warmup" / "vectors.py").read_text()
    helpers.write_text(helpers.read_text() + "\n\n" + solution)
    with pytest.raises(BundleError, match=r"provided/helpers\.py, line .* shows a part of course/reference/warmup"):
        make(course, "warmup")


def test_what_is_not_there_is_said(course):
    with pytest.raises(AssignmentError, match="has no assignment 'a9'"):
        make(course, "a9")
    with pytest.raises(DataError):
        make(course, "warmup", ["/no/such/folder"])


@pytest.mark.parametrize("name", default_course().names)
def test_every_assignment_of_the_course_gives_a_small_bundle(name, tmp_path):
    bundle = make(default_course(), name, ["shapes10"])
    assert bundle.write(tmp_path / "a.zip") < 5 * 2**20
    assert not list(tmp_path.glob(".*"))


def test_files_of_a_data_set_are_packed_as_they_are(course, tmp_path):
    pack = write_set(tmp_path / "pack")
    bundle = make(course, "warmup", [str(tmp_path / "pack")])
    bundle.write(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.read("data/cifar10/cifar-10-batches-py/test_batch") == (pack / "test_batch").read_bytes()
        manifest = json.loads(archive.read("bundle.json"))
    assert manifest["data"] == ["data/cifar10/cifar-10-batches-py"]
    asked = Manifest(**{**manifest, "data": tuple(manifest["data"])}).requests(Path("/autograder/source"))
    assert asked == ("/autograder/source/data/cifar10/cifar-10-batches-py",)
    archive = write_archive(tmp_path / "pack.tar.gz", pack)
    members = make(course, "warmup", [str(archive)]).members
    assert [member.name for member in members][-1] == "data/cifar10/pack.tar.gz"


def test_a_data_set_that_the_container_cannot_hold_is_refused(course, tmp_path, monkeypatch):
    write_set(tmp_path / "pack")
    monkeypatch.setattr("grader.gradescope.memory.mapped_mb", lambda found: 704)
    with pytest.raises(BundleError, match=r"takes about 1,360 MiB, and the container has 768\..*memory_mb"):
        make(course, "warmup", [str(tmp_path / "pack")])
    toml = course.root / "assignments" / "warmup" / "assignment.toml"
    toml.write_text(toml.read_text().replace("[limits]", "[gradescope]\nmemory_mb = 1360\n[limits]"))
    assert make(course, "warmup", [str(tmp_path / "pack")]).members


def test_a_manifest_is_read_again_or_said_to_be_none(tmp_path):
    manifest = Manifest("a2", "1", "ab", "seed", ("shapes10", "data/x"))
    file = tmp_path / "bundle.json"
    file.write_text(manifest.to_json())
    assert read_manifest(file) == manifest
    for text in ("", "{}", "[]", '{"assignment": "a"}', '{"data": 3}'):
        file.write_text(text)
        with pytest.raises(ManifestError, match="make the bundle anew"):
            read_manifest(file)
    with pytest.raises(ManifestError):
        read_manifest(tmp_path / "absent")


def test_a_failed_write_leaves_the_old_zip(course, tmp_path):
    bundle = make(course, "warmup")
    out = tmp_path / "a.zip"
    out.write_bytes(b"old")
    broken = module.Bundle(bundle.assignment, (*bundle.members, Member("x", tmp_path / "absent")))
    with pytest.raises(FileNotFoundError):
        broken.write(out)
    assert out.read_bytes() == b"old"
    assert [path.name for path in tmp_path.glob("*a.zip*")] == ["a.zip"]


# ---------------------------------------------------------------------------------------------------------------- wheel


def test_the_wheel_is_one_and_holds_no_course(tmp_path):
    data = wheel.build()
    assert data == wheel.build()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        record = f"scratchgrade-{__version__}.dist-info/RECORD"
        rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(archive.read(record).decode()))}
        assert set(rows) == set(names)
        for name, (digest, size) in rows.items():
            if name == record:
                continue
            content = archive.read(name)
            found = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            assert (digest, size) == (f"sha256={found}", str(len(content)))
        about = archive.read(f"scratchgrade-{__version__}.dist-info/METADATA").decode()
    assert f"Version: {version('scratchgrade')}" in about
    assert {"grader/cli.py", "grader/gradescope/files/setup.sh"} <= set(names)
    assert not any("course/" in name or "__pycache__" in name or name.startswith("tests") for name in names)


# -------------------------------------------------------------------------------------------------------- hidden text


def test_three_lines_of_a_hidden_file_are_a_leak_wherever_they_stand():
    moved = b"\n".join(b"      " + line for line in SECRET.splitlines()[1:])
    (found,) = leaks({"ref.py": SECRET}, {}, {"help.py": b"x = 1\n\n" + moved, "other.py": b"x = 1\ny = 2\nz = 3\n"})
    assert found == "help.py, line 3, shows a part of ref.py, line 2, which is hidden."


def test_what_students_have_anyway_is_no_leak():
    assert leaks({"ref.py": SECRET}, {"template.py": SECRET}, {"help.py": SECRET}) == []


def test_two_lines_and_imports_are_no_leak():
    two = b"\n".join(SECRET.splitlines()[1:3])
    imports = b"import torch\n" * 3 + b"from collections.abc import Callable, Iterable, Iterator, Mapping\n" * 5
    assert leaks({"ref.py": SECRET + imports}, {}, {"help.py": two, "a.py": imports, "b.bin": b"\xff\0\n" * 9}) == []


# -------------------------------------------------------------------------------------------------------------- scripts


@pytest.mark.parametrize("name", ["setup.sh", "run_autograder"])
def test_scripts_are_sound_bash(name):
    assert subprocess.run(["bash", "-n", SCRIPTS / name], check=False).returncode == 0


def test_the_build_is_strict():
    assert "set -euo pipefail" in (SCRIPTS / "setup.sh").read_text()


def started(folder: Path, python: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs ``run_autograder`` in ``folder`` with the text ``python`` as its Python."""
    (folder / "environment" / "bin").mkdir(parents=True)
    program = folder / "environment" / "bin" / "python"
    program.write_text(python)
    program.chmod(0o755)
    variables = {"PATH": os.environ["PATH"], "AUTOGRADER": str(folder), **environment}
    return subprocess.run(
        ["bash", SCRIPTS / "run_autograder"], env=variables, capture_output=True, text=True, check=False
    )


def test_nothing_of_the_platforms_environment_is_handed_on(tmp_path):
    told = started(tmp_path, "#!/bin/bash\nenv; echo args: $*\n", AUTHENTICATION_TOKEN="key", TIMEOUT_SECONDS="900")
    names = {line.partition("=")[0] for line in told.stdout.splitlines() if "=" in line}
    assert names <= {"PATH", "LANG", "HOME", "AUTOGRADER", "PWD", "SHLVL", "_"}
    assert "key" not in told.stdout
    assert f"args: -I -m grader.gradescope.entry {tmp_path} 900" in told.stdout


@pytest.mark.parametrize("python", ["#!/bin/bash\nkill -9 $$\n", "#!/no/such/interpreter\n", "#!/bin/bash\nexit 3\n"])
def test_results_are_there_even_if_the_grader_does_not_start(tmp_path, python):
    started(tmp_path, python)
    content = json.loads((tmp_path / "results" / "results.json").read_text())
    assert content["score"] == 0
    assert "not the fault of the submission" in content["output"]


def test_results_of_the_grader_are_left_as_they_are(tmp_path):
    (tmp_path / "results").mkdir()
    started(tmp_path, '#!/bin/bash\necho \'{"score": 3}\' > "$AUTOGRADER/results/results.json"\nexit 3\n')
    assert (tmp_path / "results" / "results.json").read_text() == '{"score": 3}\n'
