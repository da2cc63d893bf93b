"""Hostile and damaged archives."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.judge.submission import IntakeError, IntakeLimits, Submission, Wanted, intake

WANTED = {"knn": Wanted("knn.py", (), frozenset({"distances"}))}
KNN = b"def distances(): pass\n"


def zipped(*members: tuple[str, bytes], mode: int = 0, packed: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packed) as archive:
        for name, data in members:
            info = zipfile.ZipInfo("placeholder")
            info.filename, info.compress_type, info.external_attr = name, packed, mode << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def tarred(*members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE, link: str = "", mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.type, info.linkname = len(data), kind, link
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def taken(tmp_path: Path):
    def take(data: bytes, name: str = "upload.zip", **limits: int) -> Submission:
        (tmp_path / name).write_bytes(data)
        return intake(tmp_path / name, WANTED, tmp_path / "into", limits=IntakeLimits(**limits))

    return take


def remarks(got: Submission) -> str:
    return "\n".join(map(str, got.ignored))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tars_of_every_kind(taken, mode):
    got = taken(tarred(("hw/knn.py", KNN), ("hw/w.pt", b"\0" * 100_000), mode=mode), "upload.tar")
    assert got.files == ("hw/knn.py", "hw/w.pt") and got.modules["knn"].text == KNN


@pytest.mark.parametrize("name", ["upload", "upload.tar", "upload.bin"])
def test_the_kind_is_told_by_content(taken, name):
    assert "knn" in taken(zipped(("knn.py", KNN)), name).modules


@pytest.mark.parametrize("make", [zipped, tarred])
@pytest.mark.parametrize(
    "evil", ["../evil.py", "a/../../evil.py", "/tmp/evil.py", "..\\evil.py", "C:\\evil.py", "\\\\host\\evil.py"]
)
def test_paths_that_lead_out_are_refused(taken, tmp_path, make, evil):
    got = taken(make((evil, b"evil"), ("knn.py", KNN)), "a.archive")
    assert got.files == ("knn.py",)
    assert not list(tmp_path.rglob("evil*")) and "evil.py" in remarks(got)


def test_backslashes_of_windows_are_folders(taken):
    assert taken(zipped(("hw\\code\\knn.py", KNN), ("hw\\empty\\", b""))).files == ("hw/code/knn.py",)


@pytest.mark.parametrize("name", ["new\nline.py", "tab\t.py", "-rf.py", "bell\a.py"])
def test_names_that_could_mislead_are_refused(taken, name):
    got = taken(zipped((name, b"x"), ("knn.py", KNN)))
    assert got.files == ("knn.py",) and len(got.ignored) == 1 and "\n" not in str(got.ignored[0])


def test_a_name_with_nul_is_refused(taken):
    data = zipped(("knn.pyX.txt", KNN), ("fine.py", b"x = 1"))
    got = taken(data.replace(b"knn.pyX.txt", b"knn.py\0.txt"))
    assert got.files == ("fine.py",) and "cannot be printed" in remarks(got)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_in_zips_are_refused(taken, kind):
    with pytest.raises(IntakeError, match=r"It is (a link|not an ordinary file)"):
        taken(zipped(("knn.py", b"/etc/passwd"), mode=kind | 0o777))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_tars_are_refused(taken, tmp_path, kind):
    with pytest.raises(IntakeError, match=r"It is (a link|not an ordinary file)"):
        taken(tarred(("knn.py", b""), kind=kind, link="/etc/passwd"), "a.tar")
    assert not list((tmp_path / "into").iterdir())


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_spellings_the_first_is_kept(taken):
    got = taken(zipped(("knn.py", KNN), ("KNN.PY", b"evil"), ("knn.py", b"evil"), ("knn.py/x.py", b"evil")))
    assert got.files == ("knn.py",) and got.modules["knn"].text == KNN
    assert remarks(got).count("came first: knn.py") == 3


def test_a_file_cannot_take_a_folders_place(taken):
    assert taken(zipped(("a.py/knn.py", KNN), ("A.py", b"x"))).files == ("a.py/knn.py",)


def test_permissions_in_the_archive_do_not_count(taken):
    got = taken(zipped(("knn.py", KNN), mode=stat.S_IFREG | 0o6777))
    assert stat.S_IMODE(got.modules["knn"].path.stat().st_mode) == 0o644


@pytest.mark.parametrize(("make", "name"), [(zipped, "a.zip"), (lambda *m: tarred(*m, mode="w:gz"), "a.tgz")])
def test_a_bomb_is_stopped_by_its_ratio(taken, tmp_path, make, name):
    with pytest.raises(IntakeError, match="times its size"):
        taken(make(("knn.py", KNN), ("a.pt", b"\0" * 4_000_000)), name, ratio_from=1_000_000)
    assert sum(p.stat().st_size for p in (tmp_path / "into").rglob("*") if p.is_file()) < 2_000_000


def test_a_bomb_in_a_tar_is_stopped_even_if_its_member_is_ignored(taken):
    with pytest.raises(IntakeError, match="times its size"):
        taken(tarred(("movie.avi", b"\0" * 2_000_000), mode="w:xz"), "a.txz", ratio_from=1_000_000)


def test_the_unpacked_size_is_capped(taken):
    with pytest.raises(IntakeError, match="unpacks to more than"):
        taken(tarred(("movie.avi", os.urandom(50_000)), ("knn.py", KNN)), "a.tar", expanded_bytes=20_000)


def test_the_upload_is_capped(taken):
    with pytest.raises(IntakeError, match="that are accepted"):
        taken(zipped(("knn.py", os.urandom(5000))), upload_bytes=1000)


@pytest.mark.parametrize(("make", "name"), [(zipped, "a.zip"), (tarred, "a.tar")])
def test_the_number_of_members_is_capped(taken, make, name):
    with pytest.raises(IntakeError, match="more than 20 files"):
        taken(make(*((f"{n}.txt", b"") for n in range(30))), name, members=20)


def test_a_zip_of_a_hundred_thousand_members_fails_fast(taken):
    one = zipped(("n" * 60, b""), packed=zipfile.ZIP_STORED)
    begin = one.index(b"PK\x01\x02")
    end = one.index(b"PK\x05\x06")
    entry, count = one[begin:end], 100_000
    tail = b"PK\x05\x06" + bytes(4) + b"\xff\xff\xff\xff" + (len(entry) * count).to_bytes(4, "little")
    data = one[:begin] + entry * count + tail + begin.to_bytes(4, "little") + bytes(2)
    start = time.process_time()
    with pytest.raises(IntakeError, match="more than 10000 files"):
        taken(data)
    assert time.process_time() - start < 1


def test_encrypted_zips_say_so(taken):
    data = bytearray(zipped(("knn.py", KNN)))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(IntakeError, match="without a password"):
        taken(bytes(data))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_cut_tars_are_damaged(taken, mode):
    data = tarred(("knn.py", KNN), ("w.pt", os.urandom(50_000)), mode=mode)
    with pytest.raises(IntakeError, match=r"damaged|not uploaded completely"):
        taken(data[: len(data) // 2], "a.tar")


def test_cut_and_altered_zips_are_damaged(taken, tmp_path):
    data = zipped(("knn.py", os.urandom(5000)), packed=zipfile.ZIP_STORED)
    altered = data[:1000] + bytes([data[1000] ^ 1]) + data[1001:]
    for number, bad in enumerate((data[:3000], altered)):
        (tmp_path / "bad.zip").write_bytes(bad)
        with pytest.raises(IntakeError, match="damaged"):
            intake(tmp_path / "bad.zip", WANTED, tmp_path / f"into{number}")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "an empty file"),
        (b"Rar!\x1a\x07", "a RAR"),
        (b"%PDF-1.4", "a PDF"),
        (b"<html>", "a web page"),
        (b"hello", ":"),
    ],
)
def test_other_files_are_no_archives(taken, data, words):
    with pytest.raises(IntakeError, match=f"not an archive.*{words}"):
        taken(data)


def test_unusual_packing_is_refused(taken):
    with pytest.raises(IntakeError, match="unusual method"):
        taken(zipped(("knn.py", KNN), packed=zipfile.ZIP_LZMA))


def test_archives_are_opened_one_level_deep(taken):
    innermost = zipped(("deepest.py", b"x = 1"))
    inner = tarred(("knn.py", KNN), ("more.zip", innermost), mode="w:gz")
    got = taken(zipped(("hw/code.tar.gz", inner), ("helper.py", b"h = 1")))
    assert got.files == ("helper.py", "hw/code/knn.py")
    assert "hw/code/more.zip: It is an archive in an archive" in remarks(got)


def test_a_bad_nested_archive_costs_itself_alone(taken):
    bomb = tarred(("a.pt", b"\0" * 2_000_000), mode="w:xz")
    files = (("bad.zip", b"PK\x03\x04junk"), ("bomb.tar.xz", bomb), ("knn.py", KNN))
    got = taken(zipped(*files), ratio_from=1_000_000)
    assert got.files == ("knn.py",) and "damaged" in remarks(got) and "times its size" in remarks(got)
    assert [p.name for p in got.folder.rglob("*") if p.is_file()] == ["knn.py"]


def test_archives_in_a_folder_are_opened(tmp_path):
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "hw.zip").write_bytes(zipped(("knn.py", KNN)))
    assert intake(tmp_path / "up", WANTED, tmp_path / "into").files == ("hw/knn.py",)


def test_sparse_members_are_refused(taken):
    data = tarred(("knn.py", b""), kind=tarfile.GNUTYPE_SPARSE)
    with pytest.raises(IntakeError):
        taken(data, "a.tar")


ZIP = zipped(("knn.py", KNN), ("b/c.ipynb", b'{"cells": []}'))
TAR = tarred(("knn.py", KNN), ("b/c.ipynb", b'{"cells": []}'))
PACKED = tarred(("knn.py", KNN), mode="w:gz")


@st.composite
def altered(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from([ZIP, TAR, PACKED])))
    for _ in range(draw(st.integers(1, 6))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


@settings(max_examples=120, deadline=None)
@given(
    data=st.binary(max_size=300) | altered() | st.binary(max_size=100).map(lambda tail: b"PK\x03\x04" + tail),
    name=st.sampled_from(["u.zip", "u.tar", "u.tar.gz", "u.ipynb", "u.py"]),
)
def test_no_bytes_raise_anything_but_an_intake_error(data: bytes, name: str):
    with tempfile.TemporaryDirectory() as folder:
        upload = Path(folder) / name
        upload.write_bytes(data)
        try:
            got = intake(upload, WANTED, Path(folder) / "into")
        except IntakeError as error:
            assert str(error).endswith(".")
        else:
            assert {*got.modules, *got.missing} == set(WANTED)
            assert all((got.folder / file).is_file() for file in got.files)
