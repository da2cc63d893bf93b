"""Folders that a submission may have filled: how much is in them, and their removal whatever is in them."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

MOST_FILES = 10_000
"""A folder with more entries than that is not counted to its end: it is full."""


def bytes_used(folder: Path, most_files: int = MOST_FILES) -> float:
    """Bytes on disk below ``folder``; infinite where it holds more than ``most_files`` entries."""
    total, count, waiting = 0, 0, [os.fspath(folder)]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                count += 1
                if count > most_files:
                    return float("inf")
                with suppress(OSError):
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
    return total


def remove(folder: Path) -> None:
    """Remove ``folder`` and all below it. Links are removed and never followed.

    Folders nested deeper than Python recurses, or closed to their owner, are left to the system's own tools.
    """
    with suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if os.path.lexists(folder):
        for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
            with suppress(OSError):
                subprocess.run([*command, "--", os.fspath(folder)], stderr=subprocess.DEVNULL, check=False)


def empty(folder: Path) -> None:
    """Remove all that ``folder`` holds, and leave the folder itself."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                remove(Path(entry.path))
            else:
                os.unlink(entry.path)
