"""Downloads from platforms: whose each submission is, and under which names its files are graded."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

import pytest

from grader.exits import UsageError
from grader.grading.exports import METADATA, laid_out, read_export
from grader.grading.job import Person
from grader.grading.packed import holds_several, unpacked
from grader.grading.roster import Roster, read_roster


def lay(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


def found(folder: Path) -> dict[str, tuple[Person, list[str]]]:
    export = read_export(folder)
    assert export is not None
    return {
        each.name: (each.person, [path.relative_to(folder).as_posix() for path in each.files])
        for each in export.submissions
    }


def test_gradescope_says_who_handed_in_also_for_groups(tmp_path):
    lay(tmp_path, "submission_12/knn.py", "submission_3/knn.py", "submission_4/knn.py", "other/knn.py")
    (tmp_path / METADATA).write_text(
        "---\n"
        "submission_12:\n"
        "  :submitters:\n"
        "  - :name: Zoë Ågren\n    :sid: '007'\n    :email: zoe@example.edu\n"
        "  - :name: Bo Li\n    :sid:\n    :email: bo@example.edu\n"
        "  :created_at: !ruby/object:ActiveSupport::TimeWithZone\n    utc: 2026-01-31 12:00:00.000000000 Z\n"
        "submission_3:\n  :submitters:\n  - :name: ../../etc\n"
        "submission_99:\n  :submitters: []\n"
        "other: 3\n",
        encoding="utf-8",
    )
    assert found(tmp_path) == {
        "Zoë_Ågren__Bo_Li-submission_12": (
            Person("Zoë Ågren; Bo Li", "007", "zoe@example.edu; bo@example.edu"), ["submission_12"]
        ),
        "etc-submission_3": (Person("../../etc"), ["submission_3"]),
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "- 1\n", "a: [", "!!python/object/apply:os.system ['touch gone']", "\xff"])
def test_a_file_of_gradescope_that_says_nothing_makes_no_download(tmp_path, text):
    lay(tmp_path, "submission_12/knn.py")
    (tmp_path / METADATA).write_bytes(text.encode("latin-1"))
    assert read_export(tmp_path) is None


def test_canvas_files_are_brought_together_and_have_their_own_names_again(tmp_path):
    folder = lay(
        tmp_path / "download",
        "doejane_1234_101_two_layer_net-2.py",
        "doejane_1234_77_linear_classifier.py",
        "doejane_1234_60_two_layer_net.py",
        "van_der_doe_LATE_99_78_a2_final.zip",
        "notes.txt",
    )
    assert found(folder) == {
        "doejane-1234": (Person("doejane", "1234"), [
            "doejane_1234_60_two_layer_net.py",
            "doejane_1234_77_linear_classifier.py",
            "doejane_1234_101_two_layer_net-2.py",
        ]),
        "van_der_doe-99": (Person("van_der_doe", "99"), ["van_der_doe_LATE_99_78_a2_final.zip"]),
    }  # fmt: skip
    export = read_export(folder)
    assert export is not None
    assert [each.handed_in for each in export.submissions] == [101, 78]
    jane = laid_out(export.submissions[0].files, tmp_path / "staging" / "jane")
    assert sorted(path.name for path in jane.iterdir()) == ["linear_classifier.py", "two_layer_net.py"]
    assert (jane / "two_layer_net.py").read_text() == "doejane_1234_101_two_layer_net-2.py"  # the later one
    doe = laid_out(export.submissions[1].files, tmp_path / "staging" / "doe")
    assert [path.name for path in doe.iterdir()] == ["a2_final.zip"]


def test_canvas_files_without_names(tmp_path):
    folder = lay(tmp_path, "anon_Ab3dE_7_knn.py", "LATE_anon_x1_9_knn-1.py", "LATE_anon_x1_8_notes_2_3_4.txt")
    assert found(folder) == {
        "anon-Ab3dE": (Person("anon", "Ab3dE"), ["anon_Ab3dE_7_knn.py"]),
        "anon-x1": (Person("anon", "x1"), ["LATE_anon_x1_8_notes_2_3_4.txt", "LATE_anon_x1_9_knn-1.py"]),
    }
    export = read_export(folder)
    assert export is not None
    upload = laid_out(export.submissions[1].files, tmp_path / "staging")
    assert sorted(path.name for path in upload.iterdir()) == ["knn.py", "notes_2_3_4.txt"]


def test_moodle_folders_and_files(tmp_path):
    folder = lay(
        tmp_path,
        "Jane Doe_1234567_assignsubmission_file_/knn.py",
        "Bo_Li_1234568_assignsubmission_file/knn.py",
        "Al Roe_1234569_assignsubmission_file_knn.py",
    )
    assert found(folder) == {
        "Al_Roe-1234569": (Person("Al Roe", "1234569"), ["Al Roe_1234569_assignsubmission_file_knn.py"]),
        "Bo_Li-1234568": (Person("Bo_Li", "1234568"), ["Bo_Li_1234568_assignsubmission_file"]),
        "Jane_Doe-1234567": (Person("Jane Doe", "1234567"), ["Jane Doe_1234567_assignsubmission_file_"]),
    }
    upload = laid_out((folder / "Al Roe_1234569_assignsubmission_file_knn.py",), tmp_path / "staging")
    assert [path.name for path in upload.iterdir()] == ["knn.py"]


def test_github_classroom_names_the_account(tmp_path):
    folder = lay(tmp_path / "a2-submissions", "a2-jdoe/two_layer_net.py", "a2-bo-li/two_layer_net.py", "roster.csv")
    assert found(folder) == {
        "bo-li": (Person(login="bo-li"), ["a2-bo-li"]),
        "jdoe": (Person(login="jdoe"), ["a2-jdoe"]),
    }


@pytest.mark.parametrize(
    "names",
    [
        ("ann/knn.py", "bob/knn.py"),
        ("knn.py", "a_1_2_data.py", "helpers.py"),
        ("a2-submissions.zip",),
        (".git/config",),
    ],
)
def test_other_folders_are_no_download(tmp_path, names):
    assert read_export(lay(tmp_path, *names)) is None
    assert read_export(tmp_path / "absent") is None


def test_a_roster_knows_people_by_any_of_their_parts(tmp_path):
    file = tmp_path / "roster.csv"
    file.write_text(
        '\ufeffStudent,ID,Email,GitHub_Username,Section\n"Doe, Jane",17,jane@x.edu,jdoe,1\nBo,18,,,\n', "utf-8"
    )
    roster = read_roster(file)
    jane = Person("Doe, Jane", "17", "jane@x.edu", "jdoe")
    for person, name in (
        (Person(sid="17"), "x"),
        (Person(login="JDOE"), "x"),
        (Person(name="J. D.", email="jane@x.edu"), "x"),
        (Person(), "jdoe"),
        (Person(), "17"),
        (Person(), "jdoe-2"),
        (Person(), "jdoe attempt 3"),
        (Person(), "jdoe (1)"),
    ):
        assert roster.complete(person, name) == jane
    for name in ("jdoe2", "jdoe-final", "x-2"):
        assert roster.complete(Person(), name) == Person()
    assert Roster([jane, Person("Jo", login="jdoe-2")]).complete(Person(), "jdoe-2").name == "Jo"
    assert roster.complete(Person("Al", "19"), "al") == Person("Al", "19")
    assert roster.without([jane]) == [Person("Bo", "18")]
    assert Roster([]).complete(Person(), "x") == Person()


@pytest.mark.parametrize("text", [b"", b"Section,Grade\n1,2\n", b"\xff\xfe"])
def test_a_roster_that_says_nothing_is_refused(tmp_path, text):
    (tmp_path / "roster.csv").write_bytes(text)
    with pytest.raises(UsageError, match="the roster"):
        read_roster(tmp_path / "roster.csv")


def packed(folder: Path, archive: Path, top: str = "") -> Path:
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, PurePosixPath(top, path.relative_to(folder).as_posix()))
    return archive


@pytest.mark.parametrize("top", ["", "assignment_7_export"])
def test_a_download_may_still_be_packed(tmp_path, top):
    lay(tmp_path / "class", "submission_12/knn.py")
    (tmp_path / "class" / METADATA).write_text("submission_12:\n  :submitters:\n  - :name: Zoe\n")
    folder = unpacked(packed(tmp_path / "class", tmp_path / "all.zip", top), tmp_path / "there")
    assert folder is not None
    assert found(folder) == {"Zoe-submission_12": (Person("Zoe"), ["submission_12"])}
    files = lay(tmp_path / "canvas", "doejane_1_77_knn.py", "doejohn_LATE_2_78_knn-1.py")
    folder = unpacked(packed(files, tmp_path / "submissions.zip"), tmp_path / "here")
    assert folder is not None
    assert sorted(found(folder)) == ["doejane-1", "doejohn-2"]


def test_other_archives_are_one_submission_and_nothing_is_written_for_them(tmp_path):
    lay(tmp_path / "ann", "a1/knn.py", "old/notes.txt")
    lay(tmp_path / "class", "ann/knn.py", "bob/knn.py")
    for name, several in (("ann", False), ("class", True)):
        archive = packed(tmp_path / name, tmp_path / f"{name}.zip")
        assert unpacked(archive, tmp_path / "there") is None
        assert holds_several(archive, frozenset({"knn.py"})) is several
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04")
    assert unpacked(tmp_path / "broken.zip", tmp_path / "there") is None
    assert not (tmp_path / "there").exists()


def test_what_leads_out_of_a_packed_download_is_left_out(tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as file:
        for name in (
            "doejane_1_77_knn.py",
            "doejohn_2_78_knn.py",
            "../out.py",
            "/absolute.py",
            "doejane_1_77_knn.py/x",
        ):
            file.writestr(name, name)
        link = zipfile.ZipInfo("doejim_3_79_knn.py")
        link.external_attr = 0o120777 << 16
        file.writestr(link, "/etc/passwd")
    folder = unpacked(tmp_path / "all.zip", tmp_path / "deep" / "there")
    assert folder is not None
    assert sorted(path.name for path in tmp_path.rglob("*.py")) == ["doejane_1_77_knn.py", "doejohn_2_78_knn.py"]
