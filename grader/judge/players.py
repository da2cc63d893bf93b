"""The judge's side of players: a conversation with one process, for one check."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grader.contract.verdict import (
    BadAnswer,
    Explanation,
    Missing,
    PlayerOutOfMemory,
    PlayerTimeout,
    StudentError,
    SubmissionProblem,
)
from grader.contract.wire import Frame, Unsendable, WireError
from grader.judge.channel import Budget, Channel, Limit
from grader.judge.folders import empty
from grader.judge.objects import Objects
from grader.judge.overrun import Overrun, at_most, memory_of
from grader.judge.process import Watched

REPLY = Budget(cpu_seconds=30.0, wall_seconds=60.0)

CLEARING = Budget(cpu_seconds=3.0, wall_seconds=10.0)
"""What a player may take for its beginning, where its check may not take more anyway."""

LENT_BYTES = 2 * 2**30
"""So much memory a function of the judge's may take that a submission calls."""

MOST_ANSWERS = 12
"""So many answers of a check are kept for those who want to compare them with others'."""

UNANSWERED = ("begin", "patch", "set")
"""Requests whose answers say nothing about a submission."""

RAISED = object()
"""Stands among the answers of a player for one that it did not give."""


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


class Pipes:
    """Three pipes: requests to the player, answers and output from it."""

    def __init__(self) -> None:
        request_read, self.requests = os.pipe()
        self.answers, answer_write = os.pipe()
        self.output, output_write = os.pipe()
        self.theirs = [request_read, answer_write, output_write]

    def close_theirs(self) -> None:
        """Closes the player's ends in this process."""
        while self.theirs:
            os.close(self.theirs.pop())

    def close_ours(self) -> None:
        """Closes the judge's ends."""
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
        pipes: Pipes,
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
        """Starts the check: seeds the generators, and lets the budget of the whole check run from then on."""
        watched_folder = self.scratch.parent if self.watch_scratch else None
        # Before that it clears away what another one has left, which is not to be laid at this check's door.
        cpu, wall = max(budget.cpu_seconds, CLEARING.cpu_seconds), max(budget.wall_seconds, CLEARING.wall_seconds)
        self.limit = Limit(self.watched, Budget(cpu, wall), watched_folder)
        self.request({"op": "begin", "seed": seed, "scratch": str(self.scratch)})
        self.limit = Limit(self.watched, budget, watched_folder)

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


def message_of(read: Callable[[], Frame]) -> dict[str, Any]:
    """The message of the frame that ``read`` gets; what is no frame is a bad answer."""
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
