"""Intake: an upload becomes a private folder of source and checkpoints, and its modules are found in it.

Nothing of a submission is imported or run here. What a student hands in may be hostile, so archives are read member
by member under caps, links are never followed, and only source and checkpoints are kept.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO

from grader.judge.uploads.archives import (
    Member,
    archive_members,
    archive_stem,
    damage_explained,
    file_chunks,
    folder_members,
)
from grader.judge.uploads.definitions import NotebookModule, module_of
from grader.judge.uploads.discovery import discover
from grader.judge.uploads.filing import (
    Kind,
    Remark,
    Shelf,
    kind_of,
    not_of_interest,
    prepare_folder,
    refusal_of_kind,
    safe_parts,
)
from grader.judge.uploads.limits import Budget, IntakeError, IntakeLimits, shown
from grader.judge.uploads.matching import Choice, Library, Wanted, choose, nearest
from grader.judge.uploads.notebooks import Cell, read_cells, written_file
from grader.judge.uploads.oldnames import in_current_names
from grader.judge.uploads.sourcetext import Fault, normalised

__all__ = ["Fault", "IntakeError", "IntakeLimits", "Remark", "Source", "Submission", "Wanted", "discover", "intake"]

_DEFAULT_LIMITS = IntakeLimits()
_TOP = PurePosixPath()
_FOR_IPYTHON = "Lines such as !pip or %matplotlib were left out: Python itself would refuse the file for them."


@dataclass(frozen=True)
class Source:
    """The file that serves one module.

    Attributes:
        path: the file in the private folder.
        text: its bytes, exactly as they are to be executed: UTF-8, lines ending in a line feed.
        origin: where it came from, relative to the upload: ``"part 1/KNN.py"``, ``"code cells of work.ipynb"``.
        notes: remarks for the student on how it was found and what was left out of it.
        fault: why it cannot be run (a syntax error, an encoding), with line and text; ``None`` if it can be parsed.
    """

    path: Path
    text: bytes
    origin: str
    notes: tuple[str, ...] = ()
    fault: Fault | None = None


@dataclass(frozen=True)
class Submission:
    """A normalised upload.

    Attributes:
        folder: the private folder; everything in it is readable for every account, and nothing is executable.
        root: the folder to put on the import path: the one that holds most of the modules.
        roots: all folders that hold modules, ``root`` first.
        modules: module key -> its source.
        missing: module key -> a sentence for the student, for every module that was not found.
        found: the file that serves each module.
        ignored: files that were left out, and why.
        renamed: files that were not found under their expected name, and how they were recognised.
        files: relative paths of everything kept, sorted.
        digest: SHA-256, in hexadecimal, of names and bytes of everything kept: the same on every machine.
    """

    folder: Path
    root: Path
    roots: tuple[Path, ...]
    modules: Mapping[str, Source]
    missing: Mapping[str, str]
    found: tuple[Remark, ...]
    ignored: tuple[Remark, ...]
    renamed: tuple[Remark, ...]
    files: tuple[str, ...]
    digest: str


def intake(
    upload: Path, wanted: Mapping[str, Wanted], into: Path, *, limits: IntakeLimits = _DEFAULT_LIMITS
) -> Submission:
    """Normalise an upload into the folder ``into`` and find the wanted modules in it.

    Args:
        upload: a folder, a ``.py`` file, a notebook, a zip, or a tar (plain, gzip, bzip2 or xz). Archives inside it
            are opened one level deep, each into a folder of its name.
        wanted: module key -> what to look for.
        into: a folder that does not exist or is empty.
        limits: caps on everything.

    Raises:
        IntakeError: the upload as a whole cannot be graded: it does not exist, is not an archive, is damaged,
            encrypted or too large, or holds no source, notebook or checkpoint. The text is for the student.
        FileExistsError: ``into`` is in use.

    A module that is missing, badly encoded or has a syntax error does not raise; it is recorded.
    """
    if not upload.exists():
        raise IntakeError(
            f"{shown(str(upload))} does not exist. Give the path of a folder, an archive, a notebook or a Python file."
        )
    prepare_folder(into)
    with ExitStack() as cleanup:
        desk = _Desk(Shelf(into, Budget(limits)), cleanup)
        desk.take_all(_members(upload.resolve(), desk.budget, into, cleanup), _TOP, nested=False)
        desk.open_archives()
    desk.write_files_of_cells()
    if not desk.shelf.files and not desk.notebooks:
        raise _nothing(desk.shelf.ignored())
    return _submission(wanted, desk)


def _members(upload: Path, budget: Budget, into: Path, cleanup: ExitStack) -> Iterator[Member]:
    if upload.is_dir():
        return folder_members(upload, budget, into, lambda name: bool(not_of_interest(name)))
    with damage_explained(shown(upload.name)):
        if not upload.is_file():
            raise IntakeError(f"{shown(upload.name)} is neither a folder nor an ordinary file. Hand in one of these.")
        file = cleanup.enter_context(open(upload, "rb"))  # noqa: SIM115 (closed by the caller's stack)
    if kind_of(upload.name) in (Kind.SOURCE, Kind.NOTEBOOK):
        return iter([Member(upload.name, upload.stat().st_size, "", lambda: file_chunks(file))])
    return archive_members(file, shown(upload.name), budget)


class _Desk:
    """Sorts the members of an upload: files to the shelf, notebooks and nested archives aside."""

    def __init__(self, shelf: Shelf, cleanup: ExitStack) -> None:
        self.shelf = shelf
        self.budget = shelf.budget
        self.notebooks: dict[PurePosixPath, tuple[Cell, ...]] = {}
        self._archives: list[tuple[PurePosixPath, IO[bytes]]] = []
        self._cleanup = cleanup

    def take_all(self, members: Iterator[Member], within: PurePosixPath, *, nested: bool) -> None:
        for member in members:
            admitted = self.shelf.admit(member, within)
            if admitted is None:
                continue
            path, kind = admitted
            if kind is Kind.NOTEBOOK:
                self._read_notebook(path, member)
            elif kind is not Kind.ARCHIVE:
                self.shelf.keep(path, member.chunks())
            elif nested:
                self.shelf.ignore(str(path), "It is an archive in an archive in an archive. Pack your files once.")
            else:
                self._put_aside(path, member)

    def _read_notebook(self, path: PurePosixPath, member: Member) -> None:
        raw = b"".join(member.chunks())
        self.budget.keep(len(raw))
        if path in self.notebooks:
            self.shelf.ignore(str(path), "Another notebook of this name came first.")
            return
        try:
            self.notebooks[path] = read_cells(raw, "It", self.shelf.limits)
        except IntakeError as error:
            self.shelf.ignore(str(path), str(error))

    def _put_aside(self, path: PurePosixPath, member: Member) -> None:
        copy = self._cleanup.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 (as above)
        for piece in member.chunks():
            self.budget.keep(len(piece))
            copy.write(piece)
        self._archives.append((path, copy))

    def open_archives(self) -> None:
        """Open the archives found in the upload. A bad one costs itself, and not what lies beside it."""
        for path, copy in self._archives:
            within = path.parent / (archive_stem(path.name) or "archive")
            try:
                self.take_all(archive_members(copy, "It", self.budget), within, nested=True)
            except IntakeError as error:
                self.shelf.ignore(str(path), str(error))

    def write_files_of_cells(self) -> None:
        """Write the source files that notebooks write with ``%%writefile``, beside their notebook."""
        texts: dict[PurePosixPath, str] = {}
        for notebook, cells in self.notebooks.items():
            for cell in cells:
                written = written_file(cell)
                path = written and self._cell_path(notebook, written.name)
                if written and path:
                    texts[path] = (texts.get(path, "") if written.append else "") + written.text
        for path, text in texts.items():
            self.shelf.keep(path, [text.encode(errors="replace")])

    def _cell_path(self, notebook: PurePosixPath, name: str) -> PurePosixPath | None:
        # A path on the student's own machine means its last part here.
        parts, refusal = safe_parts(name, self.shelf.limits)
        if refusal or any(char in name for char in "${~"):
            parts, refusal = safe_parts(PurePosixPath(name).name, self.shelf.limits)
        path = notebook.parent.joinpath(*parts)
        kind = kind_of(path.name)
        litter = any(map(not_of_interest, path.parts))
        unwelcome = refusal or litter or kind is not Kind.SOURCE or refusal_of_kind(path.parts, kind)
        return None if unwelcome else path


def _nothing(ignored: tuple[Remark, ...]) -> IntakeError:
    came = " ".join(map(str, ignored[:5])) or "It is empty."
    return IntakeError(
        f"The upload holds nothing that can be graded: expected Python files or a notebook. What came: {came} "
        "Add your Python files and hand in again."
    )


def _submission(wanted: Mapping[str, Wanted], desk: _Desk) -> Submission:
    shelf = desk.shelf
    texts = {path: file.read_bytes() for path, file in shelf.files.items() if kind_of(path.name) is Kind.SOURCE}
    library = Library(texts)
    notebooks = {path: module_of(desk.notebooks[path]) for path in nearest(_code_sizes(desk.notebooks))}
    choices, missing = choose(wanted, library, notebooks)
    modules = {}
    for key, choice in choices.items():
        notebook = notebooks.get(choice.path)
        if notebook is None:
            modules[key] = _source_of_file(choice, library, shelf)
        elif source := _source_of_notebook(choice, notebook, wanted[key], shelf):
            modules[key] = source
        else:
            missing[key] = f"{wanted[key].file} is in the way of the notebook's code. Rename that folder."
    modules = {key: _in_current_names(source, wanted[key]) for key, source in modules.items()}
    roots = _roots(modules.values()) or (shelf.root,)
    return Submission(
        folder=shelf.root,
        root=roots[0],
        roots=roots,
        modules=modules,
        missing=missing,
        found=tuple(Remark(key, source.origin) for key, source in modules.items()),
        ignored=shelf.ignored(),
        renamed=tuple(Remark(key, choices[key].renamed) for key in modules if choices[key].renamed),
        files=tuple(sorted(map(str, shelf.files))),
        digest=_digest(shelf.files),
    )


def _code_sizes(notebooks: Mapping[PurePosixPath, tuple[Cell, ...]]) -> dict[PurePosixPath, int]:
    return {path: sum(len(cell.text) for cell in cells) for path, cells in notebooks.items()}


def _source_of_file(choice: Choice, library: Library, shelf: Shelf) -> Source:
    read = normalised(library.texts[choice.path])
    names = library.names(choice.path)
    fault = read.fault or (names if isinstance(names, Fault) else None)
    notes = (*choice.notes, _FOR_IPYTHON) if choice.path in shelf.shortened else choice.notes
    return Source(shelf.files[choice.path], read.data, shown(str(choice.path)), notes, fault)


def _source_of_notebook(choice: Choice, module: NotebookModule, wanted: Wanted, shelf: Shelf) -> Source | None:
    text = module.text.encode()
    path = shelf.place(choice.path.parent / wanted.file, text)
    if path is None:
        return None
    return Source(shelf.files[path], text, f"code cells of {shown(str(choice.path))}", choice.notes)


def _in_current_names(source: Source, wanted: Wanted) -> Source:
    if source.fault or not wanted.older_names:
        return source
    text, notes = in_current_names(source.text.decode(), wanted.older_names)
    return replace(source, text=text.encode(), notes=(*source.notes, *notes))


def _roots(sources: Iterable[Source]) -> tuple[Path, ...]:
    # Counter keeps the order of first sight among folders that hold equally many.
    return tuple(folder for folder, _ in Counter(source.path.parent for source in sources).most_common())


def _digest(files: Mapping[PurePosixPath, Path]) -> str:
    total = hashlib.sha256()
    for name in sorted(files, key=str):
        spelt = str(name).encode()
        content = hashlib.sha256()
        with open(files[name], "rb") as file:
            for piece in file_chunks(file):
                content.update(piece)
        # The length goes first, so that no two sets of files run together to the same bytes.
        total.update(len(spelt).to_bytes(8, "big") + spelt + content.digest())
    return total.hexdigest()
