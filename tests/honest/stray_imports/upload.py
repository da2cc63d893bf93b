"""Adds imports."""

from pathlib import Path


def make(folder: Path) -> Path:
    file = folder / "vectors.py"
    lines = [
        "import cv2",
        "import pandas as pd",
        "from google.colab import drive, files",
        "import tensorflow as tf",
        "from sklearn.metrics import accuracy_score",
        "import eecs598",
        "from tqdm.notebook import tqdm",
        'drive.mount("/content/drive")',
    ]
    file.write_text("\n".join(lines) + "\n" + file.read_text())
    return folder
