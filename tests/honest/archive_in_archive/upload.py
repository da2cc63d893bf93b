"""Packs twice."""

import io
import tarfile
import zipfile
from pathlib import Path


def make(folder: Path) -> Path:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        for file in sorted(folder.glob("*.py")):
            archive.write(file, file.name)
    target = folder.with_suffix(".tar.gz")
    with tarfile.open(target, "w:gz") as outer:
        info = tarfile.TarInfo("work.zip")
        info.size = len(inner.getvalue())
        outer.addfile(info, io.BytesIO(inner.getvalue()))
    return target
