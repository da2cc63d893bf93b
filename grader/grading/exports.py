"""Downloads of a class from Gradescope, Canvas, Moodle and GitHub Classroom: whose each submission is, and its files.

- Gradescope writes a folder for each submission, and who handed it in into ``submission_metadata.yml``.
- Canvas writes all files of all students side by side, as ``doejane_LATE_1234_5678_knn-1.py``: the name, whether it was
  late, the numbers of student and file, and the file's own name, with a count where it was handed in again. Where
  names are hidden, ``anon_Ab3dE`` stands for name and number. Source: ``lib/content_zipper.rb`` of canvas-lms.
- Moodle writes a folder ``Jane Doe_1234_assignsubmission_file_`` for each student, or files that begin so.
- GitHub Classroom clones ``a2-submissions/a2-LOGIN`` for each student of the assignment ``a2``.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from grader.contract.text import natural_key, one_line
from grader.grading.job import Person

METADATA = "submission_metadata.yml"
_CANVAS = re.compile(r"(?P<name>.+?)_(?:LATE_)?(?P<id>\d+)_(?P<number>\d+)_(?P<file>.+)")
_CANVAS_ANONYMOUS = re.compile(r"(?:LATE_)?(?P<name>anon)_(?P<id>[^_]+)_(?P<number>\d+)_(?P<file>.+)")
_AGAIN = re.compile(r"(?P<stem>.+?)-\d+(?P<suffix>\.[^.]+)")
_MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_file_?(?P<file>.*)")
_CLASSROOM = "-submissions"


@dataclass(frozen=True)
class Found:
    """A submission.

    Attributes:
        name: the name under which it is graded.
        person: who handed it in.
        files: its files, later ones last, or its only folder.
        handed_in: the platform's number of it, which grows from attempt to attempt; 0 where there is none.
    """

    name: str
    person: Person
    files: tuple[Path, ...]
    handed_in: float = 0.0


@dataclass(frozen=True)
class Export:
    """A folder that ``platform`` wrote, and the submissions in it."""

    platform: str
    submissions: tuple[Found, ...]


def read_export(folder: Path) -> Export | None:
    """What ``folder`` holds, if one of the platforms wrote it; ``None`` for any other folder or file."""
    if not folder.is_dir():
        return None
    for platform, read in _READERS.items():
        found = sorted(read(folder), key=lambda each: natural_key(each.name.casefold()))
        if found:
            return Export(platform, tuple(found))
    return None


def is_of_an_export(folder: str, entries: Collection[str]) -> bool:
    """Whether a folder of this name, in which these entries lie, is what a platform wrote, as far as names tell."""
    if METADATA in entries or (folder.endswith(_CLASSROOM) and entries):
        return True
    return any(_most_fit(pattern, entries) for pattern in (_CANVAS, _CANVAS_ANONYMOUS, _MOODLE))


def _most_fit(pattern: re.Pattern[str], names: Collection[str]) -> bool:
    return 2 * sum(bool(pattern.fullmatch(name)) for name in names) > len(names)


def laid_out(files: tuple[Path, ...], folder: Path) -> Path:
    """One upload of the files of a submission: their folder, or copies in ``folder`` under the names that they had.

    Of files that had the same name the last one stays.
    """
    if len(files) == 1 and files[0].is_dir():
        return files[0]
    folder.mkdir(parents=True)
    for file in files:
        shutil.copyfile(file, folder / _own_name(file.name), follow_symlinks=False)
    return folder


def _gradescope(folder: Path) -> Iterator[Found]:
    for key, entry in _metadata(folder / METADATA).items():
        upload = folder / str(key)
        if not re.fullmatch(r"submission_\d+", str(key)) or not upload.is_dir() or not isinstance(entry, Mapping):
            continue
        submitters = [each for each in entry.get(":submitters") or () if isinstance(each, Mapping)]
        parts = {
            part: "; ".join(one_line(str(each[f":{part}"]), 200) for each in submitters if each.get(f":{part}"))
            for part in ("name", "sid", "email")
        }
        number = float(str(key).rpartition("_")[2])
        yield Found(_folder_name(parts["name"], str(key)), Person(**parts), (upload,), number)


def _metadata(file: Path) -> Mapping[Any, Any]:
    """The content of Gradescope's file; nothing if there is none, or it cannot be read."""
    if not file.is_file():
        return {}
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), _Plain)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, UnicodeDecodeError, ValueError):
        return {}
    return content if isinstance(content, Mapping) else {}


class _Plain(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Loads plain data; what carries a tag of Ruby's, such as a time, is nothing."""


_Plain.add_multi_constructor("!", lambda loader, suffix, node: None)


def _moodle(folder: Path) -> Iterator[Found]:
    for (name, sid), matches in _grouped(folder, _MOODLE, "name", "id").items():
        folders = [path for path, _ in matches if path.is_dir()]
        files = tuple(folders[:1]) or tuple(path for path, _ in matches)
        yield Found(_folder_name(name, sid), Person(name=one_line(name, 200), sid=sid), files)


def _canvas(folder: Path) -> Iterator[Found]:
    pattern = _CANVAS_ANONYMOUS if any(_CANVAS_ANONYMOUS.fullmatch(path.name) for path in _visible(folder)) else _CANVAS
    for (name, sid), matches in _grouped(folder, pattern, "name", "id").items():
        numbers = {path: int(match["number"]) for path, match in matches if path.is_file()}
        files = tuple(sorted(numbers, key=lambda path: numbers[path]))
        if files:
            person = Person(name=one_line(name, 200), sid=one_line(sid, 100))
            yield Found(_folder_name(name, sid), person, files, float(max(numbers.values())))


def _github(folder: Path) -> Iterator[Found]:
    if not folder.name.endswith(_CLASSROOM):
        return
    prefix = folder.name.removesuffix(_CLASSROOM) + "-"
    for path in _visible(folder):
        login = path.name.removeprefix(prefix)
        if path.is_dir() and login != path.name:
            yield Found(_folder_name(login), Person(login=one_line(login, 100)), (path,))


_READERS = {"Gradescope": _gradescope, "Moodle": _moodle, "Canvas": _canvas, "GitHub Classroom": _github}


def _grouped(
    folder: Path, pattern: re.Pattern[str], *by: str
) -> dict[tuple[str, ...], list[tuple[Path, re.Match[str]]]]:
    """The entries of ``folder`` whose names fit, by parts of these; none at all where most names do not fit."""
    entries = {path.name: path for path in _visible(folder)}
    groups: dict[tuple[str, ...], list[tuple[Path, re.Match[str]]]] = {}
    for name, path in entries.items() if _most_fit(pattern, entries) else ():
        if match := pattern.fullmatch(name):
            groups.setdefault(tuple(match[part] for part in by), []).append((path, match))
    return groups


def _visible(folder: Path) -> Iterable[Path]:
    return (path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and not path.is_symlink())


def _own_name(name: str) -> str:
    """The name that a file had when it was handed in."""
    for pattern in (_MOODLE, _CANVAS_ANONYMOUS, _CANVAS):
        if match := pattern.fullmatch(name):
            name = match["file"] or name
            break
    again = _AGAIN.fullmatch(name)
    return os.path.basename(again["stem"] + again["suffix"] if again else name)


def _folder_name(*parts: str) -> str:
    """A name for a folder: the parts, without what a file system may not like."""
    text = one_line("-".join(part for part in parts if part), 120)
    return "".join(char if char.isalnum() or char in "-_.@+" else "_" for char in text).strip("._") or "submission"
