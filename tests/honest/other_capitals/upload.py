"""Renames the files."""

from pathlib import Path


def make(folder: Path) -> Path:
    for name in ("vectors", "fitting"):
        (folder / f"{name}.py").rename(folder / f"{name.upper()}.py")
    return folder
