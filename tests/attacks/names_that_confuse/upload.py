"""Writes files with odd names."""

from pathlib import Path


def make(folder: Path) -> Path:
    for name in ("-rf", "a\nb.py", "\x1b[31mred.py", "a'\";touch x.py", "\u202egnp.py", "%s%n.py", "=1+1.py"):
        (folder / name).write_text("")
    (folder / "VECTORS.PY").write_text("raise SystemExit")
    return folder
