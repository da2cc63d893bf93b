"""Intake of honest and clumsy uploads: what is kept, which file is which module, what the student is told."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from pathlib import Path

import pytest

from grader.judge.submission import IntakeError, IntakeLimits, Submission, Wanted, intake

WANTED = {
    "knn": Wanted("knn.py", ("nearest.py",), frozenset({"distances", "predict", "Knn", "best"})),
    "net": Wanted("two_layer.py", (), frozenset({"forward", "backward", "train", "Net"})),
}
KNN = "def distances(): pass\ndef predict(): pass\nclass Knn: pass\ndef best(): pass\n"
NET = "def forward(): pass\ndef backward(): pass\ndef train(): pass\nclass Net: pass\n"


@pytest.fixture
def taken(tmp_path: Path):
    """Intake of files given as ``{relative path: text or bytes}``."""

    def take(files: dict[str, str | bytes], **limits: int) -> Submission:
        upload = tmp_path / "upload"
        for name, text in files.items():
            path = upload / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        upload.mkdir(exist_ok=True)
        return intake(upload, WANTED, tmp_path / "into", limits=IntakeLimits(**limits))

    return take


def remarks(lines) -> str:
    return "\n".join(map(str, lines))


def test_a_plain_folder(taken):
    got = taken({"knn.py": KNN, "two_layer.py": NET, "a_helper.py": "x = 1\n", "weights.pt": b"\0\1"})
    assert got.files == ("a_helper.py", "knn.py", "two_layer.py", "weights.pt")
    assert set(got.modules) == {"knn", "net"} and not got.missing and not got.ignored and not got.renamed
    assert got.modules["knn"].text == KNN.encode() == got.modules["knn"].path.read_bytes()
    assert got.root == got.folder and got.roots == (got.folder,)


def test_everything_written_is_readable_by_others_and_not_executable(taken, tmp_path):
    previous = os.umask(0o077)
    try:
        got = taken({"deep/er/knn.py": KNN})
    finally:
        os.umask(previous)
    modes = {p.relative_to(tmp_path): stat.S_IMODE(p.stat().st_mode) for p in got.folder.rglob("*")}
    assert set(modes.values()) == {0o755, 0o644}
    assert stat.S_IMODE(got.folder.stat().st_mode) == 0o755
    assert stat.S_IMODE(got.modules["knn"].path.stat().st_mode) == 0o644


def test_helper_packages_keep_their_place_beside_the_nested_modules(taken):
    got = taken({"My HW/code/knn.py": KNN, "My HW/code/tools/__init__.py": "", "My HW/code/tools/draw.py": "y = 2"})
    assert got.root == got.folder / "My HW" / "code"
    assert (got.root / "tools" / "draw.py").is_file()
    assert got.modules["knn"].origin == "My HW/code/knn.py"


def test_modules_in_different_folders_give_two_roots(taken):
    got = taken({"p1/knn.py": KNN, "p2/two_layer.py": NET})
    assert {root.name for root in got.roots} == {"p1", "p2"} and got.root == got.roots[0]


@pytest.mark.parametrize("name", ["KNN.py", "Knn.PY", "nearest.py", "Nearest.py"])
def test_other_capitals_and_accepted_names_are_taken_with_a_remark(taken, name):
    got = taken({name: KNN})
    assert got.modules["knn"].path.name == name
    assert f"{name} was taken for knn.py" in remarks(got.renamed)
    assert got.modules["knn"].notes


def test_the_exact_name_goes_before_capitals_and_other_names(taken):
    got = taken({"a/KNN.py": KNN, "a/b/knn.py": KNN, "nearest.py": KNN})
    assert got.modules["knn"].origin == "a/b/knn.py" and not got.renamed


def test_did_you_mean_only_reports(taken):
    got = taken({"two_layers.py": "def other(): pass\n", "knn.py": KNN})
    assert "net" not in got.modules
    assert "Did you mean two_layers.py" in got.missing["net"]


def test_missing_without_a_likeness_says_what_came(taken):
    assert "What came: zzz.py" in taken({"zzz.py": "pass\n"}).missing["net"]


def test_a_file_is_recognised_by_what_it_defines(taken):
    got = taken({"homework.py": KNN, "other.py": "def distances(): pass\n"})
    assert got.modules["knn"].origin == "homework.py"
    assert "by what it defines" in remarks(got.renamed)
    assert "net" in got.missing


def test_of_two_files_of_one_name_the_one_nearest_the_top_counts(taken):
    got = taken({"old/copy/knn.py": KNN, "hw/knn.py": "def distances(): pass\n"})
    assert got.modules["knn"].origin == "hw/knn.py"
    assert "2 files of the name knn.py" in " ".join(got.modules["knn"].notes)
    assert not got.renamed


def test_at_equal_depth_the_fuller_file_counts(taken):
    got = taken({"a/knn.py": "def distances(): pass\n", "b/knn.py": KNN})
    assert got.modules["knn"].origin == "b/knn.py"


def test_at_equal_names_the_folder_with_more_modules_counts(taken):
    got = taken({"a/knn.py": KNN, "b/knn.py": KNN, "b/two_layer.py": NET})
    assert got.modules["knn"].origin == "b/knn.py"


def test_an_empty_file_gives_way_to_one_that_has_the_names(taken):
    got = taken({"knn.py": "import os\n", "mine.py": KNN})
    assert got.modules["knn"].origin == "mine.py"
    assert "defines nothing" in remarks(got.renamed)


@pytest.mark.parametrize("text", ["from mine import *\n", "from mine import distances\n", "def broken(:\n"])
def test_a_file_that_imports_the_names_or_is_broken_stays(taken, text):
    assert taken({"knn.py": text, "mine.py": KNN}).modules["knn"].origin == "knn.py"


def test_a_syntax_error_is_recorded_and_costs_that_module_alone(taken):
    got = taken({"knn.py": "x = 1\ndef f(:\n", "two_layer.py": NET})
    fault = got.modules["knn"].fault
    assert fault is not None and fault.line == 2 and fault.text == "def f(:"
    assert "SyntaxError" in str(fault) and "line 2" in str(fault)
    assert got.modules["net"].fault is None


def test_caches_settings_and_foreign_files_are_not_kept(taken):
    names = {
        "__pycache__/knn.cpython-311.pyc": b"evil",
        "stale.pyc": b"evil",
        "fast.so": b"evil",
        "conftest.py": "evil",
        "sub/sitecustomize.py": "evil",
        "usercustomize/__init__.py": "evil",
        "pytest.ini": "evil",
        "setup.cfg": "evil",
        "__MACOSX/._knn.py": "evil",
        ".git/config.py": "evil",
        ".ipynb_checkpoints/knn-checkpoint.py": "evil",
        "best.pkl": b"evil",
        "report.pdf": b"evil",
    }
    got = taken({"knn.py": KNN, **names})
    assert got.files == ("knn.py",)
    lines = remarks(got.ignored)
    for name in ("fast.so", "conftest.py", "sitecustomize.py", "usercustomize", "pytest.ini", "best.pkl", "report.pdf"):
        assert name in lines
    assert "cpython" not in lines and "config.py" not in lines
    assert not [p for p in got.folder.rglob("*") if p.is_file() and p.name != "knn.py"]


def test_many_ignored_files_make_few_remarks(taken):
    got = taken({"knn.py": KNN, **{f"img/{n}.png": b"" for n in range(100)}})
    assert len(got.ignored) < 65 and "40 more" in remarks(got.ignored)


def test_links_and_pipes_in_a_folder_are_not_followed(taken, tmp_path):
    secret = tmp_path / "secret.py"
    secret.write_text("SECRET = 1\n")
    (tmp_path / "staff").mkdir()
    (tmp_path / "staff" / "two_layer.py").write_text(NET)
    upload = tmp_path / "upload"
    upload.mkdir()
    (upload / "knn.py").symlink_to(secret)
    (upload / "hard.py").hardlink_to(secret)
    (upload / "staff").symlink_to(tmp_path / "staff")
    os.mkfifo(upload / "pipe.py")
    got = taken({"fine.py": "z = 1\n"})
    assert got.files == ("fine.py",) and not got.modules
    lines = remarks(got.ignored)
    for name in ("knn.py", "hard.py", "staff", "pipe.py"):
        assert f"{name}: It is" in lines


def test_hard_links_can_be_allowed_for_the_staffs_own_folders(taken, tmp_path):
    (tmp_path / "cache.py").write_text(KNN)
    (tmp_path / "upload").mkdir()
    (tmp_path / "upload" / "knn.py").hardlink_to(tmp_path / "cache.py")
    assert "knn" in taken({}, allow_hard_links=True).modules


def test_the_target_may_lie_inside_the_upload(tmp_path):
    (tmp_path / "knn.py").write_text(KNN)
    got = intake(tmp_path, WANTED, tmp_path / "out" / "into")
    assert got.files == ("knn.py",)


def test_a_used_target_is_refused(tmp_path):
    (tmp_path / "into").mkdir()
    (tmp_path / "into" / "left.py").write_text("")
    (tmp_path / "knn.py").write_text(KNN)
    with pytest.raises(FileExistsError, match="empty folder"):
        intake(tmp_path / "knn.py", WANTED, tmp_path / "into")


def test_a_single_python_file(tmp_path):
    (tmp_path / "knn.py").write_text(KNN)
    got = intake(tmp_path / "knn.py", WANTED, tmp_path / "into")
    assert list(got.modules) == ["knn"] and list(got.missing) == ["net"]


@pytest.mark.parametrize("files", [{}, {"report.pdf": b"%PDF"}, {".hidden.py": "x"}])
def test_an_upload_without_code_is_refused_with_what_came(taken, files):
    with pytest.raises(IntakeError, match="nothing that can be graded"):
        taken(files)


def test_nothing_there(tmp_path):
    with pytest.raises(IntakeError, match="does not exist"):
        intake(tmp_path / "no", WANTED, tmp_path / "into")


def test_a_huge_source_file_is_left_out_and_the_rest_stays(taken):
    got = taken({"knn.py": b"#" * 3000, "two_layer.py": NET}, source_bytes=2048)
    assert list(got.modules) == ["net"]
    assert "more than the 2 KiB" in remarks(got.ignored)


def test_too_deep_and_too_long_paths_are_left_out(taken):
    got = taken({"knn.py": KNN, "a/b/c/d/e/deep.py": "", "n" * 60 + ".py": ""}, depth=3, name_bytes=50)
    assert got.files == ("knn.py",) and len(got.ignored) == 2


def test_the_sum_of_all_files_is_capped(taken):
    with pytest.raises(IntakeError, match="come to more than"):
        taken({"a.pt": b"x" * 600, "b.pt": b"x" * 600}, total_bytes=1000)


def test_names_in_remarks_are_printable(taken):
    got = taken({"knn.py": KNN, "bad\nname.py": "", "turn\u202eyp.py": ""})
    assert got.files == ("knn.py",)
    assert "bad\\nname.py" in remarks(got.ignored) and "\u202e" not in remarks(got.ignored)


def test_the_digest_depends_on_names_and_bytes_alone(tmp_path):
    def digest(name: str, files: dict[str, str]) -> str:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for file, text in files.items():
                archive.writestr(file, text)
        (tmp_path / f"{name}.zip").write_bytes(buffer.getvalue())
        return intake(tmp_path / f"{name}.zip", WANTED, tmp_path / name).digest

    base = digest("one", {"knn.py": KNN, "b.py": "b"})
    assert base == digest("two", {"b.py": "b", "knn.py": KNN.replace("\n", "\r\n"), "notes.txt": "n"})
    assert base != digest("three", {"knn.py": KNN, "c.py": "b"})
    assert base != digest("four", {"knn.py": KNN, "b.py": "c"})
    assert len(base) == 64


def test_a_script_with_a_line_for_the_shell_is_read_without_it(tmp_path: Path) -> None:
    upload = tmp_path / "knn.py"
    upload.write_text(
        "!pip install torch\ntext = '''\n!not this\n'''\n\n\ndef distances():\n    %time x = 1\n    return 3 % 2\n"
    )
    source = intake(upload, WANTED, tmp_path / "in").modules["knn"]
    assert source.fault is None
    assert source.text.startswith(
        b"pass\ntext = '''\n!not this\n'''\n\n\ndef distances():\n    pass\n    return 3 % 2\n"
    )
    assert any("!pip" in note for note in source.notes)


def test_what_is_no_python_even_without_such_lines_stays_as_it_is(tmp_path: Path) -> None:
    upload = tmp_path / "knn.py"
    upload.write_text("!pip install torch\ndef distances(:\n    pass\n")
    source = intake(upload, WANTED, tmp_path / "in").modules["knn"]
    assert source.fault is not None and source.fault.line == 1 and source.notes == ()


def test_a_copy_beside_the_file_is_mentioned(tmp_path: Path) -> None:
    upload = tmp_path / "up"
    upload.mkdir()
    for name in ("knn.py", "knn (1).py", "knn_notes.py"):
        text = "x = 1\n" if name == "knn_notes.py" else "def distances(): pass\ndef predict(): pass\n"
        (upload / name).write_text(text)
    source = intake(upload, WANTED, tmp_path / "in").modules["knn"]
    assert source.origin == "knn.py"
    assert source.notes == ("knn (1).py defines the same; knn.py counts. Hand in the one that you mean.",)
