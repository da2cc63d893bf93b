"""Classes that are still packed: the archive that a platform gives for download."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from grader.grading.exports import is_of_an_export
from grader.judge.submission import IntakeError, IntakeLimits
from grader.judge.uploads.archives import Member, archive_members, is_archive
from grader.judge.uploads.filing import safe_parts
from grader.judge.uploads.limits import Budget

_GIB = 2**30
_LIMITS = IntakeLimits(
    upload_bytes=64 * _GIB, expanded_bytes=64 * _GIB, members=1_000_000, depth=24, name_bytes=255, path_bytes=2000
)
"""Of a whole class, which staff hand over; each submission in it is held to the usual limits later."""


def unpacked(path: Path, folder: Path) -> Path | None:
    """The download of a platform in the archive ``path``, unpacked below ``folder``, which does not exist yet.

    ``None`` where ``path`` is no archive, or holds no such download: then it is one submission. Members whose paths
    lead elsewhere, links and devices are left out.
    """
    if not (path.is_file() and is_archive(path.name)):
        return None
    try:
        with _members(path) as members:
            names = [parts for member in members for parts, refusal in [_parts(member)] if not refusal]
        top = _only_folder(names)
        if not is_of_an_export(top or path.stem, {parts[bool(top)] for parts in names}):
            return None
        folder.mkdir(parents=True)
        with _members(path) as members:
            for member in members:
                parts, refusal = _parts(member)
                if not refusal:
                    _write(member, folder.joinpath(*parts))
    except IntakeError:
        return None  # as a submission it is told what is wrong with it
    return folder / top if top else folder


@contextmanager
def _members(path: Path) -> Iterator[Iterator[Member]]:
    with path.open("rb") as file:
        yield archive_members(file, path.name, Budget(_LIMITS))


def _parts(member: Member) -> tuple[tuple[str, ...], str]:
    parts, refusal = safe_parts(member.name, _LIMITS)
    return parts, refusal or member.refusal


def _only_folder(names: list[tuple[str, ...]]) -> str:
    """The folder that holds everything; empty where there is none."""
    tops = {parts[0] for parts in names}
    return tops.pop() if len(tops) == 1 and all(len(parts) > 1 for parts in names) else ""


def _write(member: Member, target: Path) -> None:
    """Of two members of one name the first is kept, and none that another one's folder or file is in the way of."""
    if os.path.lexists(target) or any(parent.is_file() for parent in target.parents):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        file.writelines(member.chunks())


def holds_several(path: Path, wanted: frozenset[str]) -> bool:
    """Whether one of the files ``wanted`` lies in two or more folders at the top of an archive."""
    if not (path.is_file() and is_archive(path.name)):
        return False
    try:
        with _members(path) as members:
            names = [PurePosixPath(member.name.replace("\\", "/")).parts for member in members]
    except IntakeError:
        return False
    top = 1 if _only_folder([parts for parts in names if parts]) else 0
    places = {(parts[-1].casefold(), parts[top]) for parts in names if len(parts) > top + 1}
    files = [file for file, _ in places if file in wanted]
    return len(files) > len(set(files))
