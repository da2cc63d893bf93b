"""Packs many files."""

import zipfile
from pathlib import Path


def make(folder: Path) -> Path:
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.glob("*.py")):
            archive.write(file, file.name)
        for number in range(20_000):
            archive.writestr(f"many/{number}.txt", "")
    return target
