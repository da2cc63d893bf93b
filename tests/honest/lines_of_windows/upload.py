"""Changes the ends of lines."""

from pathlib import Path


def make(folder: Path) -> Path:
    for file in folder.glob("*.py"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    return folder
