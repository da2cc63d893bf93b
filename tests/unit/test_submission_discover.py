"""One submission, or a folder of many?"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from grader.judge.submission import IntakeError, Wanted, discover

WANTED = {
    "linear": Wanted("linear.py", (), frozenset({"svm", "softmax"})),
    "net": Wanted("two_layer.py", ("net.py",), frozenset({"forward", "train"})),
}
LINEAR = "def svm(): pass\ndef softmax(): pass\n"


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in names:
            file.writestr(name, LINEAR)
    return buffer.getvalue()


NOTEBOOK = json.dumps({"cells": [{"cell_type": "code", "source": LINEAR}]})
ZIP = archive("linear.py")


@pytest.fixture
def names(tmp_path: Path):
    def look(*paths: str) -> list[str]:
        top = tmp_path / "top"
        top.mkdir()
        for name in paths:
            path = top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            suffix = path.suffix
            path.write_bytes({".zip": ZIP, ".ipynb": NOTEBOOK.encode(), ".py": LINEAR.encode()}.get(suffix, b"text"))
        return [name for name, _ in discover(top, WANTED)]

    return look


@pytest.mark.parametrize(
    "paths",
    [
        ("linear.py", "two_layer.py"),
        ("LINEAR.py", "helpers/a.py", "backup/linear.py"),
        ("linear.ipynb", "two_layer.ipynb"),
        ("part1/linear.py", "part2/two_layer.py"),
        ("work.ipynb", "tools/x.txt"),
        ("work.py",),
        ("readme.txt",),
        (),
        ("work.ipynb", "data.txt", ".hidden/linear.py", "__pycache__/linear.py"),
    ],
)
def test_one_submission(names, paths):
    assert names(*paths) == ["top"]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (("bob/linear.py", "alice/linear.py", "grades.csv"), ["alice", "bob"]),
        (("alice/hw/linear.py", "bob/hw/linear.py", "carol/report.pdf"), ["alice", "bob", "carol"]),
        (("alice/linear.py",), ["alice"]),
        (("alice.zip", "bob/linear.py", "carol.ipynb", "dave.py", "make_grades.sh"), ["alice", "bob", "carol", "dave"]),
        (("alice.zip", "alice/linear.py"), ["alice", "alice-2"]),
        (("alice.zip",), ["alice"]),
        (("alice.ipynb", "bob.ipynb"), ["alice", "bob"]),
        (("alice/my_work.py", "bob/other.py"), ["alice", "bob"]),
        (("alice/a.ipynb", "bob/b.zip"), ["alice", "bob"]),
        (("alice/report.pdf", "bob/report.pdf"), ["alice", "bob"]),
        (("a:b\n/linear.py", "-c/linear.py"), ["a_b_", "c"]),
    ],
)
def test_a_class(names, paths, expected):
    assert names(*paths) == expected


def test_paths_come_with_their_names(tmp_path):
    for name in ("Zoe", "adam"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "linear.py").write_text(LINEAR)
    assert discover(tmp_path, WANTED) == [("Zoe", tmp_path / "Zoe"), ("adam", tmp_path / "adam")]


def test_a_damaged_archive_is_still_somebodys_submission(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04")
    (tmp_path / "b.zip").write_bytes(ZIP)
    assert [name for name, _ in discover(tmp_path, WANTED)] == ["a", "b"]


def test_an_archive_of_data_is_not_a_submission(tmp_path):
    (tmp_path / "data.zip").write_bytes(archive("images/1.png"))
    (tmp_path / "work.ipynb").write_text(NOTEBOOK)
    assert discover(tmp_path, WANTED) == [(tmp_path.name, tmp_path)]


def test_links_are_passed_over(tmp_path):
    top = tmp_path / "top"
    (top / "alice").mkdir(parents=True)
    (top / "alice" / "linear.py").write_text(LINEAR)
    (top / "bob").symlink_to(top / "alice")
    assert [name for name, _ in discover(top, WANTED)] == ["alice"]


def test_a_file_is_one_submission(tmp_path):
    (tmp_path / "alice.tar.gz").write_bytes(b"")
    assert discover(tmp_path / "alice.tar.gz", WANTED) == [("alice", tmp_path / "alice.tar.gz")]


def test_nothing_there(tmp_path):
    with pytest.raises(IntakeError, match="does not exist"):
        discover(tmp_path / "no", WANTED)
