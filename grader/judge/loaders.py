"""The judge's side of loaders: one for each submission, which forks a player for each check, ahead of time."""

from __future__ import annotations

import array
import contextlib
import itertools
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.contract.layers import Layers
from grader.contract.verdict import (
    BadAnswer,
    Explanation,
    PlayerCrashed,
    PlayerTimeout,
    StudentError,
    SubmissionProblem,
)
from grader.contract.wire import Frame, WireError, pack, unpack
from grader.judge.channel import Budget, Channel, Limit
from grader.judge.players import REPLY, Pipes, Player, message_of, problem_of
from grader.judge.process import NotOurs, Watched
from grader.judge.zygote import ZygoteError, connect


@dataclass(frozen=True)
class Stage:
    """What a submission needs to be played: where the zygote is, the submission's text, limits and folders.

    Attributes:
        address: socket of the zygote.
        sources: module -> (path, text), dependencies first.
        roots: folders for imports, the course's helpers first.
        exports: module -> public names of the reference's module.
        policy: confinement of the players, as plain data.
        device: ``cpu``, ``cpu-for-cuda`` or ``cuda``.
        scratch: this loader's alone: its players make their folders there, one at a time.
        shared: folder of the read-only data files, or ``None``.
        load_seconds: CPU seconds that loading one module may take.
    """

    address: Path
    sources: Mapping[str, tuple[str, str]]
    roots: Sequence[str]
    exports: Mapping[str, Sequence[str]]
    policy: Mapping[str, Any]
    device: str
    scratch: Path
    shared: Path | None
    load_seconds: float


class Loader:
    """A process that has loaded a submission, and forks a player for each check.

    A module that ends or stalls the process is left out, and the others are loaded again without it.

    Args:
        stage: the submission.
        approve: called with the layers of confinement that are on, before any code of the submission runs; may raise.
    """

    def __init__(self, stage: Stage, approve: Callable[[Layers], None] = lambda layers: None) -> None:
        self.stage = stage
        self.approve = approve
        self.failures: dict[str, SubmissionProblem] = {}
        self.notes: dict[str, list[str]] = {}
        self.layers: dict[str, dict[str, str]] = {}
        self._alive = False
        self._coming: tuple[Pipes, Path] | None = None
        self._ahead: Player | None = None
        self._numbers = itertools.count()
        self._start()

    def _start(self) -> None:
        while not self._load_all():
            self._end()

    def _load_all(self) -> bool:
        self._connect()
        try:
            self.layers = self._ask({"op": "setup", **self._setup()}, REPLY)["value"]
        except (SubmissionProblem, KeyError) as error:
            # Nothing of the submission has run yet.
            raise ZygoteError(f"a player could not be set up: {error}") from error
        self.approve(Layers.from_json(self.layers))
        return all(self._load(module) for module in self.stage.sources)

    def _connect(self) -> None:
        with contextlib.ExitStack() as undo:
            connection = connect(self.stage.address)
            undo.callback(connection.close)
            # The zygote's own word, sent before any code of the submission runs.
            watched = Watched(_read_hello(connection))
            undo.callback(watched.close)
            requests = os.dup(connection.fileno())
            undo.callback(os.close, requests)
            answers = os.dup(connection.fileno())
            undo.pop_all()
        self.connection, self.watched, self._alive = connection, watched, True
        self.channel = Channel(requests, answers, None, watched, lambda: "it exited while it was imported")

    def _setup(self) -> dict[str, Any]:
        stage = self.stage
        return {
            "sources": {name: list(source) for name, source in stage.sources.items()},
            "roots": list(stage.roots),
            "exports": {name: list(names) for name, names in stage.exports.items()},
            "policy": dict(stage.policy),
            "device": stage.device,
            "shared": str(stage.shared) if stage.shared else None,
        }

    def _load(self, module: str) -> bool:
        """False when the process was lost over ``module``."""
        failed = self.failures.get(module)
        request = {"op": "load", "module": module, "failed": failed.explanation.message if failed else None}
        try:
            answer = self._ask(request, Budget(self.stage.load_seconds, 4 * self.stage.load_seconds))
        except (PlayerTimeout, PlayerCrashed, BadAnswer) as problem:
            if failed is not None:
                raise
            self.failures[module] = type(problem)(
                Explanation(f"{module}.py could not be imported: {problem.explanation.message}")
            )
            return False
        if "spoiled" in answer:
            self.failures[module] = StudentError(
                f"{module}.py uses a CUDA device while it is imported. Make tensors inside functions: each check runs "
                "in a copy of the process that imported your modules, and no copy can use CUDA then."
            )
            return False
        if "error" in answer:
            found = problem_of(answer["error"])
            text = f"{module}.py could not be imported. {found.explanation.message}"
            self.failures[module] = type(found)(Explanation(text, evidence=found.explanation.evidence))
        else:
            # By now the module has run in the process that answers, and may have answered in its place.
            told = answer.get("value")
            self.notes[module] = [str(note)[:500] for note in told][:50] if isinstance(told, list) else []
        return True

    def _ask(self, message: dict[str, Any], budget: Budget) -> dict[str, Any]:
        limit = Limit(self.watched, budget)
        self.channel.write(Frame(message), limit)
        return message_of(lambda: self.channel.read(limit))

    def player(self) -> Player:
        """A fresh player, forked ahead of time or now. A loader that is lost is started again."""
        if self._ahead is not None:
            player, self._ahead = self._ahead, None
            return player
        if not self._alive:
            self._start()
        try:
            return self._forked()
        except (SubmissionProblem, NotOurs, OSError):
            self._end()
            self._start()
        try:
            return self._forked()
        except (NotOurs, ConnectionError) as error:
            raise BadAnswer(
                Explanation(
                    "The program interferes with the process that loads it, so that nothing of it can be run. "
                    "Leave processes, sockets and pipes alone while your modules are imported.",
                    evidence=type(error).__name__,
                )
            ) from None

    def prepare_next(self) -> None:
        """Asks for the next player, and does not wait for it."""
        if self._ahead is None:
            with contextlib.suppress(OSError):
                self._ask_for_fork()

    def _ask_for_fork(self) -> None:
        if self._coming is None:
            scratch = self.stage.scratch / str(next(self._numbers))
            self._coming = Pipes(), scratch
            self._send_descriptors({"op": "prepare"}, self._coming[0].theirs)
            self._coming[0].close_theirs()

    def _forked(self) -> Player:
        self._ask_for_fork()
        limit = Limit(self.watched, REPLY)
        pid = message_of(lambda: self.channel.read(limit)).get("pid")
        watched = Watched(pid if type(pid) is int else -1, parent=self.watched.pid)
        assert self._coming is not None
        (pipes, scratch), self._coming = self._coming, None
        # A file system of its own limits itself, and the judge does not see into it.
        limited = "scratch" in self.layers.get("on", {})
        return Player(watched, pipes, scratch, lambda: self._how_it_ended(watched), watch_scratch=not limited)

    def _send_descriptors(self, message: dict[str, Any], descriptors: Sequence[int]) -> None:
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
        data = pack(Frame(message))
        self.connection.setblocking(True)
        self.connection.settimeout(REPLY.wall_seconds)
        sent = self.connection.sendmsg([data], [rights])
        self.connection.sendall(data[sent:])

    def _how_it_ended(self, player: Watched) -> str:
        # A player that has closed its pipes may live on, and the loader would wait for its end.
        player.kill()
        with contextlib.suppress(SubmissionProblem, WireError, KeyError, NotOurs, OSError):
            if self._coming is not None:
                self._ahead = self._forked()
            return str(self._ask({"op": "status", "pid": player.pid}, Budget(2.0, 5.0))["value"])[:200]
        return "it was ended"

    def _end(self) -> None:
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None
        if self._coming is not None:
            self._coming[0].close_theirs()
            self._coming[0].close_ours()
            self._coming = None
        if not self._alive:
            return
        self._alive = False
        self.watched.kill()
        self.watched.close()
        self.connection.close()
        os.close(self.channel.requests)
        os.close(self.channel.answers)

    def close(self) -> None:
        """Ends the loader and its players."""
        self._end()


def _read_hello(connection: socket.socket) -> int:
    connection.settimeout(REPLY.wall_seconds)

    def exactly(count: int) -> bytes:
        data = b""
        while len(data) < count:
            chunk = connection.recv(count - len(data))
            if not chunk:
                raise ZygoteError("the process that runs submissions has ended")
            data += chunk
        return data

    pid = unpack(exactly).message["pid"]
    assert isinstance(pid, int)
    return pid
