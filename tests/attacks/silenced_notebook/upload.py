"""Hands in a notebook."""

from pathlib import Path

from corpus import as_notebook

CELLS = [
    "get_ipython().showtraceback = lambda *a, **k: None\n",
    "from IPython.core.interactiveshell import InteractiveShell\nInteractiveShell.showtraceback = lambda *a, **k: None\n",
]


def make(folder: Path) -> Path:
    return as_notebook(folder, CELLS)
