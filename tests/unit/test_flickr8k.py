"""Flickr8k as two zip files, on a small set in the same form."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from grader.datasets.captions import CaptionSet, load_flickr8k
from grader.datasets.problems import DataError
from grader.datasets.store import Store, kind_at

Image = pytest.importorskip("PIL.Image")

COUNT = 20


def picture(index: int, side: int = 112) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side), (10 * index, 100, 200)).save(file, "JPEG")
    return file.getvalue()


def write(root, rows=None, pictures=None, header="image,caption"):
    pictures = {f"{index:02}.jpg": picture(index) for index in range(COUNT)} if pictures is None else pictures
    if rows is None:
        rows = [f'{name},"A dog , number {row} , runs in {name[:2]}s ."' for name in pictures for row in range(5)]
    root.mkdir(exist_ok=True)
    with zipfile.ZipFile(root / "images.zip", "w") as archive:
        for name, content in pictures.items():
            archive.writestr(name, content)
    with zipfile.ZipFile(root / "captions.zip", "w") as archive:
        archive.writestr("captions.csv", "\n".join([header, *rows]) + "\n")
    return root


def test_pictures_and_captions_are_read_and_every_tenth_is_held_out(tmp_path):
    data = load_flickr8k(write(tmp_path))
    assert (data.images_train.shape, data.images_val.shape) == ((18, 3, 112, 112), (2, 3, 112, 112))
    assert (data.captions_train.shape, data.captions_val.shape) == ((18, 5, 17), (2, 5, 17))
    assert [int(image[0, 0, 0]) for image in data.images_val] == pytest.approx([90, 190], abs=3)
    text = [data.words[number] for number in data.captions_val[0, 3]]
    assert text[:9] == ["<START>", "a", "dog", "number", "3", "runs", "in", "<UNK>", "<END>"]
    assert set(text[9:]) == {"<NULL>"}
    numbers = {f"{index:02}s" for index in range(COUNT) if index % 10 != 9}
    assert set(data.words[4:]) == {"a", "dog", "in", "number", "runs", *"01234", *numbers}


def test_the_store_finds_and_keeps_it(tmp_path, monkeypatch):
    root = write(tmp_path / "set")
    store = Store(tmp_path / "cache")
    assert kind_at(root) == "flickr8k"
    data = store.open(str(root))
    assert isinstance(data, CaptionSet) and "(18 training and 2 validation pictures" in data.summary
    monkeypatch.setattr("grader.datasets.store.read", lambda source: pytest.fail("decoded again"))
    again = store.open(str(root))
    assert isinstance(again, CaptionSet) and again.words == data.words and again.digest == data.digest
    assert np.array_equal(again.captions_train, data.captions_train)
    monkeypatch.setenv("SCRATCHGRADE_FLICKR8K", str(root))
    assert store.open("flickr8k").digest == data.digest


def test_without_it_the_variable_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("SCRATCHGRADE_FLICKR8K", raising=False)
    with pytest.raises(DataError, match="set SCRATCHGRADE_FLICKR8K to its path"):
        Store(tmp_path).find("flickr8k")


def test_images_are_asked_of_sets_of_images_only(tmp_path):
    root = write(tmp_path / "set")
    with pytest.raises(DataError, match="labelled images were expected"):
        Store(tmp_path / "cache").images(str(root))


def test_a_variable_that_points_to_another_set(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRATCHGRADE_CIFAR10", str(write(tmp_path / "set")))
    with pytest.raises(DataError, match="holds flickr8k, and cifar10 was expected there; correct SCRATCHGRADE_CIFAR10"):
        Store(tmp_path / "cache").open("cifar10")


WRONG = {
    "header": ({"header": "a,b"}, "should begin with the columns"),
    "four captions": ({"rows": [f"{n:02}.jpg,a dog" for n in range(COUNT) for _ in range(4)]}, "does not of 00.jpg"),
    "no captions": ({"rows": []}, "does not of None"),
    "three columns": ({"rows": ["00.jpg,a,b"]}, "is damaged or incomplete"),
    "picture gone": ({"rows": ["zz.jpg,a dog"] * 5}, "is damaged or incomplete"),
    "picture cut": (
        {"pictures": {"00.jpg": picture(1)[:300]}, "rows": ["00.jpg,a"] * 5},
        "is damaged or incomplete",
    ),
    "picture of another size": (
        {"pictures": {"00.jpg": picture(1, 100)}, "rows": ["00.jpg,a"] * 5},
        "has 100 x 100 pixels; 112 x 112 were expected",
    ),
    "a bomb": ({"pictures": {"00.jpg": bytes(2**21)}, "rows": ["00.jpg,a"] * 5}, "more than the 1,048,576 bytes"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_told_in_a_sentence(tmp_path, kind):
    changed, said = WRONG[kind]
    with pytest.raises(DataError, match=said):
        load_flickr8k(write(tmp_path, **changed))


def test_a_file_that_is_no_archive(tmp_path):
    write(tmp_path)
    (tmp_path / "captions.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="is damaged or incomplete"):
        load_flickr8k(tmp_path)
