"""``grader plots``: programs run as processes of their own; what they hand over becomes a page that loads nothing."""

from __future__ import annotations

import base64
import importlib.util
import io
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from grader.kit import plots
from grader.kit.figures import Chart, Line, Section, Tiles, picture, read, smoothed, weights, write
from grader.kit.plots import Asked, PlotsError, page

pytest.importorskip("matplotlib")
pytest.importorskip("PIL")

SECTION = Section(
    title="A0: <b>lines</b>",
    data="drawn, 3 & 4",
    about="A line goes up.",
    head=("", "test"),
    rows=(("net", "50.0 %"),),
    figures=(
        Chart("Accuracy", "It rises.", "k", "%", (Line("one", (1.0, 10.0), (2.0, 3.0)),), log_x=True),
        Tiles("Weights", "All.", ((weights(np.linspace(-1, 1, 27).reshape(3, 3, 3), "first"),),)),
    ),
)


class Page(HTMLParser):
    """The tags of a page, and the addresses of its pictures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert "style" not in dict(attrs)
        self.addresses += [value for name, value in attrs if name in ("src", "srcset")]


def test_sections_are_kept_as_they_are(tmp_path):
    write(tmp_path / "figures.json", [SECTION])
    assert read(tmp_path / "figures.json") == (SECTION,)
    (tmp_path / "figures.json").write_text('[{"title": 1}]')
    with pytest.raises(ValueError, match="data"):
        read(tmp_path / "figures.json")


def test_a_page_holds_charts_for_light_and_dark_and_loads_nothing():
    text = page([SECTION], Asked(seed=5))
    found = Page(text)
    assert "<h2>A0: &lt;b&gt;lines&lt;/b&gt;</h2>" in text and "seed 5" in text and "--quick" not in text
    assert "b" not in found.tags and "script" not in found.tags
    dark, light, tile = found.addresses
    assert dark != light
    for chart, ink in ((light, b"#1c1e21"), (dark, b"#e4e7eb")):
        content = base64.b64decode(chart.removeprefix("data:image/svg+xml;base64,"))
        assert ink in content
    assert base64.b64decode(tile.removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    assert page([SECTION], Asked(seed=5)) == text
    assert "say nothing about what the" in page([SECTION], Asked(quick=True))


def test_a_long_history_is_drawn_by_its_means():
    line = smoothed("loss", list(range(1000)), end=50.0)
    assert len(line.x) == len(line.y) == 100
    assert (line.x[0], line.x[-1]) == (0.25, 49.75)
    assert (line.y[0], line.y[-1]) == (4.5, 994.5)
    assert smoothed("loss", [3.0, 1.0]).y == (3.0, 1.0)


def test_weights_go_from_black_to_white():
    from PIL import Image

    tile = weights(np.linspace(-3, 7, 12).reshape(3, 2, 2))
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(tile.png))))
    assert pixels.shape == (2, 2, 3) and (pixels.min(), pixels.max()) == (0, 255)
    assert pixels[0, 0, 0] == 0 and pixels[1, 1, 2] == 255


def test_a_picture_keeps_its_colours():
    from PIL import Image

    red = np.zeros((3, 4, 5), np.uint8)
    red[0] = 200
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture(red).png))))
    assert pixels.shape == (4, 5, 3) and pixels[0, 0].tolist() == [200, 0, 0]


def test_a_course_without_such_programs_says_so(grader, tmp_path):
    code, _, errors = grader("plots", "warmup", "-o", tmp_path / "plots.html")
    assert code == 2
    assert "None of the references of warmup has a program figures.py" in errors
    assert not (tmp_path / "plots.html").exists()


def test_a_missing_library_is_named(grader, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "sacrebleu" else name)
    code, _, errors = grader("plots", "warmup")
    assert code == 2
    assert "grader plots needs sacrebleu; run: pip install 'scratchgrade[experiments]'" in errors


def test_a_program_that_fails_leaves_no_page(tmp_path, monkeypatch, toy):
    from grader.contract.course import Course

    monkeypatch.setattr(plots, "run", lambda assignment, arguments, name: 1)
    monkeypatch.setattr(plots, "FIGURES", "vectors.py")
    with pytest.raises(PlotsError, match=r"vectors\.py ended with exit code 1"):
        plots.plot([Course(toy).assignment("warmup")], Asked())


def made(out: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "grader.cli", "plots", *arguments, "--quick", "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out.read_text()


def test_one_assignment_is_plotted(tmp_path):
    text = made(tmp_path / "new" / "plots.html", "a1", "--seed", "3")
    assert re.findall("<h2>(.*)</h2>", text) == ["A1: k nearest neighbours"]
    assert "400 training and 100 test images" in text


@pytest.mark.slow
def test_all_references_are_plotted(tmp_path):
    text = made(tmp_path / "plots.html")
    assert [title.partition(":")[0] for title in re.findall("<h2>(.*)</h2>", text)] == ["A1", "A2", "A3", "A4", "A4"]
    for title in ("Accuracy by k", "Weights of the softmax", "First-layer filters", "Where attention looks"):
        assert f"<h3>{title}</h3>" in text
