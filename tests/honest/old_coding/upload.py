"""Saves a file in Latin-1."""

from pathlib import Path


def make(folder: Path) -> Path:
    file = folder / "vectors.py"
    text = "# -*- coding: latin-1 -*-\n# L\u00e4nge und Gr\u00f6\u00dfe\n" + file.read_text()
    file.write_bytes(text.encode("latin-1"))
    return folder
