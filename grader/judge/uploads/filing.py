"""Which files of an upload are kept, and writing them to the private folder."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath

from grader.judge.uploads.archives import Member, is_archive
from grader.judge.uploads.limits import Budget, IntakeLimits, human, shown
from grader.judge.uploads.sourcetext import normalised

_CHECKPOINTS = (".pt", ".pth", ".safetensors")
_COMPILED = (".so", ".pyd", ".dll", ".dylib")
_PICKLES = (".pkl", ".pickle", ".joblib")
_STARTUP = frozenset({"conftest", "sitecustomize", "usercustomize"})
_SETTINGS = frozenset({"pytest.ini", "pytest.toml", "tox.ini", "setup.cfg", "pyproject.toml"})
_LITTER = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
_ENVIRONMENTS = frozenset({"site-packages", "dist-packages", "node_modules", "venv"})
_BIDI = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_REMARKS = 60
_FOLDER_MODE, _FILE_MODE = 0o755, 0o644


class Kind(Enum):
    """What a file is to the intake."""

    SOURCE = "source"
    NOTEBOOK = "notebook"
    CHECKPOINT = "checkpoint"
    ARCHIVE = "archive"
    OTHER = "other"


@dataclass(frozen=True)
class Remark:
    """One line of the report on an intake: a file of the upload, and what was done with it.

    Attributes:
        name: the file, printable.
        text: a sentence.
    """

    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


def kind_of(name: str) -> Kind:
    """Tell the kind of a file by its name."""
    lower = name.lower()
    if lower.endswith(".py"):
        return Kind.SOURCE
    if lower.endswith(".ipynb"):
        return Kind.NOTEBOOK
    if lower.endswith(_CHECKPOINTS):
        return Kind.CHECKPOINT
    return Kind.ARCHIVE if is_archive(lower) else Kind.OTHER


def not_of_interest(name: str) -> str:
    """Why a file or folder of this name is left out without a line of its own; empty where it is not."""
    lower = name.lower()
    if lower == "__pycache__" or lower.endswith((".pyc", ".pyo")):
        return "compiled files"
    if lower in _ENVIRONMENTS:
        return "files of installed packages"
    return "hidden files" if lower.startswith(".") or lower in _LITTER else ""


def safe_parts(name: str, limits: IntakeLimits) -> tuple[tuple[str, ...], str]:
    """Take a member's name apart.

    Returns:
        The components of a relative path, in Unicode's form NFC, and why the name is refused; empty if it is not.
    """
    spelt = unicodedata.normalize("NFC", name.replace("\\", "/"))
    parts = tuple(part for part in spelt.split("/") if part not in ("", "."))
    if any(char in _BIDI or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in spelt):
        return parts, "Its name holds characters that cannot be printed. Rename it."
    if spelt.startswith("/") or (parts and len(parts[0]) == 2 and parts[0][1] == ":"):
        return parts, "Its path is absolute; paths in an archive must be relative."
    if ".." in parts:
        return parts, "Its path leads out of the archive."
    if not parts or parts[-1].startswith("-"):
        return parts, "It needs a name that does not begin with a dash."
    too_long = max(len(part.encode()) for part in parts) > limits.name_bytes or len(spelt.encode()) > limits.path_bytes
    if too_long or len(parts) > limits.depth:
        return parts, "Its path is too long or too deep. Move it to a folder nearer the top."
    return parts, ""


def refusal_of_kind(parts: tuple[str, ...], kind: Kind) -> str:
    """Why a file of this path and kind is never kept; empty if it may be."""
    lower = parts[-1].lower()
    if any(part.lower().split(".")[0] in _STARTUP for part in parts) or lower in _SETTINGS:
        return "Submissions cannot configure Python or the grader, so it was left out."
    if lower.endswith(_COMPILED):
        return "Compiled code is not accepted; hand in Python source."
    if lower.endswith(_PICKLES):
        return "Pickles are not loaded; save checkpoints with torch.save or safetensors."
    return "It is not a kind of file that is graded." if kind is Kind.OTHER else ""


class Shelf:
    """The private folder while it is being filled, and the remarks made on the way.

    Attributes:
        root: the folder.
        budget: what this intake has cost so far.
        files: kept files: relative path -> file.
        shortened: those of them from which lines for IPython were taken out.
    """

    def __init__(self, root: Path, budget: Budget) -> None:
        self.root = root
        self.files: dict[PurePosixPath, Path] = {}
        self.shortened: set[PurePosixPath] = set()
        self.budget = budget
        self._spellings: dict[str, PurePosixPath] = {}
        self._folders: dict[str, PurePosixPath] = {}
        self._ignored: list[Remark] = []
        self._uninteresting: Counter[str] = Counter()

    @property
    def limits(self) -> IntakeLimits:
        """The caps of this intake."""
        return self.budget.limits

    def admit(self, member: Member, within: PurePosixPath) -> tuple[PurePosixPath, Kind] | None:
        """Decide whether ``member`` is of use; if not, remember why.

        Args:
            member: a file of the upload.
            within: the folder that stands for the archive the member is in.
        """
        parts, refusal = safe_parts(member.name, self.limits)
        reason = next(filter(None, map(not_of_interest, parts)), "")
        if not refusal and reason:
            self._uninteresting[reason] += 1
            return None
        path = within.joinpath(*parts)
        kind = kind_of(path.name)
        refusal = refusal or member.refusal or refusal_of_kind(path.parts, kind) or self._too_large(member, kind)
        if not refusal and len(str(path).encode()) > self.limits.path_bytes:
            refusal = "Its path is too long. Move it to a folder nearer the top."
        if refusal:
            self.ignore(member.name, refusal)
            return None
        return path, kind

    def _too_large(self, member: Member, kind: Kind) -> str:
        caps = {
            Kind.SOURCE: self.limits.source_bytes,
            Kind.NOTEBOOK: self.limits.notebook_bytes,
            Kind.CHECKPOINT: self.limits.checkpoint_bytes,
            Kind.ARCHIVE: self.limits.nested_bytes,
        }
        cap = caps.get(kind, 0)
        if member.size <= cap:
            return ""
        return f"It has {human(member.size)}, more than the {human(cap)} accepted for such a file. Make it smaller."

    def ignore(self, name: str, reason: str) -> None:
        """Remember that a file was left out, and why."""
        self._ignored.append(Remark(shown(name), reason))

    def ignored(self) -> tuple[Remark, ...]:
        """What was left out: at most 60 lines, and one for all that is of no interest of each kind."""
        lines = self._ignored[:_REMARKS]
        if more := len(self._ignored) - len(lines):
            lines.append(Remark(f"{more} more", "They were left out as well."))
        for reason, count in sorted(self._uninteresting.items()):
            lines.append(Remark(reason, f"{count} left out."))
        return tuple(lines)

    def keep(self, path: PurePosixPath, chunks: Iterable[bytes]) -> bool:
        """Write a file; of two files whose names differ in capitals at most, the second is left out.

        Source is written as it will be executed, see :func:`~grader.judge.uploads.sourcetext.normalised`.

        Returns:
            Whether the file was kept.
        """
        first = self._taken(path)
        if first is not None:
            self.ignore(str(path), f"Another file of this name (capitals aside) came first: {shown(str(first))}.")
            return False
        self._claim(path)
        self.files[path] = self._write(path, chunks)
        return True

    def place(self, path: PurePosixPath, text: bytes) -> PurePosixPath | None:
        """Write source in place of a kept file of this name (capitals aside), or as a new file.

        Returns:
            Where it went; ``None`` if a folder, or a file in place of a folder, is in the way.
        """
        path = self._spellings.get(_folded(path), path)
        if path in self.files:
            self.files.pop(path).unlink()
            self.files[path] = self._write(path, [text])
            return path
        return path if self.keep(path, [text]) else None

    def _taken(self, path: PurePosixPath) -> PurePosixPath | None:
        key = _folded(path)
        if key in self._spellings or key in self._folders:
            return self._spellings.get(key) or self._folders[key]
        return next((self._spellings[k] for k in map(_folded, path.parents) if k in self._spellings), None)

    def _claim(self, path: PurePosixPath) -> None:
        self._spellings[_folded(path)] = path
        for folder in list(path.parents)[:-1]:
            self._folders.setdefault(_folded(folder), folder)

    def _write(self, path: PurePosixPath, chunks: Iterable[bytes]) -> Path:
        target = self.root.joinpath(*path.parts)
        _make_folders(self.root, path.parent)
        if kind_of(path.name) is Kind.SOURCE:
            source = normalised(b"".join(chunks))
            chunks = [source.data]
            if source.shortened:
                self.shortened.add(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with open(os.open(target, flags, _FILE_MODE), "wb") as file, ExitStack() as undo:
            undo.callback(target.unlink)
            for piece in self._charged(chunks):
                file.write(piece)
            os.fchmod(file.fileno(), _FILE_MODE)
            undo.pop_all()
        return target

    def _charged(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for piece in chunks:
            self.budget.keep(len(piece))
            yield piece


def prepare_folder(folder: Path) -> None:
    """Make an empty folder that every account can read.

    Raises:
        FileExistsError: it is there and is not an empty folder.
    """
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise FileExistsError(
            f"{folder} must be a new or an empty folder, so that nothing in it is mistaken for a submission."
        )
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(_FOLDER_MODE)


def _make_folders(root: Path, folder: PurePosixPath) -> None:
    current = root
    for part in folder.parts:
        current = current / part
        if not current.is_dir():
            current.mkdir()
            current.chmod(_FOLDER_MODE)


def _folded(path: PurePosixPath) -> str:
    return unicodedata.normalize("NFKC", str(path)).casefold()
