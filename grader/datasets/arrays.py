"""Decoded arrays kept in a folder: written once and whole, mapped by every process that reads them, checked each time.

An entry is a folder with one ``.npy`` file an array and ``about.json``, which says what they are and holds their
SHA-256 values. It is written under another name and then renamed, so that under its own name it is either complete or
absent.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock

ABOUT = "about.json"
FORMAT = 1
_PART = ".part"

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Entry:
    """Arrays and what is known about them: plain data, which JSON can hold."""

    arrays: Arrays
    facts: Mapping[str, Any]


class Damaged(ValueError):
    """An entry is not as it was written. The message completes "the entry …"."""


def read(folder: Path) -> Entry:
    """The entry in ``folder``, every byte of it checked.

    The arrays are maps of the files, which all processes share. They are private copies on write: nobody can change
    the files through them, and torch, which knows no read-only arrays, cannot end the process by writing.

    Raises:
        FileNotFoundError: if there is no such entry.
        Damaged: if it is not as it was written.
    """
    text = (folder / ABOUT).read_bytes()
    try:
        about = json.loads(text)
        named, facts = about["arrays"], about["facts"]
        if about["format"] != FORMAT or not isinstance(facts, dict):
            raise Damaged("was written in another format")
        return Entry({name: _mapped(folder / f"{name}.npy", sha256) for name, sha256 in named.items()}, facts)
    except Damaged:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, OSError) as error:
        raise Damaged(f"is incomplete or damaged ({type(error).__name__})") from error


def _mapped(file: Path, sha256: str) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = np.asarray(np.load(file, mmap_mode="c", allow_pickle=False))
    if _sha256(array) != sha256:
        raise Damaged(f"holds {file.name} with another checksum than when it was written")
    return array


def _sha256(array: npt.NDArray[Any]) -> str:
    """Over type, shape and content."""
    total = hashlib.sha256(f"{array.dtype.str} {array.shape}\n".encode())
    total.update(array.data.cast("B"))
    return total.hexdigest()


def write(folder: Path, entry: Entry) -> None:
    """Put ``entry`` into ``folder``, whole or not at all; what was there before is gone afterwards.

    Raises:
        OSError: if it cannot be written; nothing half-written is left behind.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_parts(folder)
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(6)}{_PART}")
    try:
        part.mkdir()
        sums = {name: _write_array(part / f"{name}.npy", array) for name, array in entry.arrays.items()}
        about = {"format": FORMAT, "arrays": sums, "facts": dict(entry.facts)}
        _write_bytes(part / ABOUT, lambda file: file.write(json.dumps(about, indent=1).encode()))
        if folder.exists():
            # A folder cannot be replaced in one step. Whoever has mapped the old one keeps it.
            os.rename(folder, part.with_suffix(f".old{_PART}"))
        os.rename(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        _remove_parts(folder)


def _write_array(file: Path, array: npt.NDArray[Any]) -> str:
    array = np.ascontiguousarray(array)
    _write_bytes(file, lambda stream: np.save(stream, array, allow_pickle=False))
    return _sha256(array)


def _write_bytes(file: Path, write_to: Callable[[Any], object]) -> None:
    with file.open("xb") as stream:
        write_to(stream)
        stream.flush()
        os.fsync(stream.fileno())
    file.chmod(0o444)


def _remove_parts(folder: Path) -> None:
    """What writers that were killed have left behind. Only whoever holds the lock of ``folder`` writes."""
    for part in folder.parent.glob(f".{folder.name}.*{_PART}"):
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time makes the entry ``folder``; others wait. Raises ``OSError`` where nothing can be kept."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        yield
