"""Puts bytecode of a right version beside the text of a wrong one."""

import importlib._bootstrap_external as external
import sys
from pathlib import Path


def make(folder: Path) -> Path:
    source = (folder / "vectors.py").read_text().replace("X.sum(dim=1)\n", "(X * X).sum(dim=1).sqrt()\n")
    data = external._code_to_hash_pyc(compile(source, "vectors.py", "exec"), b"12345678", False)
    cache = folder / "__pycache__"
    cache.mkdir()
    (cache / f"vectors.{sys.implementation.cache_tag}.pyc").write_bytes(data)
    (folder / "vectors.pyc").write_bytes(data)
    return folder
