"""Hands in a notebook."""

import json
from pathlib import Path

CELLS = ["!touch @MARKER@\n", "%run evil.py\n", "%%bash\ntouch @MARKER@\n", "get_ipython().system('touch @MARKER@')\n"]


def make(folder: Path) -> Path:
    text = (folder / "vectors.py").read_text()
    cells = [
        {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": cell}
        for cell in (text, *CELLS)
    ]
    (folder / "vectors.py").unlink()
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "vectors.ipynb").write_text(json.dumps(content))
    return folder
