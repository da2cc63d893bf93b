"""The bars on CIFAR-10: a usual solution reaches all of them, and a point less than a bar is not enough."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from grader.contract.assignment import Goal
from grader.contract.course import default_course
from grader.contract.verdict import CheckFailed
from grader.judge.accuracy import Accuracy
from grader.judge.draw import Draw

N = 10_000
LABELS = torch.arange(N) % 10
# In percent of the test images. A3's networks: medians of public solutions, the first one's on validation images.
USUAL = {
    ("a1", "10.1"): 33.86,
    ("a2", "18.1"): 38.99,
    ("a2", "18.2"): 39.69,
    ("a2", "19.1"): 52.32,
    ("a3", "33.1"): 52.5,
    ("a3", "34.1"): 71.5,
}


def goals() -> Iterator[tuple[str, str, Goal]]:
    course = default_course()
    for name in course.names:
        for question in course.assignment(name).content.questions:
            for check, goal in question.goals.get("cifar10", {}).items():
                yield name, check, goal


GOALS = list(goals())


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Images whose label is their brightness in steps of 20."""
    return (40 + 20 * LABELS)[:, None, None, None].expand(N, 3, 4, 4).to(torch.uint8)


def judged(images: torch.Tensor, goal: Goal, percent: float, seed: int) -> bool:
    """Whether somebody passes who is right in exactly ``percent`` of the images, one as often as another."""
    right = torch.zeros(N, dtype=torch.bool)
    right[torch.from_numpy(np.random.default_rng(seed).permutation(N)[: round(percent / 100 * N)])] = True
    shown = 0

    def predict(x: torch.Tensor) -> torch.Tensor:
        nonlocal shown
        known = right[shown : shown + len(x)]
        shown += len(x)
        labels = ((x.float().mean(dim=(1, 2, 3)) - 40) / 20).round().long()
        return torch.where(known, labels, (labels + 1) % 10)

    draw = Draw(str(seed).encode(), "submission", "check")
    accuracy = Accuracy(goal, images, LABELS, "CIFAR-10", draw, lambda text: None, lambda text: None)
    try:
        accuracy(predict)
    except CheckFailed:
        return False
    return True


def test_every_bar_is_known_here():
    assert {(name, check) for name, check, _ in GOALS} == set(USUAL)


@pytest.mark.parametrize(("name", "check", "goal"), GOALS, ids=lambda part: part if isinstance(part, str) else "")
def test_usual_accuracies_pass_and_a_point_below_the_bar_does_not(images, name, check, goal):
    assert goal.needed < USUAL[name, check]
    for seed in range(10):
        assert judged(images, goal, USUAL[name, check], seed)
        assert not judged(images, goal, goal.needed - 1, seed)
