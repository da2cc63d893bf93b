"""Resource limits of a player (``setrlimit``), and the measurements that they build on."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from .kernel import Unavailable

if sys.platform != "win32":
    import resource


def memory_in_use() -> tuple[int, int]:
    """Address space and private writable memory of this process, in bytes (Linux's ``VmSize`` and ``VmData``)."""
    try:
        fields = Path("/proc/self/statm").read_text().split()
    except OSError as error:
        raise Unavailable("the memory in use cannot be measured: there is no /proc/self/statm") from error
    page = os.sysconf("SC_PAGE_SIZE")
    return int(fields[0]) * page, int(fields[5]) * page


def _uid_and_threads(status: str) -> tuple[int, int]:
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(lines["Uid"].split()[0]), int(lines["Threads"])


def tasks_of(uid: int) -> int:
    """Number of processes and threads that ``uid`` runs now: the kernel compares their sum with RLIMIT_NPROC."""
    total = 0
    with os.scandir("/proc") as entries:
        for entry in entries:
            # A process that forbids being inspected belongs to root here, whoever runs it, so its status decides.
            with suppress(OSError):
                if entry.name.isdigit() and entry.stat().st_uid in (0, uid):
                    owner, threads = _uid_and_threads(Path(entry.path, "status").read_text())
                    total += threads if owner == uid else 0
    return total


def _finite(limit: int) -> int:
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit


def _lower(name: str, value: int) -> bool:
    """Set one limit, never above the one in force; False where the system knows no such limit or refuses."""
    kind = getattr(resource, f"RLIMIT_{name}", None)
    if kind is None:
        return False
    soft, hard = (_finite(limit) for limit in resource.getrlimit(kind))
    ceiling = min(value, soft)
    # CPU time: the soft limit sends SIGXCPU, which names the cause; the hard one kills a second later.
    top = min(ceiling + 1, hard) if name == "CPU" else ceiling
    try:
        resource.setrlimit(kind, (ceiling, top))
    except (OSError, ValueError):
        return False
    return True


def lower(ceilings: Mapping[str, int]) -> str:
    """Lower the limits named like ``"AS"`` or ``"NOFILE"``, soft and hard. Returns a text for a report.

    Raises :class:`Unavailable` where the system has no resource limits at all.
    """
    if sys.platform == "win32":
        raise Unavailable("Windows has no resource limits of this kind")
    done = {name: _lower(name, value) for name, value in ceilings.items()}
    text = ", ".join(f"{name}={ceilings[name]}" for name, worked in done.items() if worked)
    refused = ", ".join(name for name, worked in done.items() if not worked)
    return f"{text}; refused: {refused}" if refused else text
