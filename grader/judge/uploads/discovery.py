"""Telling a class of submissions from one submission."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from grader.judge.uploads.archives import archive_members, archive_stem
from grader.judge.uploads.definitions import module_of
from grader.judge.uploads.filing import Kind, kind_of, not_of_interest
from grader.judge.uploads.limits import Budget, IntakeError, IntakeLimits, shown
from grader.judge.uploads.matching import Wanted, names_of, same_stem
from grader.judge.uploads.notebooks import read_cells
from grader.judge.uploads.sourcetext import Fault, normalised

_DEPTH = 3
_ENTRIES = 2000  # of a folder, looked at
_LOOK_INSIDE = 20  # files of a folder, read for what they define
_ANY = frozenset({""})  # stands for modules that cannot be told without opening an archive
_DEFAULT_LIMITS = IntakeLimits()


def discover(path: Path, wanted: Mapping[str, Wanted]) -> list[tuple[str, Path]]:
    """The submissions at ``path``: a name and an upload for each, sorted by name.

    A file is one submission. For a folder the rule is, in this order:

    1. A wanted file (or a notebook of that name) lies directly in it: one submission.
    2. The same module is found in two or more of its children: a class. Children are folders, archives, and single
       ``.py`` files and notebooks. In a folder, files three levels deep count (two, seen from the folder itself), by
       name or else by what they define. So do the names in an archive; one that cannot be read counts as any module.
    3. Its only child of use is a folder or an archive: a class of one.
    4. No child holds any module, and there are folders but no loose ``.py`` file or notebook: a class.
    5. Otherwise one submission, its modules spread over its children.

    In a class every folder and archive is a submission, whatever it holds; a loose file is one if it defines a module.
    Hidden files and links are passed over. Names are the children's, without the suffix of a file, fit for a folder
    name and unique even where capitals do not count.

    Raises:
        IntakeError: there is nothing at ``path``.
    """
    if not path.exists():
        raise IntakeError(f"{shown(str(path))} does not exist. Give the path of a submission or of a folder of them.")
    path = path.resolve()
    if not path.is_dir():
        return _named([path])
    children = list(_visible(path))
    if any(_keys_by_name(child.name, wanted) for child in children if child.is_file()):
        return _named([path])
    held = {child: _keys(child, wanted) for child in children}
    containers = [child for child in children if child.is_dir() or _is_archive(child)]
    return _named(_class(held, containers) or [path])


def _class(held: Mapping[Path, frozenset[str]], containers: list[Path]) -> list[Path]:
    """The members of a class; none when the folder is one submission."""
    useful = [child for child, keys in held.items() if keys]
    counts = Counter(key for keys in held.values() for key in keys)
    if max(counts.values(), default=0) > 1 or (counts[""] and len(useful) > 1):
        return sorted({*containers, *useful})
    if len(useful) == 1 and containers == useful:
        return useful
    loose = any(kind_of(child.name) in (Kind.SOURCE, Kind.NOTEBOOK) for child in held if child not in containers)
    return containers if not useful and not loose else []


def _visible(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise IntakeError(
            f"The folder {shown(str(folder))} cannot be read ({error.strerror}). Give the grader permission to read it."
        ) from error
    for entry in entries:
        mode = entry.stat(follow_symlinks=False).st_mode
        if (stat.S_ISDIR(mode) or stat.S_ISREG(mode)) and not not_of_interest(entry.name):
            yield Path(entry.path)


def _keys_by_name(name: str, wanted: Mapping[str, Wanted]) -> frozenset[str]:
    path = PurePosixPath(name)
    kind = kind_of(name)
    return frozenset(
        key
        for key, each in wanted.items()
        if name.casefold() in {other.casefold() for other in (each.file, *each.also_named)}
        or (kind is Kind.NOTEBOOK and same_stem(path, each))
    )


def _keys(child: Path, wanted: Mapping[str, Wanted]) -> frozenset[str]:
    """The modules that a child of a folder holds, as far as a glance tells."""
    if not child.is_dir():
        return _keys_in_archive(child, wanted) if _is_archive(child) else _keys_by_content(child, wanted)
    files = list(_files_below(child))
    named = frozenset(key for file in files for key in _keys_by_name(file.name, wanted))
    if named:
        return named
    packed = frozenset(key for file in files if _is_archive(file) for key in _keys_in_archive(file, wanted))
    if packed:
        return packed
    code = [file for file in files if kind_of(file.name) in (Kind.SOURCE, Kind.NOTEBOOK)]
    return frozenset(key for file in code[:_LOOK_INSIDE] for key in _keys_by_content(file, wanted))


def _is_archive(path: Path) -> bool:
    return kind_of(path.name) is Kind.ARCHIVE


def _keys_in_archive(archive: Path, wanted: Mapping[str, Wanted]) -> frozenset[str]:
    try:
        with open(archive, "rb") as file:
            members = archive_members(file, archive.name, Budget(_DEFAULT_LIMITS))
            names = [PurePosixPath(member.name.replace("\\", "/")).name for member in members]
    except IntakeError:
        return _ANY
    if keys := frozenset(key for name in names for key in _keys_by_name(name, wanted)):
        return keys
    code = any(kind_of(name) in (Kind.SOURCE, Kind.NOTEBOOK, Kind.ARCHIVE) for name in names)
    return _ANY if code else frozenset()


def _files_below(folder: Path) -> Iterator[Path]:
    """Files of a folder, nearest first, down to the third level of the folder it lies in."""
    level = [folder]
    left = _ENTRIES
    for _ in range(_DEPTH - 1):
        entries = [entry for each in level for entry in _visible(each)][:left]
        left -= len(entries)
        yield from (entry for entry in entries if not entry.is_dir())
        level = [entry for entry in entries if entry.is_dir()]


def _keys_by_content(file: Path, wanted: Mapping[str, Wanted]) -> frozenset[str]:
    names = _defined(file)
    return frozenset(key for key, each in wanted.items() if each.mostly_in(names))


def _defined(file: Path) -> frozenset[str]:
    kind = kind_of(file.name)
    if kind is Kind.SOURCE and file.stat().st_size <= _DEFAULT_LIMITS.source_bytes:
        names = names_of(normalised(file.read_bytes()).data)
        return frozenset() if isinstance(names, Fault) else names.defined
    if kind is Kind.NOTEBOOK and file.stat().st_size <= _DEFAULT_LIMITS.notebook_bytes:
        try:
            return module_of(read_cells(file.read_bytes(), file.name, _DEFAULT_LIMITS)).names.defined
        except IntakeError:
            return frozenset()
    return frozenset()


def _named(paths: list[Path]) -> list[tuple[str, Path]]:
    taken: set[str] = set()
    named = []
    for path in sorted(paths, key=lambda path: (path.name.casefold(), path.name)):
        base = _folder_name(path)
        name = base
        count = 1
        while name.casefold() in taken:
            count += 1
            name = f"{base}-{count}"
        taken.add(name.casefold())
        named.append((name, path))
    return sorted(named)


def _folder_name(path: Path) -> str:
    stem = path.name if path.is_dir() else archive_stem(path.name)
    if not path.is_dir() and kind_of(path.name) in (Kind.SOURCE, Kind.NOTEBOOK):
        stem = path.stem
    spelt = unicodedata.normalize("NFC", stem)
    safe = "".join(char if char.isalnum() or char in " ._-+@()," else "_" for char in spelt)
    return safe.strip(" .-") or "submission"
