"""Limits of what the judge itself computes with arguments that a submission chose.

A function that the judge lends works in the judge's own process, where none of a player's limits hold.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STATM = Path("/proc/self/statm")


class Overrun(BaseException):
    """A call took too long. No ``except Exception`` of what was called stops it."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raises :class:`Overrun` after so many CPU-seconds, where the system has such a clock."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: object) -> None:
        raise Overrun

    before = signal.signal(signal.SIGVTALRM, ring)
    left, _ = signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, left)
        signal.signal(signal.SIGVTALRM, before)


@contextmanager
def memory_of(most: int) -> Iterator[None]:
    """Allocations fail once this process has taken ``most`` bytes more than it has now; on Linux, which tells."""
    if not STATM.is_file():
        yield
        return
    import resource  # which Windows lacks

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    now = int(STATM.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    wanted = now + most
    if any(limit != resource.RLIM_INFINITY and limit < wanted for limit in (soft, hard)):
        yield
        return
    resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
