"""Packs the folder as the Finder does."""

import zipfile
from pathlib import Path


def make(folder: Path) -> Path:
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.glob("*.py")):
            archive.write(file, f"Homework 1/{file.name}")
            archive.writestr(f"__MACOSX/Homework 1/._{file.name}", bytes(range(256)))
        archive.writestr("Homework 1/.DS_Store", bytes(64))
    return target
