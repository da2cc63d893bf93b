"""Wheel and sdist: built here, installed beside what is installed, run from an empty folder; the help page is quick."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from grader import __version__

ROOT = Path(__file__).parents[2]
HEAVY = ("numpy", "torch", "pytest", "rich", "pydantic", "jinja2", "watchfiles")


def run(*command: object, cwd: Path, path: Path | None = None) -> str:
    """What a command prints; ``path`` holds packages that come before those of the environment."""
    environment = {**os.environ, "PYTHONPATH": str(path) if path else ""}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with the sdist of this checkout, and the wheel that the sdist makes."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, cwd=ROOT)
    with tarfile.open(folder / f"scratchgrade-{__version__}.tar.gz") as archive:
        archive.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=source)
    return folder


@pytest.fixture(scope="module")
def installed(built):
    """A folder of packages with the wheel in it, and nothing else."""
    wheel = built / f"scratchgrade-{__version__}-py3-none-any.whl"
    target = built / "packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]
    run(*pip, target, wheel, cwd=built)
    return target


@pytest.mark.long
def test_the_wheel_holds_the_course_and_no_tests(built):
    with zipfile.ZipFile(built / f"scratchgrade-{__version__}-py3-none-any.whl") as archive:
        names = archive.namelist()
    assert "grader/course/reference/a1/knn.py" in names
    assert "grader/course/student_template/a1/knn.ipynb" in names
    assert "grader/constraints.txt" in names
    assert not [name for name in names if name.startswith(("tests/", "docs/", "benchmarks/"))]


@pytest.mark.long
def test_the_demonstration_runs_from_an_empty_folder(installed, tmp_path):
    where = "import grader; print(grader.__file__)"
    assert str(installed) in run(sys.executable, "-c", where, cwd=tmp_path, path=installed)
    run(sys.executable, "-m", "grader.cli", "demo", "a1", cwd=tmp_path, path=installed)
    assert (tmp_path / "demo-out" / "a1" / "class.html").is_file()
    run(sys.executable, "-m", "grader.cli", "new", "a1", "mine", cwd=tmp_path, path=installed)
    assert (tmp_path / "mine" / "knn.ipynb").is_file()


@pytest.mark.long
def test_students_install_a_file_and_check_a_function(installed, tmp_path):
    run(sys.executable, "-m", "grader.cli", "kit", "a1", cwd=tmp_path, path=installed)
    (wheel,) = tmp_path.glob("*+students-*.whl")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]
    home = tmp_path / "home"
    run(*pip, home, wheel, cwd=tmp_path)
    assert not list(home.rglob("chaffs.toml"))
    run(sys.executable, "-m", "grader.cli", "new", "a1", "mine", cwd=tmp_path, path=home)
    shutil.copy(ROOT / "reference" / "a1" / "knn.py", tmp_path / "mine")
    shown = run(sys.executable, "-m", "grader.cli", "check", "mine", cwd=tmp_path, path=home)
    assert "failed" not in shown


def test_the_help_page_imports_nothing_heavy(tmp_path):
    program = (
        "import json, sys\nfrom grader import cli\n"
        "try:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    assert json.loads(run(sys.executable, "-c", program, cwd=tmp_path, path=ROOT).split("\n")[-2]) == []
