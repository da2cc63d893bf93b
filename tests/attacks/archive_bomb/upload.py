"""Packs zeros."""

import zipfile
from pathlib import Path


def make(folder: Path) -> Path:
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.glob("*.py")):
            archive.write(file, file.name)
        with archive.open("weights.pt", "w", force_zip64=True) as member:
            for _ in range(300):
                member.write(bytes(1 << 20))
    return target
