"""Watches a process of the other side from outside: CPU time, memory, and its end."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field

import psutil


class NotOurs(Exception):
    """A process number that does not belong below the process that named it."""


@dataclass
class Watched:
    """A process of a submission, pinned so that its number cannot be reused under our hands.

    Args:
        pid: its number, as another process told it.
        parent: the process that must be its parent; ``None`` where the number comes from the zygote itself.
    """

    pid: int
    parent: int | None = None
    _pidfd: int | None = field(default=None, init=False)
    _process: psutil.Process = field(init=False)

    def __post_init__(self) -> None:
        if hasattr(os, "pidfd_open"):
            try:
                self._pidfd = os.pidfd_open(self.pid)
            except (OSError, OverflowError) as error:
                raise NotOurs(f"process {self.pid} is not there: {error}") from None
        try:
            process = psutil.Process(self.pid)
            # The process that tells this number has run a submission's code: it must not make us kill a stranger.
            if self.parent is not None and process.ppid() != self.parent:
                raise NotOurs(f"process {self.pid} is no child of {self.parent}")
            self._process = process
        except psutil.Error as error:
            raise NotOurs(f"process {self.pid} is not there: {error}") from None
        finally:
            if not hasattr(self, "_process"):
                self.close()

    def cpu_seconds(self) -> float:
        """User and system CPU time so far, in seconds; the last known value once the process is gone."""
        try:
            # The clock of another process, as clock_getcpuclockid(3) makes it: nanoseconds, where psutil has 10 ms.
            return time.clock_gettime(((~self.pid) << 3) | 2)
        except (OSError, AttributeError):
            with contextlib.suppress(psutil.Error):
                times = self._process.cpu_times()
                return float(times.user + times.system)
        return 0.0

    def peak_bytes(self) -> int:
        """Largest resident memory so far, in bytes; 0 where the system does not tell."""
        with contextlib.suppress(OSError, ValueError), open(f"/proc/{self.pid}/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return 0

    def resident_bytes(self) -> int:
        """Resident memory now, in bytes; 0 once the process is gone."""
        with contextlib.suppress(psutil.Error):
            return int(self._process.memory_info().rss)
        return 0

    def kill(self) -> None:
        """Ends the process at once; nothing happens when it has ended already."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._pidfd is not None:
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            elif self._process.is_running():
                os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Gives back the descriptor."""
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
