"""Downloads of a class from Gradescope, Canvas, Moodle and GitHub Classroom: whose each submission is, and its files.

- Gradescope writes a folder for each submission, and who handed it in into ``submission_metadata.yml``.
- Canvas writes all files of all students side by side, as ``doejane_LATE_1234_5678_knn-1.py``: the name, whether it was
  late, the numbers of student and submission, and the file's own name, with a count where it was handed in again.
- Moodle writes a folder ``Jane Doe_1234_assignsubmission_file_`` for each student, or files that begin so.
- GitHub Classroom clones ``a2-submissions/a2-LOGIN`` for each student of the assignment ``a2``.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from grader.contract.text import natural_key, one_line
from grader.grading.job import Person

METADATA = "submission_metadata.yml"
_CANVAS = re.compile(r"(?P<name>[^_]+)_(?:LATE_)?(?P<id>\d+)_(?P<submission>\d+)_(?P<file>.+)")
_AGAIN = re.compile(r"(?P<stem>.+?)-\d+(?P<suffix>\.[^.]+)")
_MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_file_?(?P<file>.*)")
_CLASSROOM = "-submissions"


Found = tuple[str, Person, tuple[Path, ...]]
"""A submission: the name under which it is graded, who handed it in, and its files or its only folder."""


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
        found = sorted(read(folder), key=lambda each: natural_key(each[0].casefold()))
        if found:
            return Export(platform, tuple(found))
    return None


def laid_out(files: tuple[Path, ...], folder: Path) -> Path:
    """One upload of the files of a submission: their folder, or copies in ``folder`` under the names that they had."""
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
        yield _folder_name(parts["name"], str(key)), Person(**parts), (upload,)


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
        yield _folder_name(name, sid), Person(name=one_line(name, 200), sid=sid), files


def _canvas(folder: Path) -> Iterator[Found]:
    for (name, sid), matches in _grouped(folder, _CANVAS, "name", "id").items():
        newest = max((match["submission"] for _, match in matches), key=int)
        files = tuple(path for path, match in matches if match["submission"] == newest and path.is_file())
        if files:
            yield _folder_name(name, sid), Person(name=one_line(name, 200), sid=sid), files


def _github(folder: Path) -> Iterator[Found]:
    if not folder.name.endswith(_CLASSROOM):
        return
    prefix = folder.name.removesuffix(_CLASSROOM) + "-"
    for path in _visible(folder):
        login = path.name.removeprefix(prefix)
        if path.is_dir() and login != path.name:
            yield _folder_name(login), Person(login=one_line(login, 100)), (path,)


_READERS = {"Gradescope": _gradescope, "Moodle": _moodle, "Canvas": _canvas, "GitHub Classroom": _github}


def _grouped(
    folder: Path, pattern: re.Pattern[str], *by: str
) -> dict[tuple[str, ...], list[tuple[Path, re.Match[str]]]]:
    """The entries of ``folder`` whose names fit, by parts of these; none at all where most names do not fit."""
    entries = list(_visible(folder))
    groups: dict[tuple[str, ...], list[tuple[Path, re.Match[str]]]] = {}
    fitting = 0
    for path in entries:
        if match := pattern.fullmatch(path.name):
            groups.setdefault(tuple(match[part] for part in by), []).append((path, match))
            fitting += 1
    return groups if 2 * fitting > len(entries) else {}


def _visible(folder: Path) -> Iterable[Path]:
    return (path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and not path.is_symlink())


def _own_name(name: str) -> str:
    """The name that a file had when it was handed in."""
    for pattern in (_MOODLE, _CANVAS):
        if match := pattern.fullmatch(name):
            name = match["file"] or name
            break
    again = _AGAIN.fullmatch(name)
    return os.path.basename(again["stem"] + again["suffix"] if again else name)


def _folder_name(*parts: str) -> str:
    """A name for a folder: the parts, without what a file system may not like."""
    text = one_line("-".join(part for part in parts if part), 120)
    return "".join(char if char.isalnum() or char in "-_.@+" else "_" for char in text).strip("._") or "submission"
