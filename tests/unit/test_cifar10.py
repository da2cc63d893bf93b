"""The reader of the official CIFAR-10 files, on small sets in the same format, and on files made to harm."""

from __future__ import annotations

import gzip
import hashlib
import os
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from grader.datasets.cifar10 import ARCHIVE, CLASSES, FOLDER, load
from grader.datasets.imageset import ImageSet
from grader.datasets.problems import DataError

BATCHES = [f"data_batch_{index}" for index in range(1, 6)] + ["test_batch"]
SIZES = [3, 2, 4, 1, 2, 5]


def text(value: str) -> bytes:
    """A byte string as Python 2 pickled it."""
    return b"U" + bytes([len(value)]) + value.encode()


def python2_pickle(images: np.ndarray, labels: list[int]) -> bytes:
    """The instructions of an official batch: a dictionary of labels and one numpy array."""
    rows, columns = images.shape
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87R"
        + b"(K\x01"
        + b"".join(b"J" + struct.pack("<i", side) for side in (rows, columns))
        + b"\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        + b"\x89T"
        + struct.pack("<i", images.size)
        + images.tobytes()
        + b"tb"
    )
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + text("labels") + numbers + text("data") + array + b"u."


def python3_pickle(images: np.ndarray, labels: list[int], protocol: int = 2) -> bytes:
    return pickle.dumps({b"data": images, "labels": labels, "filenames": ["a.png"] * len(labels)}, protocol=protocol)


def images_of(name: str) -> np.ndarray:
    place = BATCHES.index(name)
    return np.random.default_rng(place).integers(0, 256, (SIZES[place], 3072), dtype=np.uint8)


def labels_of(name: str) -> list[int]:
    return [(7 * place + BATCHES.index(name)) % 10 for place in range(SIZES[BATCHES.index(name)])]


def write_set(root: Path, write: Callable[..., bytes] = python2_pickle) -> Path:
    folder = root / FOLDER
    folder.mkdir(parents=True)
    for name in BATCHES:
        (folder / name).write_bytes(write(images_of(name), labels_of(name)))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list(CLASSES)}, protocol=2))
    return folder


def write_archive(path: Path, folder: Path) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name in ["batches.meta", "data_batch_4", "test_batch", *BATCHES[:3], "data_batch_5"]:
            tar.add(folder / name, f"{FOLDER}/{name}")
    return path


def check_content(data: ImageSet) -> None:
    train = np.concatenate([images_of(name) for name in BATCHES[:5]])
    assert np.array_equal(data.x_train, train.reshape(12, 3, 32, 32))
    assert np.array_equal(data.x_test, images_of("test_batch").reshape(5, 3, 32, 32))
    assert data.y_train.tolist() == [label for name in BATCHES[:5] for label in labels_of(name)]
    assert data.y_test.tolist() == labels_of("test_batch")
    assert (data.x_train.dtype, data.y_train.dtype, data.x_test.dtype) == (np.uint8, np.int64, np.uint8)
    assert data.classes == CLASSES
    assert not data.canonical
    assert "not the official files (12 training and 5 test images)" in data.summary


@pytest.mark.parametrize("write", [python2_pickle, python3_pickle, lambda *a: python3_pickle(*a, protocol=4)])
def test_folder_and_its_parent_give_the_images_in_order(tmp_path, write):
    folder = write_set(tmp_path, write)
    for path in (folder, tmp_path):
        data = load(path)
        check_content(data)
        assert data.source == str(folder)


def test_archive_gives_the_same_whatever_the_order_of_its_members(tmp_path):
    folder = write_set(tmp_path / "made")
    archive = write_archive(tmp_path / ARCHIVE, folder)
    for path in (archive, tmp_path):
        data = load(path)
        check_content(data)
        assert data.source == str(archive)
    assert data.digest == load(folder).digest


def test_digest_tells_sets_apart(tmp_path):
    folder = write_set(tmp_path)
    before = load(folder).digest
    (folder / "test_batch").write_bytes(python2_pickle(images_of("test_batch") ^ 1, labels_of("test_batch")))
    assert load(folder).digest != before


def test_class_names_come_from_the_file_and_default_to_the_official_ones(tmp_path):
    folder = write_set(tmp_path)
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}, protocol=2))
    assert load(folder).classes == tuple("abcdefghij")
    (folder / "batches.meta").unlink()
    assert load(folder).classes == CLASSES


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        load(path)
    message = str(caught.value)
    assert str(path) in message and message.endswith(".") and "expected" in message
    return message


def test_a_path_that_is_not_there(tmp_path):
    assert "does not exist" in refusal(tmp_path / "nothing")


def test_a_folder_without_data(tmp_path):
    assert "holds neither" in refusal(tmp_path)


def test_a_missing_batch(tmp_path):
    folder = write_set(tmp_path)
    (folder / "data_batch_3").unlink()
    assert "lacks data_batch_3;" in refusal(folder)


@pytest.mark.parametrize("kept", [0, 1, 40, 3000, -1])
def test_a_batch_that_is_cut_short(tmp_path, kept):
    batch = write_set(tmp_path) / "data_batch_2"
    batch.write_bytes(batch.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"data_batch_2 is cut short or damaged"):
        load(tmp_path)


def test_an_archive_that_is_cut_short(tmp_path):
    archive = write_archive(tmp_path / ARCHIVE, write_set(tmp_path / "made"))
    archive.write_bytes(archive.read_bytes()[:-2000])
    assert "is no complete tar archive" in refusal(archive)


def test_a_file_that_is_no_archive(tmp_path):
    other = tmp_path / "notes.txt"
    other.write_text("not an archive")
    assert "is no complete tar archive" in refusal(other)


def test_an_archive_of_links_is_not_followed(tmp_path):
    folder = write_set(tmp_path / "made")
    archive = tmp_path / ARCHIVE
    with tarfile.open(archive, "w:gz") as tar:
        for name in BATCHES:
            member = tarfile.TarInfo(f"{FOLDER}/{name}")
            member.type, member.linkname = tarfile.SYMTYPE, str(folder / name)
            tar.addfile(member)
    assert "lacks data_batch_1" in refusal(archive)


def test_an_archive_that_would_fill_the_memory(tmp_path):
    archive = tmp_path / ARCHIVE
    header = tarfile.TarInfo(f"{FOLDER}/data_batch_1")
    header.size = 10**12
    archive.write_bytes(gzip.compress(header.tobuf()))
    assert "larger files" in refusal(archive)


class Calls:
    """Pickles as a call of ``function``."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


HOSTILE = {
    "system": lambda mark: Calls(os.system, f"touch {mark}"),
    "eval": lambda mark: Calls(eval, f"open({str(mark)!r}, 'w')"),
    "nested": lambda mark: {"data": [("deep", {"x": Calls(eval, f"open({str(mark)!r}, 'w')")})], "labels": []},
    "getattr": lambda mark: Calls(getattr, os, "system"),
    "load": lambda mark: Calls(np.load, str(mark)),
    "object": lambda mark: {"data": Path(mark), "labels": []},
}


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_pickle_is_refused_and_never_runs(tmp_path, kind, protocol):
    folder, mark = write_set(tmp_path), tmp_path / "ran"
    if kind == "getattr":
        content = b"\x80\x02cbuiltins\ngetattr\ncos\nsystem\nU\x04calls\x86R."
    else:
        content = pickle.dumps(HOSTILE[kind](mark), protocol=protocol)
    (folder / "data_batch_4").write_bytes(content)
    with pytest.raises(DataError, match=r"data_batch_4 (asks to load|uses the pickle instruction)"):
        load(folder)
    assert not mark.exists()


def test_a_hostile_pickle_says_what_it_asks_for(tmp_path):
    folder = write_set(tmp_path)
    (folder / "batches.meta").write_bytes(pickle.dumps(Calls(eval, "1"), protocol=2))
    with pytest.raises(DataError, match=r"batches\.meta asks to load '(__builtin__|builtins)\.eval'"):
        load(folder)


NONSENSE = {
    "calls a text": b"\x80\x02U\x01xU\x01y\x85R.",
    "calls a type by name": b"\x80\x02cnumpy\nndarray\nK\x01\x85R.",
    "state of a name": b"\x80\x02cnumpy\ndtype\n}U\x08__code__K\x01sb.",
    "state of a list": b"\x80\x02]K\x01b.",
    "key is a tuple": b"\x80\x02}K\x01\x85K\x01s.",
    "huge memo place": b"\x80\x02}r\xff\xff\xff\xff.",
    "memo never written": b"\x80\x02h\x09.",
    "pops an empty stack": b"\x80\x02R.",
    "no mark": b"\x80\x02}K\x01K\x01u.",
    "persistent": b"\x80\x02U\x01xQ.",
    "object array": b"\x80\x02cnumpy\ndtype\nU\x01OK\x00K\x01\x87R.",
    "extension": b"\x80\x02\x82\x01.",
    "not a dictionary": b"\x80\x02K\x01.",
    "deep name": b"\x80\x04)" + b"\x85" * 100_000 + b"\x8c\x01x\x93.",
    "impossible shape": b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    b"(K\x01\x8a\x10" + b"\x7f" * 16 + b"\x85cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R\x89U\x01xtb.",
}  # fmt: skip


@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense_ends_in_the_same_error(tmp_path, kind):
    folder = write_set(tmp_path)
    (folder / "test_batch").write_bytes(NONSENSE[kind])
    with pytest.raises(DataError, match="test_batch"):
        load(folder)


WRONG = {
    "width": (np.zeros((2, 3071), np.uint8), [0, 1], r"shape \(N, 3072\) and holds an array of shape \(2, 3071\)"),
    "flat": (np.zeros(3072, np.uint8), [0], r"holds an array of shape \(3072,\)"),
    "dtype": (np.zeros((2, 3072), np.float32), [0, 1], "not of type uint8"),
    "order": (np.asfortranarray(np.zeros((2, 3072), np.uint8)), [0, 1], "in row order"),
    "no array": ("text", [0, 1], "holds str"),
    "too few labels": (np.zeros((2, 3072), np.uint8), [0], "list of 2 integers"),
    "label ten": (np.zeros((2, 3072), np.uint8), [0, 10], "label 10; labels from 0 to 9 were expected"),
    "negative label": (np.zeros((2, 3072), np.uint8), [0, -1], "negative"),
    "truth values": (np.zeros((2, 3072), np.uint8), [0, True], "list of 2 integers"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_shapes_types_and_labels(tmp_path, kind):
    images, labels, said = WRONG[kind]
    folder = write_set(tmp_path)
    (folder / "data_batch_5").write_bytes(python3_pickle(images, labels))
    with pytest.raises(DataError, match=f"data_batch_5.*{said}"):
        load(folder)


def test_meta_without_class_names(tmp_path):
    folder = write_set(tmp_path)
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": []}, protocol=2))
    with pytest.raises(DataError, match="label_names"):
        load(folder)


@pytest.mark.slow
@pytest.mark.skipif("SCRATCHGRADE_CIFAR10" not in os.environ, reason="SCRATCHGRADE_CIFAR10 does not point to CIFAR-10")
def test_the_official_files():
    data = load(Path(os.environ["SCRATCHGRADE_CIFAR10"]))
    assert data.canonical and data.classes == CLASSES and "the official files (50,000" in data.summary
    sums = [hashlib.sha256(part.tobytes()).hexdigest()[:16] for part in (data.x_train, data.y_train, data.x_test)]
    assert sums == ["9d5c2eddadb0deff", "f5cfe00b0f00968c", "177777c33ba79825"]
    assert np.bincount(data.y_test).tolist() == [1000] * 10
    assert data.x_train.shape == (50_000, 3, 32, 32) and data.x_test.shape == (10_000, 3, 32, 32)
