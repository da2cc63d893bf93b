"""Reading folders and archives member by member, without extracting anything.

Nothing here writes. Links and devices are reported as members with a refusal and are never opened; what a damaged
archive makes the standard library raise becomes :class:`IntakeError`.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, cast

from grader.judge.uploads.limits import MIB, Budget, Expansion, IntakeError, human, shown, too_many_members

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")
_CHUNK = 64 * 1024
_XZ_MEMORY = 128 * MIB
_BYTES_PER_ENTRY = 512  # of a zip's directory: 46 fixed, a name, and the extra fields that zip tools add
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    LookupError,
    OverflowError,
    MemoryError,
)


@dataclass(frozen=True)
class Member:
    """One file of an upload.

    Attributes:
        name: its path inside the upload, exactly as the upload spells it: not to be trusted.
        size: its size in bytes, as the upload says.
        refusal: why it is no ordinary file; empty when it is one.
        chunks: reads it, once, in pieces of at most 64 KiB. In a tar, only before the next member is asked for.
    """

    name: str
    size: int
    refusal: str
    chunks: Callable[[], Iterator[bytes]]


class Readable(Protocol):
    """What tarfile needs of a stream."""

    def read(self, size: int, /) -> bytes: ...


def is_archive(name: str) -> bool:
    """Whether a file of this name is to be opened as an archive."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def archive_stem(name: str) -> str:
    """``name`` without the suffix of an archive."""
    suffix = max((s for s in ARCHIVE_SUFFIXES if name.lower().endswith(s)), key=len, default="")
    return name[: len(name) - len(suffix)]


@contextmanager
def damage_explained(label: str) -> Iterator[None]:
    """Turn what a damaged archive makes the standard library raise into :class:`IntakeError`."""
    try:
        yield
    except IntakeError:
        raise
    except _DAMAGE as error:
        raise IntakeError(
            f"{label} cannot be read: it is damaged or was not uploaded completely "
            f"({shown(str(error)) or type(error).__name__}). Pack your files again as a plain zip and hand that in."
        ) from error


def file_chunks(file: IO[bytes]) -> Iterator[bytes]:
    """The rest of an open file, in pieces."""
    while piece := file.read(_CHUNK):
        yield piece


def folder_members(folder: Path, budget: Budget, skip: Path, prune: Callable[[str], bool]) -> Iterator[Member]:
    """The files below ``folder``; no link is followed, and files are opened relative to their open folder.

    Args:
        folder: the upload.
        budget: counts files and folders.
        skip: a folder that is passed over wherever it lies (the one being written to).
        prune: says of a folder's name that nothing below it matters.
    """
    own = skip.stat()
    for top, folders, files, handle in os.fwalk(folder, onerror=_unreadable, follow_symlinks=False):
        inside = PurePosixPath(Path(top).relative_to(folder).as_posix())
        kept = []
        # Lower case first: of two spellings of one name, the usual one comes first and wins.
        for name in sorted(folders, key=str.swapcase):
            budget.member()
            seen = os.lstat(name, dir_fd=handle)
            if stat.S_ISLNK(seen.st_mode):
                yield _closed(str(inside / name), "It is a link, and links are not followed.")
            elif len(inside.parts) >= budget.limits.depth:
                yield _closed(str(inside / name), "It lies too deep in folders.")
            elif not prune(name) and not os.path.samestat(seen, own):
                kept.append(name)
        folders[:] = kept
        for name in sorted(files, key=str.swapcase):
            budget.member()
            yield _folder_member(str(inside / name), name, handle, budget.limits.allow_hard_links)


def _unreadable(error: OSError) -> None:
    raise IntakeError(
        f"The folder {shown(str(error.filename))} cannot be read ({error.strerror}). "
        "Give the grader permission to read it."
    ) from error


def _closed(path: str, refusal: str) -> Member:
    return Member(path, 0, refusal, lambda: iter(()))


def _folder_member(path: str, name: str, handle: int, allow_hard_links: bool) -> Member:
    seen = os.lstat(name, dir_fd=handle)
    refusal = _refusal(seen.st_mode)
    if not refusal and seen.st_nlink > 1 and not allow_hard_links:
        refusal = "It is a hard link, and links are not followed."

    def chunks() -> Iterator[bytes]:
        with damage_explained(shown(path)):
            # Not blocking: what was a file a moment ago may be a pipe by now.
            opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=handle)
        with open(opened, "rb") as file:
            if not os.path.samestat(os.fstat(opened), seen):
                raise IntakeError(f"{shown(path)} changed while it was being read. Hand in a folder that is at rest.")
            yield from file_chunks(file)

    return Member(path, seen.st_size, refusal, chunks)


def archive_members(file: IO[bytes], label: str, budget: Budget) -> Iterator[Member]:
    """The files of an open archive: a zip, or a tar that is plain or packed with gzip, bzip2 or xz.

    The kind is told by content, not by name.

    Raises:
        IntakeError: it is no such archive, is damaged or encrypted, or passes a cap.
    """
    packed = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(512)
    file.seek(0)
    if packed > budget.limits.upload_bytes:
        raise IntakeError(
            f"{label} has {human(packed)}, more than the {human(budget.limits.upload_bytes)} that are accepted. "
            "Hand in code and the checkpoints that are asked for; leave data sets out."
        )
    expansion = Expansion(budget, label, packed)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_members(file, label, budget, expansion)
    if head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")) or head[257:262] == b"ustar":
        return _tar_members(file, head, label, budget, expansion)
    raise IntakeError(
        f"{label} is not an archive that can be opened: expected a zip or a tar (plain, gzip, bzip2 or xz)"
        f"{_guess(head)}. Pack your files as a plain zip and hand that in."
    )


def _guess(head: bytes) -> str:
    kinds = {b"Rar!": "a RAR archive", b"7z\xbc\xaf": "a 7z archive", b"%PDF": "a PDF", b"<": "a web page"}
    if not head:
        return ", and it is an empty file"
    return next((f", and it is {kind}" for magic, kind in kinds.items() if head.startswith(magic)), "")


def _zip_members(file: IO[bytes], label: str, budget: Budget, expansion: Expansion) -> Iterator[Member]:
    capped = _CappedReads(file, budget)
    with damage_explained(label):
        archive = zipfile.ZipFile(cast("IO[bytes]", capped))
    with archive:
        for info in archive.infolist():
            budget.member()
            if info.flag_bits & 0x1:
                raise IntakeError(f"{label} is encrypted. Pack your files again without a password.")
            # The original name: zipfile cuts the other one at a NUL, and would so lend it an innocent suffix.
            if not info.orig_filename.endswith(("/", "\\")):
                yield _zip_member(archive, info, label, expansion)


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, label: str, expansion: Expansion) -> Member:
    mode = info.external_attr >> 16
    refusal = _refusal(mode) if stat.S_IFMT(mode) else ""
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        refusal = "It is packed with an unusual method; pack your files as a plain zip."

    def chunks() -> Iterator[bytes]:
        with damage_explained(label):
            file = archive.open(info)
        with file:
            yield from _counted(file, info.file_size, label, expansion)

    return Member(info.orig_filename, info.file_size, refusal, chunks)


def _counted(file: IO[bytes], size: int, label: str, expansion: Expansion | None) -> Iterator[bytes]:
    total = 0
    while True:
        with damage_explained(label):
            piece = file.read(_CHUNK)
        if not piece:
            break
        total += len(piece)
        if expansion is not None:
            expansion.add(len(piece))
        yield piece
    if total != size:
        raise IntakeError(f"{label} was not uploaded completely: a file in it is cut short. Hand it in again.")


def _tar_members(file: IO[bytes], head: bytes, label: str, budget: Budget, expansion: Expansion) -> Iterator[Member]:
    with damage_explained(label):
        stream = cast("IO[bytes]", _CountedReads(_unpacked(file, head), expansion))
        archive = tarfile.open(fileobj=stream, mode="r|")  # noqa: SIM115 (closed below; the guard ends here)
    with archive:
        while True:
            with damage_explained(label):
                info = archive.next()
            if info is None:
                return
            budget.member()
            if not info.isdir():
                yield _tar_member(archive, info, label)


def _tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo, label: str) -> Member:
    refusal = ""
    if info.issym() or info.islnk():
        refusal = "It is a link, and links are not followed."
    elif not info.isfile() or info.issparse():
        refusal = "It is not an ordinary file."

    def chunks() -> Iterator[bytes]:
        with damage_explained(label):
            file = archive.extractfile(info)
        if file is not None:
            with file:
                yield from _counted(file, info.size, label, None)

    return Member(info.name, info.size, refusal, chunks)


def _refusal(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "It is a link, and links are not followed."
    return "" if stat.S_ISREG(mode) else "It is not an ordinary file."


def _unpacked(file: IO[bytes], head: bytes) -> Readable:
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)
    if head.startswith(b"BZh"):
        return bz2.BZ2File(file)
    return _XzReads(file) if head.startswith(b"\xfd7zXZ\x00") else file


class _XzReads:
    """Unpacks xz with a cap on memory, which :class:`lzma.LZMAFile` has no way to set."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decoder = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)

    def read(self, size: int, /) -> bytes:
        while not self._decoder.eof:
            packed = self._file.read(_CHUNK) if self._decoder.needs_input else b""
            if self._decoder.needs_input and not packed:
                raise EOFError("the packed stream ends early")
            if piece := self._decoder.decompress(packed, size):
                return piece
        return b""


class _CountedReads:
    """Counts what is read, so that a tar is stopped while it is being skipped through."""

    def __init__(self, stream: Readable, expansion: Expansion) -> None:
        self._stream = stream
        self._expansion = expansion

    def read(self, size: int, /) -> bytes:
        piece = self._stream.read(size)
        self._expansion.add(len(piece))
        return piece


class _CappedReads:
    """A zip file whose directory cannot be larger than the highest number of members needs.

    zipfile reads the directory in one go and makes an object of every entry before anyone can count them.
    """

    def __init__(self, file: IO[bytes], budget: Budget) -> None:
        self._file = file
        self._limits = budget.limits

    def read(self, size: int = -1, /) -> bytes:
        if size > max(self._limits.members * _BYTES_PER_ENTRY, _CHUNK * 2):
            raise too_many_members(self._limits)
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        """Left open: whoever opened the file closes it."""
