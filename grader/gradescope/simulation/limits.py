"""Limits of a container and what it used of them: control groups of the kernel, of both versions.

Interface: the kernel's ``Documentation/admin-guide/cgroup-v1`` and ``cgroup-v2.rst``.
"""

from __future__ import annotations

import os
import secrets
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")
_PERIOD = 100_000  # microseconds


@dataclass(frozen=True)
class Limits:
    """What a container may use: memory in MiB, and computing time as a number of processors."""

    memory_mb: int = 768
    processors: float = 0.5


@dataclass
class Group:
    """A control group with limits; ``folders`` is empty where this machine offers none.

    Use as a context manager: what is still in it at the end is killed.
    """

    limits: Limits
    folders: list[Path] = field(default_factory=list)
    peak_bytes: int = 0
    unavailable: str = ""

    def __enter__(self) -> Group:
        name = f"scratchgrade-{os.getpid()}-{secrets.token_hex(4)}"
        try:
            self.folders = _second(name, self.limits) if _is_second() else _first(name, self.limits)
        except OSError as error:
            self.unavailable = f"memory and computing time are not limited here: {error}"
        return self

    def __exit__(self, *_: object) -> None:
        for folder in self.folders:
            with suppress(OSError):
                for pid in (folder / "cgroup.procs").read_text().split():
                    os.kill(int(pid), signal.SIGKILL)
            with suppress(OSError):
                folder.rmdir()

    @property
    def entrances(self) -> list[str]:
        """Files into which a process writes 0 to enter."""
        return [str(folder / "cgroup.procs") for folder in self.folders]

    def look(self) -> None:
        """Takes note of the memory in use, without pages of files."""
        for folder in self.folders:
            with suppress(OSError, KeyError, ValueError):
                self.peak_bytes = max(self.peak_bytes, _held(folder))

    @property
    def cpu_seconds(self) -> float:
        """Computing time of all that ran in it; 0 where that is not known."""
        for folder in self.folders:
            with suppress(OSError, ValueError):
                return int((folder / "cpuacct.usage").read_text()) / 1e9
            with suppress(OSError, KeyError, ValueError):
                return int(_fields(folder / "cpu.stat")["usage_usec"]) / 1e6
        return 0.0

    @property
    def memory_ran_out(self) -> int:
        """How many processes were killed because memory ran out."""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                with suppress(OSError, KeyError, ValueError):
                    return int(_fields(folder / name)["oom_kill"])
        return 0


def _is_second() -> bool:
    return (_MOUNT / "cgroup.controllers").is_file()


def _first(name: str, limits: Limits) -> list[Path]:
    memory, cpu, accounts = folders = [_MOUNT / part / name for part in ("memory", "cpu", "cpuacct")]
    for folder in folders:
        folder.mkdir(exist_ok=True)  # two of them may be one
    (memory / "memory.limit_in_bytes").write_text(str(limits.memory_mb << 20))
    with suppress(OSError):  # absent without accounting of swap
        (memory / "memory.memsw.limit_in_bytes").write_text(str(limits.memory_mb << 20))
    (cpu / "cpu.cfs_period_us").write_text(str(_PERIOD))
    (cpu / "cpu.cfs_quota_us").write_text(str(int(limits.processors * _PERIOD)))
    return [accounts, memory, cpu]


def _second(name: str, limits: Limits) -> list[Path]:
    with suppress(OSError):  # they may be on already, or be managed by somebody else
        (_MOUNT / "cgroup.subtree_control").write_text("+memory +cpu")
    folder = _MOUNT / name
    folder.mkdir()
    (folder / "memory.max").write_text(str(limits.memory_mb << 20))
    with suppress(OSError):
        (folder / "memory.swap.max").write_text("0")
    (folder / "cpu.max").write_text(f"{int(limits.processors * _PERIOD)} {_PERIOD}")
    return [folder]


def _held(folder: Path) -> int:
    """Memory in use, in bytes, without pages of files: the kernel drops those when it needs room, up to the limit."""
    stat = _fields(folder / "memory.stat")
    if _is_second():
        usage, cached, shared = folder / "memory.current", stat["file"], stat["shmem"]
    else:
        usage, cached, shared = folder / "memory.usage_in_bytes", stat["total_cache"], stat.get("total_shmem", "0")
    # Memory that several processes share through a file system in memory is counted among files.
    return int(usage.read_text()) - int(cached) + int(shared)


def _fields(file: Path) -> dict[str, str]:
    return dict(line.split(maxsplit=1) for line in file.read_text().splitlines() if " " in line)
