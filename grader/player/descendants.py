"""The end of players that outlive their work: a zygote adopts their orphans and leaves none behind."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from . import kernel

_PR_SET_CHILD_SUBREAPER = 36
_ROUNDS = 1000  # far more than a process that RLIMIT_NPROC bounds can keep up with


def become_subreaper() -> bool:
    """Make this process the new parent of its descendants' orphans; False where the system has no such thing."""
    try:
        kernel.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    except (kernel.Unavailable, OSError):
        return False
    return True


def _parents() -> dict[int, tuple[int, str]]:
    """``{pid: (parent's pid, state letter)}`` of every process that can be seen."""
    found = {}
    with suppress(OSError), os.scandir("/proc") as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.name.isdigit():
                    # The name in parentheses may hold anything, so fields are counted from its end.
                    state, parent = Path(entry.path, "stat").read_text().rpartition(")")[2].split()[:2]
                    found[int(entry.name)] = (int(parent), state)
    return found


def living_descendants() -> dict[int, str]:
    """``{pid: state letter}`` of this process's children, their children and so on, without the dead."""
    everyone = _parents()
    family, fresh = {}, {os.getpid()}
    while fresh:
        fresh = {pid for pid, (parent, _) in everyone.items() if parent in fresh and pid not in family}
        family.update({pid: everyone[pid][1] for pid in fresh})
    return {pid: state for pid, state in family.items() if state not in "ZX"}


def _signal(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, number)


def end_descendants() -> None:
    """Kill every descendant and reap it.

    All are stopped before any is killed: a stopped process keeps its place under RLIMIT_NPROC, whereas killing them one
    by one makes room for a fork bomb to grow again. Without /proc, on other systems than Linux, this does nothing.
    """
    if sys.platform == "win32":
        return
    for _ in range(_ROUNDS):
        running = {pid for pid, state in living_descendants().items() if state not in "Tt"}
        if not running:
            break
        _signal(running, signal.SIGSTOP)
    for _ in range(_ROUNDS):
        alive = set(living_descendants())
        if not alive:
            break
        _signal(alive, signal.SIGKILL)
        reap()
    reap()


def reap() -> list[int]:
    """Reap children that have ended and return their pids.

    What is left of the process group that such a child led is killed first, while its number cannot be anyone else's:
    a loader leads one, and its submission cannot leave it.
    """
    ended = []
    with suppress(ChildProcessError):
        while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            with suppress(OSError):
                os.killpg(found.si_pid, signal.SIGKILL)
            os.waitpid(found.si_pid, 0)
            ended.append(found.si_pid)
    return ended
