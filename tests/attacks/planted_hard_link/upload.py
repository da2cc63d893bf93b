"""Plants a hard link to the reference."""

import os
from pathlib import Path


def make(folder: Path) -> Path:
    os.link("@COURSE@/reference/warmup/vectors.py", folder / "solution.py")
    return folder
