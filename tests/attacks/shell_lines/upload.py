"""Hands in a notebook."""

from pathlib import Path

from corpus import as_notebook

CELLS = ["!touch @MARKER@\n", "%run evil.py\n", "%%bash\ntouch @MARKER@\n", "get_ipython().system('touch @MARKER@')\n"]


def make(folder: Path) -> Path:
    return as_notebook(folder, CELLS)
