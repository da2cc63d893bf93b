"""Curves and pictures of a report: whatever a submission returned, they are small, finite, and the same everywhere."""

from __future__ import annotations

import base64
import io
import math

import pytest
import torch

from grader.judge.figures import MOST_FIGURES, MOST_POINTS, Show


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    show = Show()
    show.curve("loss", [1 / (step + 1) for step in range(1000)])
    (figure,) = show.figures
    assert len(figure.curve) == MOST_POINTS
    assert (figure.curve[0], figure.curve[-1]) == (1.0, 0.001)


@pytest.mark.parametrize("values", [None, "text", [], [1.0], [object()], [[1.0, 2.0]], [math.nan, math.inf, 1.0]])
def test_what_is_no_curve_is_left_out(values):
    show = Show()
    show.curve("loss", values)
    assert show.figures == []


@pytest.mark.parametrize(
    "images",
    [None, torch.ones(3), torch.ones(0, 2, 2), torch.ones(1, 2, 2, 4), torch.ones(1, 500, 2), torch.ones(1, 0, 3)],
)
def test_what_is_no_image_is_left_out(images):
    show = Show()
    show.tiles("weights", images)
    assert show.figures == []


def test_tiles_become_a_picture_each_in_its_own_range():
    image = pytest.importorskip("PIL.Image")
    first = torch.tensor([[0.0, 1.0], [0.5, math.nan]])
    show = Show()
    show.tiles("weights", torch.stack([first, 100 * first, torch.ones(2, 2)]))
    picture = image.open(io.BytesIO(base64.b64decode(show.figures[0].picture)))
    assert picture.size == (2 + 2 + 2 + 2 + 2, 2)
    assert [picture.getpixel(place)[0] for place in ((0, 0), (1, 0), (0, 1), (4, 0), (5, 0), (2, 0))] == [
        0, 255, 128, 0, 255, 255
    ]  # fmt: skip


def test_there_are_never_many():
    show = Show()
    for _ in range(20):
        show.curve("loss", [1.0, 2.0])
    assert len(show.figures) == MOST_FIGURES
