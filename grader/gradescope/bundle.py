"""The zip that is uploaded to Gradescope: what builds the image, what grades there, and the course's hidden files.

The same course, grader and data give the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from grader import __version__
from grader.contract.assignment import BESIDE, EXPERIMENTS, Assignment
from grader.contract.course import Course
from grader.datasets import captions, cifar10, folders
from grader.datasets.store import Store
from grader.exits import UsageError
from grader.gradescope import wheel
from grader.gradescope.leaks import leaks
from grader.gradescope.manifest import Manifest
from grader.gradescope.memory import needed_mb
from grader.gradescope.place import BUNDLE

CONSTRAINTS = "constraints.txt"
_PACKAGE = Path(__file__).resolve().parent.parent
_SCRIPTS = ("setup.sh", "run_autograder")
_PIECE = 1 << 20


class BundleError(UsageError):
    """No bundle can be made; says what was expected and what to do."""


@dataclass(frozen=True)
class Member:
    """A file of the bundle.

    Attributes:
        name: its path in the zip.
        content: its bytes, or the file that holds them.
        hidden: whether no submission may read it in the container.
    """

    name: str
    content: bytes | Path
    hidden: bool = True

    @property
    def size(self) -> int:
        """Bytes, unpacked."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size

    def read(self) -> bytes:
        """All of its bytes."""
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()


@dataclass(frozen=True)
class Bundle:
    """What is uploaded: members in the order in which they are written, those of the root first."""

    assignment: Assignment
    members: tuple[Member, ...]

    def write(self, path: Path) -> int:
        """Writes the zip, whole or not at all; returns its size in bytes."""
        beside = path.with_name(f".{path.name}.part")
        try:
            with zipfile.ZipFile(beside, "w") as archive:
                for member in self.members:
                    _write(archive, member)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
        return path.stat().st_size


def make(course: Course, name: str, data: Sequence[str] = (), seed: str = "") -> Bundle:
    """The bundle of the assignment ``name``.

    Args:
        course: the course.
        name: the assignment.
        data: names or paths of data sets; files are packed, and what is made from a seed is made in the container.
        seed: of all draws; by default it follows from the course's files.

    Raises:
        AssignmentError: if there is no such assignment, or it is not usable.
        BundleError: if something is missing here, hidden text would show, or the container's memory would not do.
        DataError: if a data set is not to be had.
    """
    assignment = course.assignment(name)
    requests, packs = _data(data)
    # Whoever knows the course's hidden files could compute it, and has no need to.
    seed = seed or hashlib.sha256(f"seed of {assignment.digest}".encode()).hexdigest()
    manifest = Manifest(name, __version__, assignment.digest, seed, requests)
    members = [
        *(Member(script, files(__package__).joinpath("files", script).read_bytes()) for script in _SCRIPTS),
        Member(BUNDLE, manifest.to_json().encode()),
        Member(CONSTRAINTS, pinned_versions().read_bytes()),
        Member(wheel.FILE, wheel.build()),
        *_course(assignment),
        *packs,
    ]
    bundle = Bundle(assignment, tuple(members))
    found = shown_by(bundle)
    if found:
        raise BundleError("\n".join(["The bundle would show hidden text to students:", *found]))
    _require_memory(assignment, data)
    return bundle


def _require_memory(assignment: Assignment, requests: Sequence[str]) -> None:
    memory_mb = assignment.content.gradescope.memory_mb
    for request in requests:
        found = Store.default().open(request)
        needed = needed_mb(found)
        if needed > memory_mb:
            raise BundleError(
                f"{found.summary}: grading with it takes about {needed:,} MiB, and the container has {memory_mb:,}. "
                f"Choose a larger container on Gradescope, and write its size into {assignment.folder}/assignment.toml "
                "as memory_mb in a table [gradescope]; or give a smaller set."
            )


def shown_by(bundle: Bundle) -> list[str]:
    """What of the hidden files of the course stands in something that a submission can read, in sentences."""
    assignment = bundle.assignment
    course = [member for member in bundle.members if member.name.startswith("course/")]
    readable = {member.name: member.read() for member in course if not member.hidden}
    given = {path.name: path.read_bytes() for path in _files(assignment.template)}
    return leaks(
        {member.name: member.read() for member in course if member.hidden},
        given,
        {**readable, **wheel.files(), **given},
    )


def _course(assignment: Assignment) -> Iterator[Member]:
    for folder in (assignment.folder, assignment.reference):
        part = "assignments" if folder == assignment.folder else "reference"
        for path in _files(folder):
            if path.relative_to(folder).parts[0] in (EXPERIMENTS if folder == assignment.reference else BESIDE):
                continue
            name = f"course/{part}/{assignment.name}/{path.relative_to(folder).as_posix()}"
            yield Member(name, path.read_bytes(), hidden=assignment.provided not in path.parents)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def pinned_versions() -> Path:
    """The pinned versions: in the package where it is installed, beside it in its repository."""
    for path in (_PACKAGE / CONSTRAINTS, _PACKAGE.parent / CONSTRAINTS):
        if path.is_file():
            return path
    raise BundleError(f"{_PACKAGE} has no {CONSTRAINTS}, which names the versions to install; install the grader anew.")


def _data(requests: Sequence[str]) -> tuple[tuple[str, ...], list[Member]]:
    """How the container asks for the data sets, and the files that it needs for that."""
    asked, packed = [], []
    for request in requests:
        source = Store.default().find(request)
        if source.path is None or source.known.make is not None:
            asked.append(source.known.name)
            continue
        place = source.path
        if not folders.is_one(place) and not captions.is_flickr8k(place):
            place = cifar10.locate(place)
        name = f"data/{source.known.name}/{place.name}"
        asked.append(name)
        inside = [place] if place.is_file() else _files(place)
        packed += [Member(f"{name}/{path.relative_to(place).as_posix()}".removesuffix("/."), path) for path in inside]
    return tuple(asked), packed


def _write(archive: zipfile.ZipFile, member: Member) -> None:
    info = wheel.entry(member.name, 0o755 if member.name in _SCRIPTS else 0o644)
    if isinstance(member.content, bytes):
        archive.writestr(info, member.content, compresslevel=9)
        return
    # Data sets are compressed already, or hardly can be.
    info.compress_type = zipfile.ZIP_STORED
    with member.content.open("rb") as source, archive.open(info, "w", force_zip64=True) as target:
        while piece := source.read(_PIECE):
            target.write(piece)
