"""An upload as plain data that can be sent to another machine, and laid out there as it was."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

Parcel = tuple[tuple[str, bytes, bytes], ...]
"""Entries of an upload: its kind (folder, file, link, pipe), its path below the upload's folder, its content."""


def packed(upload: Path) -> Parcel:
    """The bytes of ``upload``, a file or a folder; links are sent as links, and never followed.

    Raises:
        OSError: if something in it cannot be read.
    """
    paths = [upload, *(sorted(_below(upload)) if upload.is_dir() and not upload.is_symlink() else ())]
    return tuple(entry for path in paths for entry in _entry(path, upload.parent))


def unpacked(parcel: Parcel, folder: Path) -> Path:
    """Lays a parcel out in ``folder``, which exists and is private; returns the upload in it.

    Links come last, so that nothing can be written through them.
    """
    for kind, name, content in sorted(parcel, key=lambda entry: entry[0] == "link"):
        path = folder / os.fsdecode(name)
        if kind == "folder":
            path.mkdir()
        elif kind == "file":
            path.write_bytes(content)
        elif kind == "link":
            path.symlink_to(os.fsdecode(content))
        else:
            os.mkfifo(path)
    return folder / os.fsdecode(parcel[0][1])


def _below(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        yield from (Path(root, name) for name in (*folders, *files))


def _entry(path: Path, above: Path) -> Iterator[tuple[str, bytes, bytes]]:
    name = os.fsencode(path.relative_to(above))
    kind = path.lstat().st_mode
    if stat.S_ISLNK(kind):
        yield "link", name, os.fsencode(os.readlink(path))
    elif stat.S_ISDIR(kind):
        yield "folder", name, b""
    elif stat.S_ISREG(kind):
        yield "file", name, path.read_bytes()
    elif stat.S_ISFIFO(kind):
        yield "pipe", name, b""
