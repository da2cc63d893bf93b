"""Starts and ends the zygote: the clean program from which every player is forked."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

START_SECONDS = 120.0
LISTEN_SECONDS = 5.0

# Everything the zygote's environment holds. One thread, because a fork of a process with more than one may hang.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/nonexistent",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    "MPLBACKEND": "Agg",
}


class ZygoteError(RuntimeError):
    """The zygote did not start or has ended; this is a fault of the machine or of ours."""


class Zygote:
    """A running zygote, owned by the process that started it.

    Use as a context manager, or call :meth:`close`. ``address`` is the path of its socket, which other judges on this
    machine (xdist workers) use with :func:`connect`.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="zygote-"))
        self.address = self.folder / "socket"
        self.log = self.folder / "log"
        read, self._lifeline = os.pipe()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-B", "-m", "grader.player.zygote", str(self.address), str(read)],
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[read],
                cwd="/",
                start_new_session=True,
            )
        os.close(read)

    def wait(self) -> Path:
        """The address, once the zygote listens. Raises :class:`ZygoteError` when it does not."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if self.address.exists():
                return self.address
            time.sleep(0.01)
        text = self.log.read_text(errors="replace")[-2000:]
        raise ZygoteError(f"the process that runs submissions did not start; it said:\n{text}")

    def close(self) -> None:
        """Ends the zygote, every player under it, and removes its folder."""
        os.close(self._lifeline)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Zygote:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def connect(address: Path) -> socket.socket:
    """A connection to a new loader of the zygote at ``address``."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    deadline = time.monotonic() + LISTEN_SECONDS
    while True:
        try:
            connection.connect(str(address))
        except (FileNotFoundError, ConnectionRefusedError):
            # The socket's file appears a moment before the zygote listens on it.
            if time.monotonic() > deadline:
                connection.close()
                raise ZygoteError(f"no process that runs submissions answers at {address}") from None
            time.sleep(0.005)
        else:
            return connection
