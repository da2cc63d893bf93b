"""Finds data sets, fetches them, and keeps their decoded arrays where every later process only maps them.

A set is looked for, in this order: at the path that was given, at the path in an environment variable, in the cache
folder, and then it is downloaded. Sets that are drawn from a seed are made where the download would be.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import platformdirs

from grader.datasets import arithmetic, arrays, captions, cifar10, folders, scenes, shapes10
from grader.datasets.arithmetic import ArithmeticSet
from grader.datasets.captions import CaptionSet
from grader.datasets.download import Progress, Remote, fetch
from grader.datasets.imageset import ImageSet
from grader.datasets.kept import DataSet, packed, unpacked
from grader.datasets.problems import DataError

CACHE_VARIABLE = "SCRATCHGRADE_CACHE"

# Stated by the page that distributes the archive, https://www.cs.toronto.edu/~kriz/cifar.html.
CIFAR10_ARCHIVE = Remote(
    url=f"https://www.cs.toronto.edu/~kriz/{cifar10.ARCHIVE}",
    md5="c58f30108f718f92721af3b95e74349a",
    size=200 * 2**20,
)

# Raised when a reader changes what it makes of the same files.
_READERS = 1


class Origin(str, Enum):
    """Where a set was found."""

    GIVEN = "the path that was given"
    VARIABLE = "an environment variable"
    CACHE = "the cache"
    MADE = "made from a seed"


@dataclass(frozen=True)
class Known:
    """A data set that the store knows.

    Attributes:
        name: short name, by which commands and questions ask for it.
        what: what it is, in a few words.
        kind: the class of its content.
        variable: environment variable that may hold its path; empty if there is none.
        archive: name of its file in the cache; empty if it is not downloaded.
        remote: where it can be downloaded, if anywhere.
        make: draws it, for a set that is made from a seed.
        version: changes with what ``make`` draws.
    """

    name: str
    what: str
    kind: type[DataSet]
    variable: str = ""
    archive: str = ""
    remote: Remote | None = None
    make: Callable[[], DataSet] | None = None
    version: int = 0


KNOWN: Mapping[str, Known] = {
    known.name: known
    for known in (
        Known(
            cifar10.NAME,
            "60,000 photographs of 32 x 32 pixels in ten classes",
            ImageSet,
            variable="SCRATCHGRADE_CIFAR10",
            archive=cifar10.ARCHIVE,
            remote=CIFAR10_ARCHIVE,
        ),
        Known(
            shapes10.NAME,
            "drawn shapes of 32 x 32 pixels in ten classes",
            ImageSet,
            make=shapes10.make,
            version=shapes10.VERSION,
        ),
        Known(
            captions.FLICKR8K,
            "8,091 photographs of 112 x 112 pixels with five captions each",
            CaptionSet,
            variable="SCRATCHGRADE_FLICKR8K",
        ),
        Known(
            scenes.NAME,
            "drawn scenes of 112 x 112 pixels with a caption each",
            CaptionSet,
            make=scenes.make,
            version=scenes.VERSION,
        ),
        Known(
            arithmetic.NAME,
            "sums and differences of numbers with two digits",
            ArithmeticSet,
            make=arithmetic.make,
            version=arithmetic.VERSION,
        ),
    )
}


@dataclass(frozen=True)
class Source:
    """A set that was found: which one, where, and by which way. ``path`` is ``None`` for a set made from a seed."""

    known: Known
    origin: Origin
    path: Path | None


@dataclass(frozen=True)
class Store:
    """Data sets, and the cache folder that holds what was downloaded and decoded.

    Attributes:
        cache: the folder; made when something is first put there.
        tell: takes a sentence about something that went wrong and was got around.
    """

    cache: Path
    tell: Callable[[str], None] = lambda text: None

    @staticmethod
    def default(tell: Callable[[str], None] = lambda text: None) -> Store:
        """The store in the user's cache folder, or in the folder that ``SCRATCHGRADE_CACHE`` names."""
        named = os.environ.get(CACHE_VARIABLE)
        return Store(Path(named) if named else platformdirs.user_cache_path("scratchgrade"), tell)

    # ---------------------------------------------------------------- finding

    def find(self, request: str) -> Source:
        """Where the set is that ``request`` means: the name of a known set, or a path.

        Raises:
            DataError: if there is no such set, or it is not on this machine yet.
        """
        if request not in KNOWN:
            return Source(KNOWN[kind_at(Path(request))], Origin.GIVEN, Path(request).absolute())
        known = KNOWN[request]
        named = os.environ.get(known.variable, "") if known.variable else ""
        if named:
            return Source(known, Origin.VARIABLE, Path(named).absolute())
        if known.make is not None:
            return Source(known, Origin.MADE, None)
        ways = [f"set {known.variable} to its path"] if known.variable else []
        if known.archive:
            if self._archive(known).is_file():
                return Source(known, Origin.CACHE, self._archive(known))
            ways.insert(0, f"run 'grader data fetch {known.name}'")
        raise DataError(
            f"The data set {known.name} is not on this machine; {', '.join(ways)}, or give its path, not its name."
        )

    def _archive(self, known: Known) -> Path:
        return self.cache / "downloads" / known.archive

    def fetch(self, name: str, remote: Remote | None = None, progress: Progress = lambda done, total: None) -> Source:
        """The set ``name``, downloaded if it is nowhere on this machine. ``remote`` replaces the usual address.

        Raises:
            DataError: if it is unknown, cannot be downloaded, or cannot be kept.
        """
        known = known_by(name)
        try:
            return self.find(name)
        except DataError:
            wanted = remote or known.remote
            if wanted is None:
                raise
        return Source(known, Origin.CACHE, fetch(wanted, self._archive(known), progress))

    # ---------------------------------------------------------------- opening

    def open(self, request: str, progress: Progress = lambda done, total: None) -> DataSet:
        """The data set that ``request``, a name or a path, means; downloaded by name where it is nowhere.

        The first call decodes and keeps the arrays, later ones map them. Where nothing can be kept, they are decoded
        into memory, and ``tell`` hears why.

        Raises:
            DataError: if the set cannot be found, fetched or read.
        """
        source = self.fetch(request, progress=progress) if request in KNOWN else self.find(request)
        entry = self.entry(source)
        try:
            return unpacked(arrays.read(entry), source.known.kind)
        except (OSError, arrays.Damaged):
            return self._decode(source, entry)

    def images(self, request: str) -> ImageSet:
        """The labelled images that ``request`` means. Raises :class:`DataError` as :meth:`open`, or if it has none."""
        found = self.open(request)
        if not isinstance(found, ImageSet):
            raise DataError(f"{request} is {found.summary}; labelled images were expected, such as shapes10.")
        return found

    def entry(self, source: Source) -> Path:
        """The folder in which the decoded arrays of ``source`` are kept; another one as soon as its files change."""
        return self.cache / "arrays" / f"{source.known.name}-{_fingerprint(source)[:20]}"

    def _decode(self, source: Source, entry: Path) -> DataSet:
        decoded: DataSet | None = None
        try:
            with arrays.locked(entry):
                # Another process may have been faster.
                try:
                    return unpacked(arrays.read(entry), source.known.kind)
                except FileNotFoundError:
                    pass
                except arrays.Damaged as error:
                    self.tell(f"The entry {entry} {error}; it is made anew.")
                decoded = read(source)
                arrays.write(entry, packed(decoded))
                return unpacked(arrays.read(entry), source.known.kind)
        except (OSError, arrays.Damaged) as error:
            reason = getattr(error, "strerror", None) or error
            self.tell(
                f"{source.known.name} is decoded into memory each time, since {entry.parent} cannot keep it "
                f"({reason}); make room there, or let {CACHE_VARIABLE} name another folder."
            )
        return decoded if decoded is not None else read(source)

    def verify(self, request: str) -> DataSet:
        """The set, read anew from its source and compared with what is kept of it.

        Raises:
            DataError: if the source is damaged, or what is kept differs from it.
        """
        source = self.find(request)
        fresh, entry = read(source), self.entry(source)
        try:
            kept = unpacked(arrays.read(entry), source.known.kind)
        except FileNotFoundError:
            return fresh
        except arrays.Damaged as error:
            raise DataError(f"The entry {entry} {error}; remove that folder, and it is made anew.") from error
        if kept.digest != fresh.digest:
            raise DataError(f"The entry {entry} differs from its source; remove that folder, and it is made anew.")
        return fresh


def known_by(name: str) -> Known:
    """The known set of this name. Raises :class:`DataError` if there is none."""
    if name not in KNOWN:
        raise DataError(f"No data set is called {name!r}; the known ones are {', '.join(KNOWN)}.")
    return KNOWN[name]


def kind_at(path: Path) -> str:
    """The name of the set that lies at ``path``. Raises :class:`DataError` where nothing known lies."""
    if captions.is_flickr8k(path):
        return captions.FLICKR8K
    if not folders.is_one(path):
        cifar10.locate(path)
    return cifar10.NAME


def read(source: Source) -> DataSet:
    """The set, decoded from its source."""
    known, path = source.known, source.path
    if known.make is not None:
        return known.make()
    assert path is not None
    if kind_at(path) != known.name:
        raise DataError(f"{path} holds {kind_at(path)}, and {known.name} was expected there; correct {known.variable}.")
    if known.name == captions.FLICKR8K:
        return captions.load_flickr8k(path)
    return folders.load(path) if folders.is_one(path) else cifar10.load(path)


def _fingerprint(source: Source) -> str:
    """Changes when the files of the source do: by their names, sizes and times, so that they need not be read."""
    path = source.path
    told = [f"version {source.known.version}"] if path is None else [str(path.resolve()), *_stamps(path)]
    return hashlib.sha256("\0".join([str(_READERS), *told]).encode(errors="surrogateescape")).hexdigest()


def _stamps(path: Path) -> list[str]:
    place = path if folders.is_one(path) or captions.is_flickr8k(path) else cifar10.locate(path)
    files = [place] if place.is_file() else sorted(file for file in place.rglob("*") if file.is_file())
    return [f"{file.relative_to(place)} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files]
