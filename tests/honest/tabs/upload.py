"""Changes the indentation."""

from pathlib import Path


def make(folder: Path) -> Path:
    for file in folder.glob("*.py"):
        file.write_text(file.read_text().replace("    ", "\t"))
    return folder
