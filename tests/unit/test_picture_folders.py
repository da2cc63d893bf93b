"""CIFAR-10 as class folders of PNG files."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from grader.datasets.cifar10 import CLASSES
from grader.datasets.problems import DataError
from grader.datasets.store import Store

Image = pytest.importorskip("PIL.Image")


def picture(part: str, name: str, number: int) -> np.ndarray:
    seed = [len(part), *name.encode(), number]
    return np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def write_pictures(root, classes=CLASSES, counts=(12, 2)):
    for part, count in zip(("train", "test"), counts, strict=True):
        for name in classes:
            folder = root / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(picture(part, name, number)).save(folder / f"{number}.png")
    return root


def load(root):
    return Store(root / "cache").images(str(root))


def test_images_come_class_by_class_in_natural_order(tmp_path):
    write_pictures(tmp_path)
    images = load(tmp_path)
    assert images.classes == CLASSES
    assert images.y_train.tolist() == [label for label in range(10) for _ in range(12)]
    for index in (0, 11, 35, 119):
        assert np.array_equal(
            images.x_train[index].transpose(1, 2, 0), picture("train", CLASSES[index // 12], index % 12)
        )
    assert np.array_equal(images.x_test[3].transpose(1, 2, 0), picture("test", CLASSES[1], 1))
    assert (images.x_train.shape, images.x_train.dtype, images.y_test.dtype) == ((120, 3, 32, 32), np.uint8, np.int64)
    assert images.name == "cifar10" and not images.canonical
    assert images.summary == "CIFAR-10 from class folders of pictures (120 training and 20 test images)"


def test_other_classes_are_numbered_by_the_alphabet(tmp_path):
    write_pictures(tmp_path, ("owl", "ant", "cat"), (1, 1))
    assert load(tmp_path).classes == ("ant", "cat", "owl")


def test_digest_tells_sets_apart(tmp_path):
    first = load(write_pictures(tmp_path / "a", counts=(1, 1))).digest
    assert load(write_pictures(tmp_path / "b", counts=(1, 1))).digest == first
    Image.fromarray(picture("x", "y", 0)).save(tmp_path / "b" / "test" / "frog" / "0.png")
    assert load(tmp_path / "b").digest != first


def refusal(root) -> str:
    with pytest.raises(DataError) as caught:
        load(root)
    return str(caught.value)


def test_a_class_that_is_in_one_part_only(tmp_path):
    write_pictures(tmp_path, counts=(1, 1))
    (tmp_path / "test" / "frog" / "0.png").unlink()
    assert "not in both: frog." in refusal(tmp_path)


def test_a_picture_that_is_cut_short(tmp_path):
    write_pictures(tmp_path, counts=(1, 1))
    file = tmp_path / "train" / "bird" / "0.png"
    file.write_bytes(file.read_bytes()[:200])
    assert f"{file} is no complete PNG picture" in refusal(tmp_path)


def test_a_file_that_only_looks_like_a_picture(tmp_path):
    write_pictures(tmp_path, counts=(1, 1))
    (tmp_path / "train" / "bird" / "0.png").write_text("no picture")
    assert "is no complete PNG picture" in refusal(tmp_path)


@pytest.mark.parametrize(("shape", "mode"), [((64, 32), "RGB"), ((32, 32), "L"), ((32, 32), "RGBA")])
def test_a_picture_of_another_form(tmp_path, shape, mode):
    write_pictures(tmp_path, counts=(1, 1))
    Image.new(mode, shape).save(tmp_path / "test" / "ship" / "0.png")
    assert f"is a {shape[0]} x {shape[1]} picture in mode {mode}; 32 x 32 in RGB was expected." in refusal(tmp_path)


def test_without_pillow_the_way_out_is_named(tmp_path, monkeypatch):
    write_pictures(tmp_path, counts=(1, 1))
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert "install scratchgrade[images]" in refusal(tmp_path)
