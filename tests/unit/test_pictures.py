"""Pictures that the judge draws from numbers of a submission, and what each face makes of them."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from grader.contract.picture import MAX_CHARACTERS, Picture
from grader.contract.verdict import CheckFailed, Status, Verdict
from grader.contract.wording import student_pictures
from grader.gradescope.earlier import cleaned
from grader.gradescope.outputs import html_of, shown
from grader.gradescope.results import MAX_LENGTH
from grader.gradescope.simulation.preview import page
from grader.judge.pictures import Pictures


@pytest.fixture
def taken() -> list[Picture]:
    return []


@pytest.fixture
def pictures(taken) -> Pictures:
    return Pictures(taken.append)


def pixels(picture: Picture) -> np.ndarray:
    assert not picture.problem
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.png))))


def drawn(**changes) -> Picture:
    taken: list[Picture] = []
    Pictures(taken.append).curve("loss", [2.0, 1.0])
    return replace(taken[0], **changes)


def test_a_falling_curve_falls(pictures, taken):
    pictures.curve("loss", [2.0 - step / 1000 for step in range(1500)], "steps")
    (picture,) = taken
    rows = pixels(picture)[:-1, :, 3].argmax(axis=0)  # the highest pixel of each column
    assert (np.diff(rows) >= 0).all()
    assert rows[0] == 0
    assert rows[-1] > 100
    assert picture.caption == "from 2 to 0.501 in 1,500 steps; the axis is at 0"


@pytest.mark.parametrize(
    "values",
    [
        [], [1.0], [0.0, 0.0], [1.0, float("nan")], [1.0, float("inf")], [1.0, 10**400], ["a", "b"], None, "text",
        [[1.0], [2.0]], torch.zeros(2, 2), torch.tensor([1j, 2j]), {"a": 1}, [True, False],
    ],
)  # fmt: skip
def test_what_is_no_curve_gives_no_picture(pictures, taken, values):
    pictures.curve("loss", values)
    assert not taken


def test_a_submission_that_has_no_numbers_loses_nothing(pictures, taken):
    def ask():
        raise CheckFailed("no loss_history")

    pictures.curve("loss", ask)
    pictures.tiles("weights", ask)
    assert not taken
    pictures.curve("loss", lambda: [3.0, 1.0])
    assert len(taken) == 1


def test_tiles_stand_in_rows_of_five_each_from_black_to_white(pictures, taken):
    images = torch.zeros(7, 3, 4, 2, dtype=torch.float64)
    for n in range(7):
        images[n, 0, 1, 1] = 10.0**n  # one red pixel each, of whatever size
        images[n, 1, 0, 0] = -(10.0**n)
    pictures.tiles("weights", images)
    grid = pixels(taken[0])
    assert grid.shape == (8, 10, 3)
    for n in range(7):
        tile = grid[4 * (n // 5) :, 2 * (n % 5) :][:4, :2]
        assert tuple(tile[1, 1]) == (255, 128, 128)
        assert tile[0, 0, 1] == 0
    assert not grid[4:, 4:].any()
    assert taken[0].caption.startswith("7 in order")


def test_of_many_tiles_ten_are_shown_and_the_largest_fit(pictures, taken):
    pictures.tiles("weights", np.random.default_rng(0).normal(size=(200, 3, 32, 32)))
    assert pixels(taken[0]).shape == (64, 160, 3)
    assert taken[0].caption.startswith("the first 10 of 200")


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((2, 3, 4)), np.zeros((0, 3, 4, 4)), np.zeros((1, 2, 4, 4)), np.full((1, 3, 4, 4), np.nan),
        np.zeros((1, 3, 500, 500)), None, [1, 2],
    ],
)  # fmt: skip
def test_what_are_no_images_gives_no_picture(pictures, taken, values):
    pictures.tiles("weights", values)
    assert not taken


def test_equal_and_enormous_numbers_are_drawn(pictures, taken):
    pictures.tiles("weights", np.full((1, 3, 2, 2), 5.0))
    pictures.tiles("weights", np.array([1e308, -1e308, 0.0] * 4).reshape(1, 3, 2, 2))
    assert [pixels(picture).max() for picture in taken] == [0, 255]


@pytest.mark.parametrize(
    "changes",
    [{"png": "no base64"}, {"png": base64.b64encode(b"GIF89a").decode()}, {"width": 0}, {"png": "A" * 60_004}],
)
def test_what_is_no_picture_says_so(changes):
    assert drawn(**changes).problem
    assert not drawn().problem


# ------------------------------------------------------------------------------------------------------------- faces


def verdict(**changes) -> Verdict:
    return replace(Verdict("t.py::one", "1.1", "Trains.", Status.PASSED, 1, 1, pictures=(drawn(),)), **changes)


def test_fixed_text_hides_pictures():
    assert student_pictures(verdict()) == (drawn(),)
    assert not student_pictures(verdict(fixed_text="Hidden."))


def test_html_holds_the_text_escaped_and_what_fits():
    text = "a < b & 'c'\n    <script>alert(1)</script>"
    html = html_of(text, [drawn(), drawn(title='"><b>')], MAX_LENGTH)
    assert "<script>" not in html
    assert "<b>" not in html
    read = shown(html, "html")
    assert read.text.startswith(text)
    assert read.pictures == ((drawn().address, 480),) * 2
    assert len(html_of("x", [drawn(png="A" * (MAX_CHARACTERS - 100))] * 3, MAX_LENGTH)) <= MAX_LENGTH
    assert html_of("x" * MAX_LENGTH, [drawn()], MAX_LENGTH) == ""
    assert shown("<b>plain</b>", "text").text == "<b>plain</b>"


def test_the_preview_shows_words_and_pictures_and_nothing_that_acts():
    evil = (
        f'<pre>fine</pre><img src="{drawn().address}" width="480"><script>alert(1)</script><img src="http://x/y.png">'
    )
    test = {"name": "one", "score": 1, "output": evil, "output_format": "html"}
    html = page({"score": 1, "tests": [test]}, "", "title")
    assert html.count(f'<img src="{drawn().address}" width="480" alt="">') == 2  # the student's view, and that of staff
    assert "<script" not in html
    assert "http://x" not in html


def test_earlier_results_are_shown_again_without_pictures():
    output = html_of("It was wrong.", [drawn()], MAX_LENGTH)
    again = cleaned({"tests": [{"number": "1", "output": output, "output_format": "html"}]})
    (test,) = again["tests"]
    assert test["output"].splitlines()[0] == "It was wrong."
    assert "base64" not in json.dumps(again)
