"""Adds the marks."""

from pathlib import Path


def make(folder: Path) -> Path:
    for file in folder.glob("*.py"):
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    return folder
