"""The manual's pictures of the terminal: made from what a command prints there, and loading nothing."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from grader import __version__

pytest.importorskip("pty")
DOCS = Path(__file__).parents[2] / "docs"
LOADED = re.compile(r"(?:url\(|href=|src=)[\"']?(?!#)([^\"')]+)")


@pytest.fixture(scope="module")
def terminal():
    """The module that makes them."""
    spec = importlib.util.spec_from_file_location("terminal", DOCS / "hooks" / "terminal.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_command_is_shown_as_it_prints(terminal, tmp_path):
    assert terminal.printed(["grader", "--version"], tmp_path) == [f"grader {__version__}\r\n"]


def test_frames_of_a_bar_are_told_apart(terminal):
    assert terminal.NEW_FRAME.split("1/2\r\x1b[2K2/2\n\r\x1b[1A\x1b[2Kdone") == ["1/2", "2/2\n", "done"]


def test_a_picture_holds_the_text_in_its_colours(terminal):
    text = terminal.svg("$ grader check", "\x1b[31mwrong\x1b[0m\r\n", terminal.THEMES["light"], "name")
    shown = "".join(ElementTree.fromstring(text).itertext()).replace("\xa0", " ")
    assert "$ grader check" in shown and "wrong" in shown
    assert "#b3261e" in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "").replace("https://www.textualize.io", "")


@pytest.mark.parametrize("path", sorted((DOCS / "pictures").glob("*.svg")), ids=lambda path: path.stem)
def test_what_is_kept_loads_nothing_and_names_no_folder_of_this_machine(path):
    text = path.read_text(encoding="utf-8")
    ElementTree.fromstring(text)
    assert LOADED.findall(text) == []
    assert "/tmp/" not in text and "Traceback" not in text
    name, _, kind = path.stem.rpartition("-")
    assert {kind, *(other.stem.rpartition("-")[2] for other in DOCS.glob(f"pictures/{name}-*.svg"))} == {
        "light",
        "dark",
    }
