"""The zygote: a clean interpreter with torch and numpy preloaded and nothing secret in it.

It is started as a new program (``python -I -B -m grader.player.zygote``) before anything secret exists, listens on a
Unix socket, and forks a *loader* for every connection. The loader confines itself, loads one submission's modules and
forks a *player* for each check, ahead of time. All run on one thread: a second thread in a parent hangs its children.

Conversation on a loader's connection, in frames of :mod:`grader.contract.wire`:

=============  =========================================================================================
zygote says    ``{"pid": n}`` once, before any code of a submission runs
``setup``      policy of confinement, roots, sources, exports -> layers that are on
``load``       one module -> ``{"value": notes}`` or ``{"error": ...}``; ``{"spoiled": true}`` if CUDA is up now
``prepare``    with three descriptors: requests, answers, output -> ``{"pid": n}`` of a new player
``status``     pid of a player that has ended -> how it ended, in words
=============  =========================================================================================
"""

from __future__ import annotations

import array
import contextlib
import gc
import io
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from grader.contract.wire import Frame, pack, unpack
from grader.player import absent, confine, devices, pages
from grader.player.load import CourseFinder, Library
from grader.player.session import Channel, Session, describe

FORK_SECONDS = 5.0


def preload() -> None:
    """Imports what submissions import, and runs one operation of each kind, so that players find everything warm."""
    import numpy
    import torch
    import torch.nn.functional
    from torch.utils import _python_dispatch  # noqa: F401

    import grader.player.trace  # noqa: F401

    torch.set_num_threads(1)
    for name in ("set_num_threads", "set_num_interop_threads"):
        setattr(torch, name, _keep_one_thread)
    x = torch.ones(1, 1, 4, 4, requires_grad=True)
    torch.nn.functional.conv2d(x, torch.ones(1, 1, 3, 3)).sum().backward()  # type: ignore[no-untyped-call]
    (torch.ones(8, 8) @ torch.ones(8, 8)).svd()
    # What is imported or looked up at its first use would be so in every player anew.
    numpy.random.seed(0)
    numpy.fft.fft(numpy.linalg.norm(numpy.ones((2, 2)), axis=0))
    torch.manual_seed(0)
    torch.serialization.save(x, io.BytesIO())
    repr(x)
    torch.overrides.resolve_name(torch.sum)
    __import__("safetensors.torch")
    for name in (
        "random",
        "statistics",
        "unicodedata",
        "encodings.latin_1",
        "math",
        "copy",
        "collections",
        "itertools",
        "functools",
        "typing",
        "abc",
        "time",
    ):
        __import__(name)


def _keep_one_thread(count: int) -> None:
    """In the place of torch's own: a player that asks for more threads, which it may not start, would be aborted."""


class Loader:
    """Serves one submission: loads its modules, forks its players."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.zygote = os.getppid()
        self.descriptors: list[int] = []
        self.library = Library({}, (), {})
        self.policy = confine.Policy()
        self.shared: Path | None = None
        self.ended: dict[int, int] = {}

    def serve(self) -> None:
        """Answers requests until the judge closes the connection."""
        operations = {"setup": self._setup, "load": self._load, "prepare": self._prepare, "status": self._status}
        while True:
            request = unpack(self._exactly)
            answer = operations[request.message["op"]](request.message)
            self.connection.sendall(pack(Frame(answer)))

    def _exactly(self, count: int) -> bytearray:
        data = bytearray()
        while len(data) < count:
            chunk, ancillary, _, _ = self.connection.recvmsg(count - len(data), socket.CMSG_SPACE(3 * 4))
            if not chunk:
                os._exit(0)
            data += chunk
            for _, _, payload in ancillary:
                self.descriptors.extend(array.array("i", payload))
        return data

    def _setup(self, message: dict[str, Any]) -> dict[str, Any]:
        self.library = Library(
            {name: (path, text) for name, (path, text) in message["sources"].items()},
            [Path(root) for root in message["roots"]],
            message["exports"],
        )
        if any("torch.optim" in text for _, text in self.library.sources.values()):
            # Optimisers import it at their first step, which takes seconds: once here rather than in every player.
            import torch._dynamo  # noqa: F401
        sys.meta_path.append(CourseFinder(self.library))
        self.shared = Path(message["shared"]) if message["shared"] else None
        self.policy = confine.Policy.from_json(message["policy"])
        layers = confine.enter(self.policy, parent=self.zygote)
        devices.install(message["device"])
        return {"value": layers.to_json()}

    def _load(self, message: dict[str, Any]) -> dict[str, Any]:
        if message.get("failed"):
            self.library.fail(message["module"], message["failed"])
            return {"value": []}
        self.library.notes.clear()
        try:
            self.library.load(message["module"])
        except BaseException as error:  # noqa: BLE001 - the process boundary: whatever student code raises is data
            return {"error": describe(error, self.library)}
        return {"spoiled": True} if devices.cuda_is_up() else {"value": self.library.notes[:50]}

    def _prepare(self, message: dict[str, Any]) -> dict[str, Any]:
        self._reap()
        requests, answers, output = self.descriptors[:3]
        del self.descriptors[:3]
        loader, pid = os.getpid(), self._fork()
        if pid == 0:
            self._play(loader, requests, answers, output)
        for descriptor in (requests, answers, output):
            os.close(descriptor)
        return {"pid": pid}

    @staticmethod
    def _fork() -> int:
        """A fork; what an earlier loader of the same user has left may be dying still, and counts until it is dead."""
        deadline = time.monotonic() + FORK_SECONDS
        while True:
            try:
                return os.fork()
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _play(self, loader: int, requests: int, answers: int, output: int) -> None:
        """Becomes a player. Never returns."""
        try:
            os.dup2(output, 1)
            os.dup2(output, 2)
            self.connection.close()
            sys.stdout = os.fdopen(os.dup(1), "w", buffering=1, errors="backslashreplace")
            sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
            confine.seal(self.policy, parent=loader)
            absent.arm()
            Session(self.library, Channel(requests, answers), self.shared).serve()
        finally:
            os._exit(1)

    def _status(self, message: dict[str, Any]) -> dict[str, Any]:
        pid = message["pid"]
        if pid not in self.ended:
            with contextlib.suppress(ChildProcessError):
                self.ended[pid] = os.waitpid(pid, 0)[1]
        status = self.ended.get(pid)
        if status is None:
            return {"value": "it ended"}
        if os.WIFSIGNALED(status):
            name = signal.Signals(os.WTERMSIG(status)).name
            why = ", as it happens when the machine runs out of memory" if name == "SIGKILL" else ""
            return {"value": f"it was ended by {name}{why}"}
        return {"value": f"it exited with code {os.WEXITSTATUS(status)}"}

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                self.ended[found[0]] = found[1]


def serve(listener: socket.socket, lifeline: int) -> None:
    """Accepts judges until the lifeline, a pipe that the grader holds open, is closed."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(lifeline, selectors.EVENT_READ)
    ended = False
    while True:
        # Where one process has ended others may follow at once, and the dead count against their user's limit.
        ready = {key.fileobj for key, _ in selector.select(timeout=0.02 if ended else 0.5)}
        ended = bool(confine.reap())
        if lifeline in ready:
            return
        if listener in ready:
            _accept(listener, selector, lifeline)


def _accept(listener: socket.socket, selector: selectors.BaseSelector, lifeline: int) -> None:
    connection, _ = listener.accept()
    pid = os.fork()
    if pid == 0:
        try:
            selector.close()
            listener.close()
            os.close(lifeline)
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(null, descriptor)
            Loader(connection).serve()
        finally:
            os._exit(1)
    # The judge waits for this line before it sends anything, so it is the zygote's word, not the submission's.
    connection.sendall(pack(Frame({"pid": pid})))
    connection.close()


def main() -> None:
    """Entry point: ``python -m grader.player.zygote SOCKET LIFELINE``."""
    address, lifeline = sys.argv[1], int(sys.argv[2])
    confine.become_subreaper()
    preload()
    # What is here now stays: the collector need not touch it, and a fork need not copy the tables of small pages.
    gc.collect()
    gc.freeze()
    pages.gather()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen(64)
    serve(listener, lifeline)
    confine.end_descendants()


if __name__ == "__main__":
    main()
