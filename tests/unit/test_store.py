"""The store: where sets are found, what is kept of them, and what happens when it cannot be kept or was damaged."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from test_cifar10 import write_archive, write_set

from grader.datasets import arrays, cifar10
from grader.datasets.problems import DataError
from grader.datasets.store import Origin, Store, kind_at


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    monkeypatch.delenv("SCRATCHGRADE_CIFAR10", raising=False)
    monkeypatch.delenv("SCRATCHGRADE_CACHE", raising=False)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path, told) -> Store:
    return Store(tmp_path / "cache", told.append)


def entries(store: Store) -> list[Path]:
    return sorted(store.cache.glob("arrays/cifar10-*"))


def leftovers(store: Store) -> list[Path]:
    return [path for path in store.cache.rglob("*") if "part" in path.name or "old" in path.name]


# ---------------------------------------------------------------- finding


def test_a_given_path_comes_first_then_the_variable_then_the_cache(store, tmp_path, monkeypatch):
    given = write_set(tmp_path / "given")
    assert store.find(str(given)).origin is Origin.GIVEN
    with pytest.raises(
        DataError, match=r"is not on this machine; run 'grader data fetch cifar10', set SCRATCHGRADE_CIFAR10"
    ):
        store.find("cifar10")
    archive = store.cache / "downloads" / cifar10.ARCHIVE
    archive.parent.mkdir(parents=True)
    write_archive(archive, given)
    assert store.find("cifar10").path == archive
    monkeypatch.setenv("SCRATCHGRADE_CIFAR10", str(given))
    found = store.find("cifar10")
    assert (found.origin, found.path) == (Origin.VARIABLE, given)


def test_a_path_without_data_is_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        kind_at(tmp_path / "nothing")


def test_the_default_cache_can_be_moved(monkeypatch, tmp_path):
    assert "scratchgrade" in str(Store.default().cache)
    monkeypatch.setenv("SCRATCHGRADE_CACHE", str(tmp_path))
    assert Store.default().cache == tmp_path


# ---------------------------------------------------------------- keeping


def test_arrays_are_decoded_once_and_mapped_afterwards(store, tmp_path, monkeypatch):
    folder = write_set(tmp_path)
    first = store.images(str(folder))
    monkeypatch.setattr("grader.datasets.store.read", lambda source: pytest.fail("decoded again"))
    again = store.images(str(folder))
    expected = cifar10.load(folder)
    for images in (first, again):
        assert isinstance(images.x_train.base, np.memmap)
        assert np.array_equal(images.x_train, expected.x_train) and np.array_equal(images.y_test, expected.y_test)
        assert (images.digest, images.classes, images.summary) == (expected.digest, expected.classes, expected.summary)


def test_files_in_the_cache_are_read_only_and_cannot_be_changed_through_a_map(store, tmp_path):
    folder = write_set(tmp_path)
    images = store.images(str(folder))
    images.x_train[:] = 0
    assert store.images(str(folder)).x_train.any()
    (entry,) = entries(store)
    assert {file.stat().st_mode & 0o777 for file in entry.iterdir()} == {0o444}


def test_other_files_make_another_entry(store, tmp_path):
    folder = write_set(tmp_path)
    before = store.images(str(folder)).digest
    (folder / "test_batch").write_bytes((folder / "data_batch_2").read_bytes())
    assert store.images(str(folder)).digest != before
    assert len(entries(store)) == 2


def damage_content(entry: Path) -> None:
    file = entry / "x_test.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)


def cut(name: str, kept: int):
    def damage(entry: Path) -> None:
        (entry / name).chmod(0o644)
        os.truncate(entry / name, kept)

    return damage


def put(name: str, text: str):
    def damage(entry: Path) -> None:
        (entry / name).chmod(0o644)
        (entry / name).write_text(text)

    return damage


DAMAGES = {
    "one bit": damage_content,
    "array cut short": cut("x_train.npy", 1000),
    "array empty": cut("y_train.npy", 0),
    "array gone": lambda entry: (entry / "y_test.npy").unlink(),
    "about cut short": cut("about.json", 40),
    "about of another kind": put("about.json", "[1, 2]"),
    "about of another format": put("about.json", '{"format": 0, "arrays": {}, "facts": {}}'),
    "about without facts": put("about.json", '{"format": 1, "arrays": {}, "facts": {}}'),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_entry_is_noticed_and_made_anew(store, told, tmp_path, kind):
    folder = write_set(tmp_path)
    expected = store.images(str(folder)).digest
    (entry,) = entries(store)
    DAMAGES[kind](entry)
    images = store.images(str(folder))
    assert images.digest == expected and np.array_equal(images.x_test, cifar10.load(folder).x_test)
    assert told and "made anew" in told[0] and str(entry) in told[0]
    assert store.images(str(folder)).digest == expected and len(told) == 1
    assert not leftovers(store)


def test_what_a_killed_writer_left_is_removed_and_never_read(store, tmp_path):
    folder = write_set(tmp_path)
    entry = store.entry(store.find(str(folder)))
    half = entry.with_name(f".{entry.name}.0123.part")
    half.mkdir(parents=True)
    (half / "x_train.npy").write_bytes(b"half")
    assert store.images(str(folder)).digest == cifar10.load(folder).digest
    assert not half.exists()


def _open(cache: Path, folder: str, gate, results) -> None:
    gate.wait()
    told: list[str] = []
    images = Store(cache, told.append).images(folder)
    results.put((images.digest, int(images.x_train.sum()), told))


def test_many_processes_that_start_at_once_agree(store, tmp_path):
    folder = write_set(tmp_path)
    context = multiprocessing.get_context("fork")
    gate, results = context.Barrier(8), context.Queue()
    running = [context.Process(target=_open, args=(store.cache, str(folder), gate, results)) for _ in range(8)]
    for process in running:
        process.start()
    found = [results.get(timeout=60) for _ in running]
    for process in running:
        process.join()
    expected = cifar10.load(folder)
    assert found == [(expected.digest, int(expected.x_train.sum()), [])] * 8
    assert len(entries(store)) == 1 and not leftovers(store)


# ---------------------------------------------------------------- when nothing can be kept


@contextmanager
def full_disk(bytes_left: int) -> Iterator[None]:
    """No file grows beyond ``bytes_left``, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("bytes_left", [0, 100, 20_000])
def test_a_full_disk_costs_the_cache_and_nothing_else(store, told, tmp_path, bytes_left):
    folder = write_set(tmp_path)
    with full_disk(bytes_left):
        images = store.images(str(folder))
    assert images.digest == cifar10.load(folder).digest
    assert len(told) == 1 and "cannot keep it" in told[0] and told[0].endswith(".")
    assert not entries(store) and not leftovers(store)
    store.images(str(folder))
    assert len(entries(store)) == 1


@contextmanager
def as_nobody() -> Iterator[None]:
    """The rights of a user who owns nothing, also where tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_cache_is_used_where_it_has_the_set_and_passed_by_where_it_has_not(told):
    with tempfile.TemporaryDirectory() as root:
        Path(root).chmod(0o755)
        known, other = write_set(Path(root, "known")), write_set(Path(root, "other"))
        cache = Path(root, "cache")
        Store(cache).images(str(known))
        for path in (cache, *cache.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        store = Store(cache, told.append)
        with as_nobody():
            assert isinstance(store.images(str(known)).x_test.base, np.memmap) and not told
            assert store.images(str(other)).digest == cifar10.load(other).digest
        assert len(told) == 1 and "cannot keep it" in told[0]
        for path in (cache, *cache.rglob("*")):
            path.chmod(0o755)


def test_a_cache_folder_that_is_a_file(told, tmp_path):
    (tmp_path / "cache").write_text("not a folder")
    folder = write_set(tmp_path)
    assert Store(tmp_path / "cache", told.append).images(str(folder)).digest == cifar10.load(folder).digest
    assert len(told) == 1


# ---------------------------------------------------------------- verifying


def test_verify_reads_the_source_and_compares(store, tmp_path):
    folder = write_set(tmp_path)
    assert store.verify(str(folder)).digest == cifar10.load(folder).digest
    store.images(str(folder))
    assert store.verify(str(folder)).digest == cifar10.load(folder).digest


def test_verify_notices_what_names_sizes_and_times_do_not_tell(store, tmp_path):
    folder = write_set(tmp_path)
    store.images(str(folder))
    file = folder / "test_batch"
    content, times = bytearray(file.read_bytes()), file.stat()
    content[-10] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(DataError, match="differs from its source; remove that folder"):
        store.verify(str(folder))


def test_verify_notices_a_damaged_entry(store, tmp_path):
    folder = write_set(tmp_path)
    store.images(str(folder))
    damage_content(entries(store)[0])
    with pytest.raises(DataError, match=r"x_test\.npy with another checksum"):
        store.verify(str(folder))


def test_entries_of_arrays_hold_any_facts(tmp_path):
    entry = arrays.Entry({"a": np.arange(6).reshape(2, 3).T}, {"names": ["x"], "n": 3})
    arrays.write(tmp_path / "e", entry)
    back = arrays.read(tmp_path / "e")
    assert back.arrays["a"].tolist() == [[0, 3], [1, 4], [2, 5]] and back.facts == {"names": ["x"], "n": 3}
    assert json.loads((tmp_path / "e" / "about.json").read_text())["format"] == arrays.FORMAT
