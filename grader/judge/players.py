"""The judge's side of loaders and players: one loader per submission, one player per check, forked ahead of time."""

from __future__ import annotations

import array
import contextlib
import itertools
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grader.contract.layers import Layers
from grader.contract.verdict import (
    BadAnswer,
    Explanation,
    Missing,
    PlayerCrashed,
    PlayerOutOfMemory,
    PlayerTimeout,
    StudentError,
    SubmissionProblem,
)
from grader.contract.wire import Frame, Unsendable, WireError, pack
from grader.judge.channel import Budget, Channel, Limit
from grader.judge.folders import empty
from grader.judge.objects import Objects
from grader.judge.overrun import Overrun, at_most, memory_of
from grader.judge.process import NotOurs, Watched
from grader.judge.zygote import ZygoteError, connect

REPLY = Budget(cpu_seconds=30.0, wall_seconds=60.0)

LENT_BYTES = 2 * 2**30
"""So much memory a function of the judge's may take that a submission calls."""

MOST_ANSWERS = 12
"""So many answers of a check are kept for those who want to compare them with others'."""

UNANSWERED = ("begin", "patch")
"""Requests whose answers say nothing about a submission."""

RAISED = object()
"""Stands among the answers of a player for one that it did not give."""


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


@dataclass(frozen=True)
class Answered:
    """What a player answered first in one run of a check.

    Attributes:
        first: the first answers; :data:`RAISED` where an error came instead.
        more: whether it gave more.
        cpu_seconds: the player's computing time for these.
    """

    first: tuple[object, ...] = ()
    more: bool = False
    cpu_seconds: float = 0.0


class Enough(Exception):
    """A run that was made for its first answers can end: they have come."""


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
        self._coming: tuple[_Pipes, Path] | None = None
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
        return _message(lambda: self.channel.read(limit))

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
            self._coming = _Pipes(), scratch
            self._send_descriptors({"op": "prepare"}, self._coming[0].theirs)
            self._coming[0].close_theirs()

    def _forked(self) -> Player:
        self._ask_for_fork()
        limit = Limit(self.watched, REPLY)
        pid = _message(lambda: self.channel.read(limit)).get("pid")
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
    from grader.contract.wire import unpack

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


class _Pipes:
    """Three pipes: requests to the player, answers and output from it."""

    def __init__(self) -> None:
        request_read, self.requests = os.pipe()
        self.answers, answer_write = os.pipe()
        self.output, output_write = os.pipe()
        self.theirs = [request_read, answer_write, output_write]

    def close_theirs(self) -> None:
        while self.theirs:
            os.close(self.theirs.pop())

    def close_ours(self) -> None:
        for descriptor in (self.requests, self.answers, self.output):
            os.close(descriptor)


class Player:
    """A process that plays one check. Calls return plain data; what is not plain stays there and is known by number.

    Where ``ends_early`` is set, :class:`Enough` is raised once the first answers have come. ``recorded`` tells whether
    autograd was at work in a call, as far as the player says.
    """

    recorded = False

    def __init__(
        self,
        watched: Watched,
        pipes: _Pipes,
        scratch: Path,
        how_it_ended: Callable[[], str],
        watch_scratch: bool = True,
    ) -> None:
        self.watched = watched
        self.pipes = pipes
        self.scratch = scratch
        self.watch_scratch = watch_scratch
        self.channel = Channel(pipes.requests, pipes.answers, pipes.output, watched, how_it_ended)
        self.objects = Objects()
        self.limit = Limit(watched, REPLY)
        self.answered = Answered()
        self.ends_early = False
        self._numbers = itertools.count(1)

    def begin(self, seed: int, budget: Budget) -> None:
        """Starts the check: seeds the generators, and lets the budget of the whole check run from now on."""
        self.limit = Limit(self.watched, budget, self.scratch.parent if self.watch_scratch else None)
        self.request({"op": "begin", "seed": seed, "scratch": str(self.scratch)})

    def request(self, message: dict[str, Any], values: Any = None) -> tuple[Any, dict[str, Any]]:
        """Sends a request; returns the value of the answer and the answer's other fields.

        Raises:
            SubmissionProblem: whatever the submission did wrong.
        """
        number = next(self._numbers)
        try:
            frame = self.objects.frame({**message, "id": number}, values)
            self.channel.write(frame, self.limit)
        except Unsendable as error:
            # The check's author handed in something that cannot cross: a bug of ours.
            raise TypeError(f"an argument cannot be sent to the player: {error}") from error
        if message["op"] in UNANSWERED:
            return self._await(number)
        try:
            value, answer = self._await(number)
        except SubmissionProblem:
            self._note(RAISED)
            raise
        self._note(value)
        self.recorded = self.recorded or bool(answer.get("recorded"))
        return value, answer

    def _note(self, answer: object) -> None:
        before = self.answered
        if len(before.first) < MOST_ANSWERS:
            self.answered = Answered((*before.first, answer), False, self.watched.cpu_seconds())
        elif not before.more:
            self.answered = replace(before, more=True)
            if self.ends_early:
                raise Enough

    def _await(self, number: int) -> tuple[Any, dict[str, Any]]:
        while True:
            frame = self._read()
            if "ask" in frame.message:
                self.channel.write(self._reply(frame), self.limit)
                continue
            if frame.message.get("id") != number:
                raise BadAnswer("An answer came that nobody asked for.")
            if "error" in frame.message:
                raise problem_of(frame.message["error"])
            try:
                return self.objects.decode(frame.message["value"], frame), frame.message
            except (WireError, KeyError) as error:
                raise BadAnswer(f"The answer could not be read: {error}.") from None

    def _read(self) -> Frame:
        try:
            return self.channel.read(self.limit)
        except WireError as error:
            raise BadAnswer(f"The answer could not be read: {error}.") from None

    def _reply(self, frame: Frame) -> Frame:
        seconds = self.limit.budget.cpu_seconds
        try:
            with at_most(seconds), memory_of(LENT_BYTES):
                return self.objects.answer(frame)
        except WireError as error:
            raise BadAnswer(f"A question of the program could not be read: {error}.") from None
        except Overrun:
            self.watched.kill()
            raise PlayerTimeout(
                f"The program called a function that it was handed, or lent, with arguments on which that works for "
                f"more than {seconds:g} seconds. Look for arguments that are far too large."
            ) from None

    def output(self) -> str:
        """What the submission printed so far, cut to a cap."""
        self.channel.drain()
        return self.channel.output.text()

    def close(self) -> None:
        """Ends the process and removes what it wrote."""
        self.watched.kill()
        self.watched.close()
        self.pipes.close_ours()
        empty(self.scratch.parent)


def _message(read: Callable[[], Frame]) -> dict[str, Any]:
    try:
        return read().message
    except WireError as error:
        raise BadAnswer(f"The answer could not be read: {error}.") from None


def problem_of(error: Any) -> SubmissionProblem:
    """The problem that an ``error`` field describes; whatever it holds, a problem of the submission comes out."""
    fields = error if isinstance(error, dict) else {}
    types = [str(name)[:100] for name in fields.get("types", [])][:20] if isinstance(fields.get("types"), list) else []
    kind = types[0] if types else "Exception"
    message, where = str(fields.get("message", ""))[:2000], str(fields.get("where", ""))[:2000]
    place = f"\n{where}" if where else ""
    if fields.get("kind") == "memory":
        return PlayerOutOfMemory(Explanation(f"The program asked for more memory than it may use.{place}", got=message))
    if fields.get("kind") == "unsendable":
        return BadAnswer(Explanation(f"The answer is no plain data: {message}."))
    if fields.get("kind") == "not defined":
        return Missing(Explanation(message))
    if "NotImplementedError" in types:
        return Missing(Explanation(f"This is not written yet. {message}".strip()))
    if "SystemExit" in types:
        return StudentError(Explanation(f"The program calls exit, which ends it before it can answer.{place}"))
    problem = StudentError(
        Explanation(f"The program raised {kind}: {message}{place}" if message else f"The program raised {kind}.{place}")
    )
    problem.error_types = tuple(types)
    return problem
