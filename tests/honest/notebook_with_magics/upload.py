"""Turns one module into a notebook."""

import json
from pathlib import Path

BEFORE = [
    "# My homework\n",
    "%matplotlib inline\n%load_ext autoreload\n%autoreload 2\n",
    "!pip install numpy\n!nvidia-smi\n",
]
AFTER = [
    "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\n",
    "%timeit norms(torch.ones(3, 4))\n",
    "files = !ls\nfiles?\n",
]


def make(folder: Path) -> Path:
    text = (folder / "vectors.py").read_text()
    cells = [{"cell_type": "markdown", "metadata": {}, "source": BEFORE[0]}]
    for source in (*BEFORE[1:], *text.split("\n\n\n"), *AFTER):
        cells.append({"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": 1, "source": source})
    (folder / "vectors.py").unlink()
    (folder / "vectors.ipynb").write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    return folder
