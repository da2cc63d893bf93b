"""Which file of an upload is which module of the assignment."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from grader.judge.uploads.definitions import NotebookModule
from grader.judge.uploads.limits import MIB, shown
from grader.judge.uploads.sourcetext import Definitions, Fault, definitions, parse

_CONTENT_BYTES = 4 * MIB  # read at most, to recognise modules by what they define


@dataclass(frozen=True)
class Wanted:
    """A module that the assignment asks for.

    Attributes:
        file: the expected file name.
        also_named: other file names that are accepted.
        names: public names that the module owes; by these it is recognised under another name or in a notebook.
        older_names: name that it owes -> the name that the same thing had in an earlier year.
    """

    file: str
    also_named: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    older_names: Mapping[str, str] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """The file name without its suffix."""
        return PurePosixPath(self.file).stem

    def covered_by(self, defined: frozenset[str]) -> frozenset[str]:
        """Those of the names that are defined, the older name of a thing being as good as its own."""
        return frozenset(name for name in self.names if name in defined or self.older_names.get(name) in defined)

    def mostly_in(self, defined: frozenset[str]) -> bool:
        """Whether ``defined`` has at least half of the names, and one at least."""
        covered = len(self.covered_by(defined))
        return covered > 0 and 2 * covered >= len(self.names)


@dataclass(frozen=True)
class Choice:
    """The file that serves a module.

    Attributes:
        path: the ``.py`` file or the notebook.
        renamed: how it was recognised, where it has not the expected name; a sentence, or empty.
        notes: all that the student should know of how it was found, ``renamed`` included.
    """

    path: PurePosixPath
    renamed: str = ""
    notes: tuple[str, ...] = ()


class Library:
    """The kept source files of one upload, with the names they define, read when asked for."""

    def __init__(self, texts: Mapping[PurePosixPath, bytes]) -> None:
        self.texts = texts
        self._parsed: dict[PurePosixPath, Definitions | Fault] = {}

    def names(self, path: PurePosixPath) -> Definitions | Fault:
        """The top-level names of a file, or what keeps it from being read."""
        if path not in self._parsed:
            self._parsed[path] = names_of(self.texts[path])
        return self._parsed[path]

    def defined(self, path: PurePosixPath) -> frozenset[str]:
        """The names that the file itself defines; none if it cannot be read."""
        names = self.names(path)
        return frozenset() if isinstance(names, Fault) else names.defined

    def is_hollow(self, path: PurePosixPath, wanted: Wanted) -> bool:
        """Whether the file, readable as it is, has none of the names that the module owes."""
        names = self.names(path)
        if isinstance(names, Fault) or names.star or not wanted.names:
            return False
        return not wanted.covered_by(names.defined | names.imported)


def names_of(text: bytes) -> Definitions | Fault:
    """The top-level names of a source file."""
    try:
        tree = parse(text.decode())
    except UnicodeDecodeError:
        return Fault("The file is not UTF-8 text")
    return tree if isinstance(tree, Fault) else definitions(tree)


def choose(
    wanted: Mapping[str, Wanted], library: Library, notebooks: Mapping[PurePosixPath, NotebookModule]
) -> tuple[dict[str, Choice], dict[str, str]]:
    """Find the file of every module.

    In this order: the expected name, that name in other capitals, a name that is also accepted, a file that defines
    most of the names, a notebook that does. Of several files of one name the one nearest the top counts, then the one
    with more of the names, then the one whose folder holds more of the modules. A file that has none of the names
    gives way to a file or notebook that defines most of them.

    Returns:
        The choices, and for each module that was not found a sentence for the student.
    """
    crowd = Counter(path.parent for each in wanted.values() for path in _by_name(each, library)[0])
    chosen: dict[str, Choice] = {}
    missing: dict[str, str] = {}
    for key, each in wanted.items():
        named = _named(each, library, crowd)
        choice = named
        if named is None or library.is_hollow(named.path, each):
            choice = _by_content(each, library, notebooks, named) or named
        if choice is None:
            missing[key] = _missing(each, [*library.texts, *notebooks])
        else:
            chosen[key] = choice
    return chosen, missing


def _by_name(wanted: Wanted, library: Library) -> tuple[list[PurePosixPath], str]:
    """The files whose name fits best, and the name they fit."""
    for name in (wanted.file, *wanted.also_named):
        exact = [path for path in library.texts if path.name == name]
        found = exact or [path for path in library.texts if path.name.casefold() == name.casefold()]
        if found:
            return found, name
    return [], ""


def _named(wanted: Wanted, library: Library, crowd: Counter[PurePosixPath]) -> Choice | None:
    found, name = _by_name(wanted, library)
    if not found:
        return None

    def rank(path: PurePosixPath) -> tuple[bool, int, int, int, str]:
        covered = len(wanted.covered_by(library.defined(path)))
        hollow = len(found) > 1 and library.is_hollow(path, wanted)
        return hollow, len(path.parts), -covered, -crowd[path.parent], str(path)

    best, *others = sorted(found, key=rank)
    renamed = ""
    if best.name != wanted.file:
        renamed = f"{shown(best.name)} was taken for {wanted.file}. Rename it to {wanted.file}."
    notes = [renamed] if renamed else []
    if others:
        listed = ", ".join(shown(str(path)) for path in others[:3])
        notes.append(f"There are {len(found)} files of the name {name}: {shown(str(best))} counts, {listed} not.")
    for path in _copies(best, wanted, library)[:3]:
        notes.append(f"{shown(str(path))} defines the same; {shown(str(best))} counts. Hand in the one that you mean.")
    return Choice(best, renamed, tuple(notes))


def _copies(best: PurePosixPath, wanted: Wanted, library: Library) -> list[PurePosixPath]:
    """Files beside the chosen one with its name and a little more, such as ``knn (1).py``, that define the same."""
    stem = best.stem.casefold()
    alike = [path for path in library.texts if path.parent == best.parent and path.stem.casefold().startswith(stem)]
    return sorted(path for path in alike if path.name != best.name and wanted.mostly_in(library.defined(path)))


def _by_content(
    wanted: Wanted, library: Library, notebooks: Mapping[PurePosixPath, NotebookModule], named: Choice | None
) -> Choice | None:
    cells = {path: module.names.defined for path, module in notebooks.items()}
    instead = f", because {shown(str(named.path))} defines nothing that is asked for" if named else ""
    sizes = {path: len(text) for path, text in library.texts.items()}
    if found := _covering(wanted, {path: library.defined(path) for path in nearest(sizes)}):
        first = f"{shown(str(found))} was taken for {wanted.file} by what it defines{instead}."
        return Choice(found, first, (first,))
    found = _covering(wanted, cells) or _same_stem(wanted, cells)
    if found is None:
        return None
    first = f"{wanted.file} was made of the definitions in {shown(str(found))}{instead}."
    return Choice(found, first, (first, *notebooks[found].notes))


def nearest(sizes: Mapping[PurePosixPath, int]) -> list[PurePosixPath]:
    """As many files as may be read to look for what they define, those nearest the top first.

    Args:
        sizes: path -> bytes.
    """
    left = _CONTENT_BYTES
    chosen = []
    for path in sorted(sizes, key=_nearness):
        left -= sizes[path]
        if left < 0:
            break
        chosen.append(path)
    return chosen


def _covering(wanted: Wanted, defined: Mapping[PurePosixPath, frozenset[str]]) -> PurePosixPath | None:
    enough = [path for path, names in defined.items() if wanted.mostly_in(names)]
    return min(enough, key=lambda path: (-len(wanted.covered_by(defined[path])), *_nearness(path)), default=None)


def _same_stem(wanted: Wanted, defined: Mapping[PurePosixPath, frozenset[str]]) -> PurePosixPath | None:
    fits = [path for path in defined if same_stem(path, wanted) and wanted.covered_by(defined[path])]
    return min(fits, key=_nearness, default=None)


def same_stem(path: PurePosixPath, wanted: Wanted) -> bool:
    """Whether the file's name without its suffix, capitals aside, is the module's."""
    return path.stem.casefold() == wanted.stem.casefold()


def _nearness(path: PurePosixPath) -> tuple[int, str]:
    return len(path.parts), str(path)


def _missing(wanted: Wanted, paths: Iterable[PurePosixPath]) -> str:
    present = sorted(paths, key=_nearness)
    lower = {path.name.casefold(): path for path in reversed(present)}
    close = difflib.get_close_matches(wanted.file.casefold(), list(lower)[:1000], n=1)
    if close:
        name = shown(lower[close[0]].name)
        return f"{wanted.file} was not found in the upload. Did you mean {name}? If so, rename it to {wanted.file}."
    came = ", ".join(shown(path.name) for path in present[:5]) or "no Python file"
    more = " and others" if len(present) > 5 else ""
    return f"{wanted.file} was not found in the upload. What came: {came}{more}. Add {wanted.file} and hand in again."
