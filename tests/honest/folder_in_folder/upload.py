"""Moves the files down."""

from pathlib import Path


def make(folder: Path) -> Path:
    deep = folder / "homework" / "final (2)" / "src"
    deep.mkdir(parents=True)
    for file in folder.glob("*.py"):
        file.rename(deep / file.name)
    return folder
