"""Data sets that are drawn from a seed: shapes10 and scenes."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import pytest

from grader.datasets import captions, scenes, shapes10
from grader.datasets.drawing import SHAPES, Placement, coverage_of, ellipses, to_bytes, waves


@pytest.fixture(scope="module")
def shapes():
    return shapes10.make(n_train=600, n_test=200, seed=3)


@pytest.fixture(scope="module")
def drawn():
    return scenes.make(n_train=160, n_val=40, seed=3)


def test_shapes_have_the_form_of_cifar10(shapes):
    assert (shapes.x_train.shape, shapes.x_test.shape) == ((600, 3, 32, 32), (200, 3, 32, 32))
    assert (shapes.x_train.dtype, shapes.y_train.dtype, shapes.y_test.dtype) == (np.uint8, np.int64, np.int64)
    assert np.bincount(np.concatenate([shapes.y_train, shapes.y_test])).tolist() == [80] * 10
    assert len(shapes.classes) == 10 and shapes.name == "shapes10" and shapes.canonical
    assert shapes.summary == "shapes10, drawn from seed 3 (600 training and 200 test images)"


def test_a_seed_gives_the_same_images_everywhere(shapes):
    again = shapes10.make(n_train=600, n_test=200, seed=3)
    assert np.array_equal(again.x_train, shapes.x_train) and again.digest == shapes.digest
    assert shapes10.make(n_train=600, n_test=200, seed=4).digest != shapes.digest
    assert hashlib.sha256(shapes.x_train[:20].tobytes()).hexdigest()[:16] == "06618a7785432c19"


def test_no_image_occurs_twice(shapes):
    images = np.concatenate([shapes.x_train, shapes.x_test])
    assert len({image.tobytes() for image in images}) == len(images)


def test_a_changed_look_is_not_the_set_of_that_name():
    assert not shapes10.make(10, 10, look=shapes10.Look(noise=0.0)).canonical


def test_habitats_do_not_hang_on_the_seed():
    """The mean image of a class is nearly the same for two seeds, and differs from class to class."""
    calm = shapes10.Look(light=0.3, contrast=(0.0, 1e-9), clutter=0, noise=0.0, habitat=3.0, twin=0.0)
    means = []
    for seed in (0, 1):
        made = shapes10.make(600, 10, seed, calm)
        means.append([made.x_train[made.y_train == label].mean(axis=0).ravel() for label in range(10)])
    alike = np.corrcoef(means[0], means[1])[:10, 10:]
    assert alike.diagonal().min() > 0.9 and (alike.argmax(axis=1) == np.arange(10)).all()


def test_twin_habitats_cannot_be_seen_in_the_mean():
    calm = shapes10.Look(light=0.3, contrast=(0.0, 1e-9), clutter=0, noise=0.0, habitat=0.0, twin=3.0)
    made = shapes10.make(2000, 10, 0, calm)
    x = made.x_train[made.y_train == 0].reshape(-1, 3072) / 255.0
    assert np.abs(x.mean(axis=0) - 0.5).mean() < 0.1 * x.std(axis=0).mean() * 3
    projected = (x - 0.5) @ np.linalg.svd(x - 0.5, full_matrices=False)[2][0]
    assert min((projected > 0).mean(), (projected < 0).mean()) > 0.3


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_lies_within_its_square_and_leaves_some_of_it_free(name):
    one = Placement(np.zeros(1), np.zeros(1), np.full(1, 0.8), np.zeros(1))
    covered = coverage_of(np.zeros(1, np.int64), [SHAPES[name]], one, 64).reshape(64, 64)
    assert 0.04 < covered.mean() < 0.5 and covered.max() == 1.0
    assert covered[:5].max() == covered[-5:].max() == covered[:, :5].max() == covered[:, -5:].max() == 0.0


def test_a_shape_moves_turns_and_grows():
    def centre_and_area(x, y, size, angle):
        place = Placement(*(np.array([float(value)]) for value in (x, y, size, angle)))
        covered = coverage_of(np.zeros(1, np.int64), [SHAPES["crescent"]], place, 128).reshape(128, 128)
        axis = (np.arange(128) + 0.5) / 64 - 1
        area = covered.sum()
        return (covered.sum(axis=0) @ axis / area, covered.sum(axis=1) @ axis / area), area / 64**2

    (x0, y0), area = centre_and_area(0, 0, 0.4, 0)
    (x1, y1), _ = centre_and_area(0.3, -0.2, 0.4, 0)
    assert (x1 - x0, y1 - y0) == (pytest.approx(0.3, abs=1e-3), pytest.approx(-0.2, abs=1e-3))
    (x2, y2), larger = centre_and_area(0, 0, 0.8, np.pi / 2)
    assert (x2, y2) == (pytest.approx(-2 * y0, abs=1e-2), pytest.approx(2 * x0, abs=1e-2))
    assert larger == pytest.approx(4 * area, rel=0.02)


def test_an_ellipse_has_its_area():
    place = Placement(np.zeros(1), np.zeros(1), np.full(1, 0.9), np.full(1, 0.3))
    covered = ellipses(place, np.full(1, 2.0), 128)
    assert covered.sum() / 64**2 == pytest.approx(np.pi * (0.7 * 0.9) ** 2 / 2, rel=0.02)


def test_smooth_fields_are_orthogonal_and_fall_off():
    fields, falloff = waves(32, 4)
    products = fields @ fields.T
    assert np.allclose(products, np.diag(products.diagonal()))
    assert falloff[0] == 1.0 and falloff.min() == 1 / 19


def test_bytes_are_rounded_and_clipped():
    values = np.array([[-1.0, 0.0, 0.5, 2.0]])[:, None]
    assert to_bytes(values, 2).tolist() == [[[[0, 0], [128, 255]]]]


# ---------------------------------------------------------------- scenes


def sentences(drawn, rows):
    return [" ".join(drawn.words[number] for number in row) for row in rows[:, 0]]


def test_scenes_have_pictures_and_numbered_captions(drawn):
    assert (drawn.images_train.shape, drawn.images_val.shape) == ((160, 3, 112, 112), (40, 3, 112, 112))
    assert (drawn.captions_train.shape, drawn.captions_val.shape) == ((160, 1, 14), (40, 1, 14))
    assert (drawn.images_train.dtype, drawn.captions_train.dtype) == (np.uint8, np.int64)
    assert drawn.words[:4] == ("<NULL>", "<START>", "<END>", "<UNK>")
    assert drawn.word_to_idx["<END>"] == captions.END and drawn.word_to_idx["a"] == 4
    assert f"(160 training and 40 validation pictures, {len(drawn.words)} words)" in drawn.summary


def test_captions_follow_the_grammar(drawn):
    thing = rf"a (small|large|<UNK>) (?:{'|'.join(scenes.COLOURS)}) (?:{'|'.join(SHAPES)}|<UNK>)"
    relation = "|".join(scenes.RELATIONS)
    caption = rf"<START> {thing} (?:on a (?:light|dark) background|(?:{relation}) {thing}) <END>(?: <NULL>)*"
    assert all(re.fullmatch(caption, text) for text in sentences(drawn, drawn.captions_train))


def test_captions_are_true(drawn):
    """The colour that is named alone is found, and where two are named, they lie as the caption says."""
    checked = 0
    for image, text in zip(drawn.images_train, sentences(drawn, drawn.captions_train), strict=True):
        found = re.match(r"<START> a \S+ (\w+) \S+ (above|below|left of|right of) a \S+ (\w+) ", text)
        if found is None or found[1] == found[3]:
            continue
        (x1, y1), (x2, y2) = (place_of(image, scenes.COLOURS[colour]) for colour in (found[1], found[3]))
        apart = {"above": y2 - y1, "below": y1 - y2, "left of": x2 - x1, "right of": x1 - x2}
        assert apart[found[2]] > 15, text
        checked += 1
    assert checked > 60


def place_of(image, colour):
    """Mean place of the pixels nearest to a colour."""
    distance = np.abs(image / 255.0 - np.array(colour)[:, None, None]).max(axis=0)
    rows, columns = np.nonzero(distance < max(0.14, np.sort(distance.ravel())[20]))
    return np.median(columns), np.median(rows)


def test_scenes_follow_the_seed(drawn):
    assert scenes.make(n_train=160, n_val=40, seed=3).digest == drawn.digest
    assert scenes.make(n_train=160, n_val=40, seed=4).digest != drawn.digest


# ---------------------------------------------------------------- words


def test_rare_words_are_unknown_and_frequent_ones_come_first():
    told = [["a", "dog"], ["a", "cat"], ["a", "cat"]]
    words = captions.vocabulary(told, often=2)
    assert words == ("<NULL>", "<START>", "<END>", "<UNK>", "a", "cat")
    assert captions.numbered([["a", "dog"], []], words, 5).tolist() == [[1, 4, 3, 2, 0], [1, 2, 0, 0, 0]]


def test_a_long_sentence_keeps_its_end_mark():
    words = captions.vocabulary([["a"]], often=1)
    assert captions.numbered([["a"] * 9], words, 5).tolist() == [[1, 4, 4, 4, 2]]
