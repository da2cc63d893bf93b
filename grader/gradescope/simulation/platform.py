"""From a bundle and a submission to what the platform would show: builds images, keeps them, runs gradings."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock, Timeout

from grader.gradescope.simulation import harness
from grader.gradescope.simulation.container import (
    Container,
    ContainerError,
    Kind,
    best_kind,
    clean_system,
    system_release,
)
from grader.gradescope.simulation.limits import Limits
from grader.gradescope.simulation.pipsettings import pip_settings

_KEPT_IMAGES = 4
_LOG_CHARACTERS = 4000


@dataclass(frozen=True)
class Platform:
    """The platform, simulated.

    Attributes:
        folder: holds clean systems and images.
        kind: what containers start from.
        suite: release of the clean system; empty for this machine's own.
        limits: of a grading.
        seconds: time limit of a grading.
    """

    folder: Path
    kind: Kind
    suite: str = ""
    limits: Limits = field(default_factory=Limits)
    seconds: float = 600.0

    @staticmethod
    def default(kind: Kind | None = None, **changes: Any) -> Platform:
        """The platform with its folder in the user's cache."""
        return Platform(platformdirs.user_cache_path("scratchgrade") / "containers", kind or best_kind(), **changes)

    @contextmanager
    def image(self, bundle: Path) -> Iterator[tuple[Container, float]]:
        """The image that ``bundle`` builds, and the seconds that it took; 0 where it was built before.

        Raises:
            ContainerError: if the build fails; with the end of what it printed.
        """
        if self.kind is Kind.PREFIX:
            with tempfile.TemporaryDirectory(prefix="autograder-") as folder:
                # Players pass through; the folder's own modes keep them out of the rest.
                os.chmod(folder, 0o711)  # noqa: S103
                container = Container(self.kind, (), Path(folder, "image"), pip_settings())
                yield container, _build(bundle, container)
            return
        lower = (
            clean_system(self.folder, self.suite or system_release()) if self.kind is Kind.DEBOOTSTRAP else Path("/")
        )
        digest = hashlib.sha256(f"{lower}\0".encode() + bundle.read_bytes()).hexdigest()[:16]
        container = Container(self.kind, (lower,), self.folder / "images" / digest, pip_settings())
        container.folder.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as use:
            with FileLock(_lock_of(container.folder)):
                seconds = 0.0 if _done(container.folder).exists() else _built(bundle, container)
                _done(container.folder).touch()
                # Whoever enters this machine's files mounts the image's changes themselves, which one may at a time.
                use.enter_context(_in_use(container.folder, alone=self.kind is Kind.MACHINE))
                _tidy(container.folder.parent)
            yield container, seconds

    def grade(self, image: Container, submission: Path, metadata: Mapping[str, Any] | None = None) -> harness.Outcome:
        """Hands ``submission`` in to a fresh copy of ``image``, and grades it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder, prefix="run-", ignore_cleanup_errors=True) as folder:
            container = image.layered(Path(folder, "container"))
            if container is not image:
                container.make()
            harness.hand_in(container, submission, sample_metadata() if metadata is None else metadata)
            return harness.run(container, self.limits, self.seconds)


def _done(image: Path) -> Path:
    """Says that an image is finished, and when it was used last."""
    return image / "done"


def _lock_of(image: Path) -> Path:
    return image.with_suffix(".lock")


@contextmanager
def _in_use(image: Path, *, alone: bool, wait: bool = True) -> Iterator[None]:
    """Keeps others from removing an image, or, with ``alone``, from using it.

    Raises:
        BlockingIOError: if it cannot be had now and ``wait`` is false.
    """
    import fcntl  # no container runs where this is missing

    with image.with_suffix(".use").open("ab") as file:
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB))
        yield


def _built(bundle: Path, container: Container) -> float:
    """Builds an image that is kept; nothing of it is where that fails. Returns the seconds that it took."""
    shutil.rmtree(container.folder, ignore_errors=True)
    try:
        return _build(bundle, container)
    except BaseException:
        shutil.rmtree(container.folder, ignore_errors=True)
        raise


def _build(bundle: Path, container: Container) -> float:
    started = time.monotonic()
    container.make()
    harness.unpack(bundle, container)
    command, environment = container.command(["bash", f"{container.inner}/source/setup.sh"], {}, pip=True)
    built = subprocess.run(
        command,
        env=environment,
        cwd=container.place.root,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if built.returncode != 0:
        said = (built.stdout + built.stderr)[-_LOG_CHARACTERS:]
        raise ContainerError(f"setup.sh failed with exit code {built.returncode}; it said:\n{said}")
    return time.monotonic() - started


def _tidy(images: Path) -> None:
    """Removes all but the images that were used last, and those in use."""
    finished = [folder for folder in images.iterdir() if _done(folder).exists()]
    finished.sort(key=lambda folder: _done(folder).stat().st_mtime)
    for folder in finished[:-_KEPT_IMAGES]:
        with (
            suppress(Timeout, BlockingIOError),
            FileLock(_lock_of(folder), timeout=0),
            _in_use(folder, alone=True, wait=False),
        ):
            shutil.rmtree(folder, ignore_errors=True)


def sample_metadata() -> dict[str, Any]:
    """Metadata of a first submission by one student, a week before the due date."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    due = (now + timedelta(days=7)).isoformat()
    return {
        "id": 1,
        "created_at": now.isoformat(),
        "assignment": {
            "id": 1,
            "course_id": 1,
            "title": "Simulated assignment",
            "release_date": (now - timedelta(days=7)).isoformat(),
            "due_date": due,
            "late_due_date": None,
            "group_submission": False,
            "group_size": None,
            "total_points": "100.0",
        },
        "submission_method": "upload",
        "users": [{"id": 1, "email": "student@example.edu", "name": "A Student"}],
        "previous_submissions": [],
    }
