"""Writes a module with NUL characters."""

from pathlib import Path


def make(folder: Path) -> Path:
    file = folder / "vectors.py"
    file.write_bytes(file.read_bytes() + b"\0\nimport os\nos._exit(0)\n")
    return folder
