"""Goes into a container: in namespaces of its own, this process mounts its files, takes its limits, and becomes it.

    unshare --mount --pid --fork --kill-child python -m grader.gradescope.simulation.inside ORDER COMMAND...

Exit code 125 when the container cannot be entered.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

FAILED = 125
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


@dataclass(frozen=True)
class Entering:
    """How a container is entered, as plain data.

    Attributes:
        lower: folders that are its files, the topmost first.
        upper: folder that takes all changes.
        work: empty folder beside ``upper``, for the kernel.
        root: empty folder on which it is mounted.
        readable: files and folders of this machine that are seen at their own place, and cannot be changed.
        environment: the environment of the command.
        folder: in which the command starts.
        entrances: files of control groups to enter.
        below: an image whose files lie within ``lower``, which the kernel takes for a loop unless the image is mounted
            first: its changes, its own empty folder for the kernel, and an empty folder on which it is mounted.
    """

    lower: list[str]
    upper: str
    work: str
    root: str
    readable: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    entrances: list[str] = field(default_factory=list)
    below: list[str] = field(default_factory=list)

    def to_json(self) -> str:
        """The order as JSON."""
        return json.dumps(asdict(self))


def main(arguments: list[str]) -> int:
    """Enters and becomes the command; returns only where it cannot."""
    order = Entering(**json.loads(Path(arguments[0]).read_text(encoding="utf-8")))
    try:
        for entrance in order.entrances:
            Path(entrance).write_text("0")
        _mount_all(order)
        variables = [f"{name}={value}" for name, value in order.environment.items()]
        command = ["env", "-i", f"--chdir={order.folder}", *variables, *arguments[1:]]
        os.execvp(_tool("chroot"), ["chroot", order.root, *command])  # noqa: S606 - becomes the command
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"the container cannot be entered: {error}", file=sys.stderr)
    return FAILED


def _mount_all(order: Entering) -> None:
    root = Path(order.root)
    # Nothing that is mounted here shows outside.
    _mount("--make-rprivate", "/")
    lower = order.lower
    if order.below:
        _layer(lower, *order.below)
        lower = [order.below[2]]
    _layer(lower, order.upper, order.work, order.root)
    for name in ("proc", "dev", "tmp"):
        (root / name).mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    _mount("-t", "proc", "proc", str(root / "proc"))
    _mount("-t", "tmpfs", "-o", "mode=755,size=64k", "devices", str(root / "dev"))
    for name in _DEVICES:
        _show(Path("/dev", name), root)
    (root / "dev/shm").mkdir()
    _mount("-t", "tmpfs", "-o", "mode=1777,size=64m", "shm", str(root / "dev/shm"))
    (root / "dev/fd").symlink_to("/proc/self/fd")
    for path in map(Path, order.readable):
        _show(path, root)
        _mount("-o", "remount,bind,ro", str(root / path.relative_to("/")))


def _layer(lower: list[str], upper: str, work: str, root: str) -> None:
    _mount("-t", "overlay", "overlay", "-o", f"lowerdir={':'.join(lower)},upperdir={upper},workdir={work}", root)


def _show(path: Path, root: Path) -> None:
    """Makes what lies at ``path`` of this machine visible at the same place below ``root``."""
    target = root / path.relative_to("/")
    if path.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    _mount("--bind", str(path), str(target))


def _mount(*arguments: str) -> None:
    subprocess.run([_tool("mount"), *arguments], check=True)


def _tool(name: str) -> str:
    return shutil.which(name) or name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
