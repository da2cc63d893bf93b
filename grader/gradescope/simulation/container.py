"""Containers like the platform's: a clean system, the image that a bundle builds on it, a copy for each submission.

Three kinds. ``debootstrap`` starts from a minimal Debian or Ubuntu, ``machine`` from this machine's own files; both
take changes in a layer of their own (overlayfs) and need root. ``prefix`` is a mere folder, without walls or limits.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from filelock import FileLock

from grader.exits import UsageError
from grader.gradescope.place import Place
from grader.gradescope.simulation.inside import Entering
from grader.gradescope.simulation.pipsettings import PipSettings

# The platform's image has a Python of its own; a bundle installs what else it needs.
_PACKAGES = "python3,ca-certificates"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_AUTOGRADER = "autograder"
_NAMES = ("/etc/resolv.conf", "/etc/hosts")


class ContainerError(UsageError):
    """No container can be made or built; says what came and what to do."""


class Kind(str, Enum):
    """What a container starts from."""

    DEBOOTSTRAP = "debootstrap"
    MACHINE = "machine"
    PREFIX = "prefix"


def best_kind() -> Kind:
    """The kind that is most like the platform and can be had here."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "mount", "chroot"))):
        return Kind.PREFIX
    return Kind.DEBOOTSTRAP if shutil.which("debootstrap") else Kind.MACHINE


def clean_system(folder: Path, suite: str) -> Path:
    """A minimal system of the release ``suite`` below ``folder``; made once. Raises :class:`ContainerError`."""
    folder.mkdir(parents=True, exist_ok=True)
    system = folder / suite
    with FileLock(folder / f"{suite}.lock"):
        if not system.is_dir():
            _debootstrap(suite, system)
    return system


def _debootstrap(suite: str, system: Path) -> None:
    unfinished = system.with_name(f".{suite}.{os.getpid()}")
    command = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", suite, str(unfinished)]
    try:
        made = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if made.returncode != 0:
            raise ContainerError(f"debootstrap could not make {suite}; it said:\n{made.stdout[-2000:]}{made.stderr}")
        os.replace(unfinished, system)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@dataclass(frozen=True)
class Container:
    """A container on disk.

    Attributes:
        kind: what it starts from.
        lower: folders of its files that do not change, the topmost first; empty for a mere prefix.
        folder: holds its changes, and what is needed to enter it.
        settings: pip's, for what is installed in it.
        below: an image that it starts from, where that cannot be one of ``lower``.
    """

    kind: Kind
    lower: tuple[Path, ...]
    folder: Path
    settings: PipSettings
    below: Container | None = None

    @property
    def changes(self) -> Path:
        """The files that differ from the layers below."""
        return self.folder / "changes"

    @property
    def place(self) -> Place:
        """The platform's folder, as this machine sees it while nothing runs."""
        return Place(self.changes / _AUTOGRADER)

    @property
    def inner(self) -> str:
        """The path of that folder within the container."""
        return str(self.place.root) if self.kind is Kind.PREFIX else f"/{_AUTOGRADER}"

    def make(self) -> None:
        """Makes its folders; they must not exist."""
        for name in ("changes", "work", "root", "image"):
            (self.folder / name).mkdir(parents=True)
        # The folder is the container's "/", which every user of it passes through.
        self.changes.chmod(0o755)
        self.place.root.mkdir(mode=0o755)

    def layered(self, folder: Path) -> Container:
        """A container in ``folder`` that starts from this one, which must not change any more."""
        if self.kind is Kind.PREFIX:
            return self
        if self.kind is Kind.MACHINE:
            # This machine's files hold the image's own: the kernel refuses the two side by side.
            return Container(self.kind, self.lower, folder, self.settings, self)
        return Container(self.kind, (self.changes, *self.lower), folder, self.settings)

    def command(
        self, command: Sequence[str], environment: Mapping[str, str], entrances: Sequence[str] = (), pip: bool = False
    ) -> tuple[list[str], dict[str, str]]:
        """A command and an environment that run ``command`` in the container, in the platform's folder.

        Args:
            command: what runs, with paths of the container.
            environment: all that it is told.
            entrances: files of control groups to enter first.
            pip: whether it installs, and sees pip's settings and the files that they name.
        """
        variables = {"PATH": _PATH, "LANG": "C.UTF-8", "HOME": "/root", **environment}
        variables |= self.settings.variables if pip else {}
        if self.kind is Kind.PREFIX:
            return list(command), {**variables, "AUTOGRADER": self.inner}
        shown = [Path(name) for name in _NAMES if Path(name).is_file()]
        shown += [path for path in self.settings.paths if self.kind is Kind.DEBOOTSTRAP] if pip else []
        image = self.below
        entering = Entering(
            lower=[str(path) for path in self.lower],
            upper=str(self.changes),
            work=str(self.folder / "work"),
            root=str(self.folder / "root"),
            readable=[str(path) for path in shown],
            environment=variables,
            folder=self.inner,
            entrances=list(entrances),
            below=[str(image.changes), str(image.folder / "work"), str(self.folder / "image")] if image else [],
        )
        order = self.folder / "enter.json"
        order.write_text(entering.to_json(), encoding="utf-8")
        enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child", sys.executable, "-I", "-m"]
        return [*enter, "grader.gradescope.simulation.inside", str(order), *command], dict(os.environ)


def system_release() -> str:
    """The code name of this machine's own release, such as ``bookworm``. Raises :class:`ContainerError`."""
    for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        if name == "VERSION_CODENAME":
            return value.strip('"')
    raise ContainerError("This machine does not tell the name of its release; say which one with --suite.")


WORDS = {
    Kind.DEBOOTSTRAP: "a clean system, made by debootstrap",
    Kind.MACHINE: "this machine's own files, with changes set apart",
    Kind.PREFIX: "a mere folder: no walls, no limits of memory and computing time",
}
