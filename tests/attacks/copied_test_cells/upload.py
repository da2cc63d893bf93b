"""Hands in a notebook."""

from pathlib import Path

from corpus import as_notebook

CELLS = ["def test_norms(*_):\n    pass\n", "assert True\nscore = 100\n"]


def make(folder: Path) -> Path:
    return as_notebook(folder, CELLS)
