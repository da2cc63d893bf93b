"""The fixture ``accuracy`` with simulated predictors, which know images by heart, by what is in them, or not at all."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from grader.contract.assignment import Goal
from grader.contract.verdict import CheckFailed, PartlyMet, Status
from grader.judge.accuracy import Accuracy, Measured
from grader.judge.draw import Draw
from grader.judge.perturb import perturbed

N = 2000


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Images whose label is their mean brightness in steps of 20, and which are otherwise noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(N) % 10
    noise = rng.integers(-8, 9, (N, 3, 8, 8))
    return torch.from_numpy((40 + 20 * labels[:, None, None, None] + noise).astype(np.uint8))


LABELS = torch.arange(N) % 10


def recognised(x: torch.Tensor) -> torch.Tensor:
    return ((x.float().mean(dim=(1, 2, 3)) - 40) / 20).round().long()


class Predictor:
    """Right in ``percent`` of images, at random."""

    def __init__(self, percent: float, seed: int = 0) -> None:
        self.share = percent / 100
        self.generator = torch.Generator().manual_seed(seed)
        self.shown: list[int] = []

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        self.shown.append(len(x))
        wrong = torch.rand(len(x), generator=self.generator) >= self.share
        return (recognised(x) + wrong) % 10


class Bench:
    def __init__(self, images: torch.Tensor, needed: float = 50.0, floor: float = 30.0, seed: str = "s") -> None:
        self.notes: list[str] = []
        self.flags: list[str] = []
        draw = Draw(seed.encode(), "submission", "check")
        goal = Goal(needed, floor)
        self.accuracy = Accuracy(goal, images, LABELS, "toy", draw, self.notes.append, self.flags.append)


def test_a_bar_that_is_met_is_noted_with_interval_and_number_of_images(images):
    bench = Bench(images)
    measured = bench.accuracy(recognised)
    assert measured.percent == 100.0 and measured.shown == 500 < measured.population == 1800
    assert bench.notes == [
        "needed 50.0 % on toy, got 100.0 ± 0.4 % (95 %, 500 images of 1,800, enough to be sure)",
    ]
    assert not bench.flags


def test_close_to_the_bar_all_images_are_shown(images):
    predictor = Predictor(52)
    with pytest.raises(PartlyMet) as caught:
        Bench(images, needed=53.0).accuracy(predictor, batch=250)
    assert sum(predictor.shown) == N and "(95 %, 1,800 images)" in caught.value.explanation.got
    assert max(predictor.shown) <= 280


def test_between_floor_and_bar_points_grow_in_proportion(images):
    bench = Bench(images, needed=60, floor=40)
    with pytest.raises(PartlyMet) as caught:
        bench.accuracy(Predictor(50))
    percent = float(caught.value.explanation.got.split()[0])
    assert caught.value.share == pytest.approx((percent - 40) / 20, abs=0.003) and 0.3 < caught.value.share < 0.7
    assert caught.value.status is Status.PARTIAL
    assert caught.value.explanation.expected == "at least 60.0 % on toy"
    assert "1,800 images)" in caught.value.explanation.got and "points begin at 40.0 %" in str(caught.value)


def test_below_the_floor_there_are_no_points_and_it_ends_early(images):
    predictor = Predictor(12)
    with pytest.raises(CheckFailed) as caught:
        Bench(images).accuracy(predictor)
    assert not isinstance(caught.value, PartlyMet) and caught.value.share == 0.0
    assert sum(predictor.shown) < N and "enough to be sure" in caught.value.explanation.got


@pytest.mark.parametrize(("right", "met"), [(900, True), (899, False)])
def test_exactly_the_bar_is_enough_and_one_image_less_is_not(images, monkeypatch, right, met):
    measured = Measured(right, 1800, 1800, 0, 0)
    monkeypatch.setattr(Accuracy, "_measure", lambda self, predict, batch: measured)
    if met:
        assert Bench(images).accuracy(recognised) is measured
        return
    with pytest.raises(PartlyMet) as caught:
        Bench(images).accuracy(recognised)
    assert caught.value.share == pytest.approx((100 * 899 / 1800 - 30) / 20)


def test_looking_images_up_gains_nothing_and_is_flagged(images):
    table = {image.numpy().tobytes(): label for image, label in zip(images, LABELS.tolist(), strict=True)}
    bench = Bench(images)
    with pytest.raises(CheckFailed) as caught:
        bench.accuracy(lambda x: [table.get(image.numpy().tobytes(), 0) for image in x])
    assert caught.value.share == 0.0
    (flag,) = bench.flags
    assert "exactly as published, 100.0 % are recognised" in flag and "learned by heart" in flag


def test_no_image_is_shown_twice_and_published_ones_cannot_be_told_by_their_place(images):
    known = {image.numpy().tobytes(): index for index, image in enumerate(images)}
    published, places = [], []

    def predict(x):
        for place, image in enumerate(x):
            index = known.get(image.numpy().tobytes())
            if index is not None:
                published.append(index)
                places.append(place)
        return Predictor(51)(x)

    Bench(images).accuracy(predict)
    assert len(published) == len(set(published)) == 200
    assert min(places) < 100 and max(places) > 400


def test_order_and_changes_follow_the_seed(images):
    def seen(seed: str) -> bytes:
        shown: list[bytes] = []

        def predict(x):
            shown.append(x.numpy().tobytes())
            return recognised(x)

        Bench(images, seed=seed).accuracy(predict)
        return b"".join(shown)

    assert seen("a") == seen("a") != seen("b")


@pytest.mark.parametrize(
    "convert",
    [
        lambda labels: labels.to(torch.int32),
        lambda labels: labels.numpy(),
        lambda labels: labels.tolist(),
        lambda labels: labels.double(),
    ],
)
def test_containers_and_types_of_labels_are_free(images, convert):
    assert Bench(images).accuracy(lambda x: convert(recognised(x))).percent == 100.0


BAD = {
    "nothing": lambda x: None,
    "scores": lambda x: torch.zeros(len(x), 10),
    "too few": lambda x: torch.zeros(len(x) - 1),
    "texts": lambda x: ["cat"] * len(x),
    "one number": lambda x: 3,
    "complex": lambda x: torch.zeros(len(x), dtype=torch.complex64),
    "truth values": lambda x: torch.ones(len(x), dtype=torch.bool),
    "huge": lambda x: [2**70] * len(x),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_prediction_fails_with_a_sentence(images, kind):
    with pytest.raises(CheckFailed, match="one label for each image") as caught:
        Bench(images).accuracy(BAD[kind])
    assert caught.value.share == 0.0 and "whole numbers, of shape" in caught.value.explanation.expected


@pytest.mark.parametrize("label", [float("nan"), float("inf"), 0.5, -3, 10**6])
def test_labels_that_do_not_exist_are_wrong(images, label):
    with pytest.raises(CheckFailed) as caught:
        Bench(images).accuracy(lambda x: torch.full((len(x),), label, dtype=torch.float64))
    assert caught.value.explanation.got.startswith("0.0 ±")


def test_changes_are_small_and_touch_every_image(images):
    generator = torch.Generator().manual_seed(0)
    x = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (500, 3, 32, 32), dtype=np.uint8))
    changed = perturbed(x, generator)
    assert changed.shape == x.shape and changed.dtype == torch.uint8
    assert (changed != x).flatten(1).any(dim=1).all()
    padded = torch.nn.functional.pad(x.float(), (1, 1, 1, 1), mode="replicate")
    shifts = [padded[:, :, a : a + 32, b : b + 32] for a in range(3) for b in range(3)]
    distance = torch.stack([(shifted - changed).abs().amax(dim=(1, 2, 3)) for shifted in shifts])
    assert distance.amin(dim=0).max() <= 1
    assert set(distance.argmin(dim=0).tolist()) == set(range(9))


def test_bright_and_dark_do_not_wrap_around():
    x = torch.tensor([0, 255], dtype=torch.uint8)[:, None, None, None].expand(2, 3, 32, 32)
    changed = perturbed(x, torch.Generator().manual_seed(0))
    assert changed[0].max() <= 1 and changed[1].min() >= 254


@pytest.mark.parametrize("x", [torch.zeros(2, 3, 8, 8), torch.zeros(2, 192, dtype=torch.uint8)])
def test_only_images_of_bytes_are_changed(x):
    with pytest.raises(ValueError, match="uint8 images"):
        perturbed(x, torch.Generator())
