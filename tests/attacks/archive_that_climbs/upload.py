"""Packs members that climb."""

import zipfile
from pathlib import Path


def make(folder: Path) -> Path:
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.glob("*.py")):
            archive.write(file, file.name)
        for path in ("../evil.py", "../../assignments/warmup/test_vectors.py", "/@MARKER@", "a/../../evil.py"):
            archive.writestr(path, "raise SystemExit")
    return target
