"""The judge's end of a conversation: reads frames under limits of CPU time, wall time and output."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from grader.contract.users import SCRATCH_BYTES
from grader.contract.verdict import PlayerCrashed, PlayerTimeout
from grader.contract.wire import CAPS, Frame, pack, unpack
from grader.judge.folders import bytes_used
from grader.judge.process import Watched

CHUNK = 2**20
TICK_SECONDS = 0.1
OUTPUT_KEPT = 64 * 1024
OUTPUT_MOST = 64 * 2**20


@dataclass(frozen=True)
class Budget:
    """How long an answer may take: CPU seconds of the player, and wall seconds as a backstop."""

    cpu_seconds: float
    wall_seconds: float


class Limit:
    """A budget that began to run when this was made; with ``scratch``, also a limit of what that folder holds."""

    def __init__(self, watched: Watched, budget: Budget, scratch: Path | None = None) -> None:
        self.scratch = scratch
        self.watched = watched
        self.budget = budget
        self.wall = time.monotonic() + budget.wall_seconds
        self.cpu = watched.cpu_seconds() + budget.cpu_seconds

    def check(self, printed: int) -> None:
        """Ends the process and raises, once the budget is used up."""
        if self.watched.cpu_seconds() > self.cpu:
            self._end(f"it was stopped after {self.budget.cpu_seconds:g} seconds of computing")
        if time.monotonic() > self.wall:
            self._end(f"it was stopped after {self.budget.wall_seconds:g} seconds")
        if printed > OUTPUT_MOST:
            self._end(f"it was stopped after printing {OUTPUT_MOST // 2**20} MiB")
        if self.scratch is not None and bytes_used(self.scratch) > SCRATCH_BYTES:
            self._end(f"it was stopped after writing {SCRATCH_BYTES // 2**20} MiB of files, or too many files")

    def _end(self, reason: str) -> None:
        self.watched.kill()
        raise PlayerTimeout(
            f"The program did not finish: {reason}. Look for a loop that never ends, or for work to be vectorised."
        )


class Output:
    """What a player printed: the first and last part are kept, the rest is counted."""

    def __init__(self) -> None:
        self.head = bytearray()
        self.tail = bytearray()
        self.total = 0

    def add(self, data: bytes) -> None:
        """Takes in what was printed."""
        self.total += len(data)
        room = OUTPUT_KEPT // 2 - len(self.head)
        self.head += data[: max(room, 0)]
        self.tail = (self.tail + data[max(room, 0) :])[-OUTPUT_KEPT // 2 :]

    def text(self) -> str:
        """What was kept, as text."""
        dropped = self.total - len(self.head) - len(self.tail)
        cut = f"\n… {dropped:,} bytes were left out …\n".encode() if dropped else b""
        return bytes(self.head + cut + self.tail).decode("utf-8", "replace")


class Channel:
    """Writes requests and reads answers, drains the output beside them, and ends the process that takes too long."""

    def __init__(
        self, requests: int, answers: int, output: int | None, watched: Watched, how_it_ended: Callable[[], str]
    ) -> None:
        self.requests = requests
        self.answers = answers
        self.output_descriptor = output
        self.watched = watched
        self.how_it_ended = how_it_ended
        self.output = Output()
        for descriptor in (requests, output):
            if descriptor is not None:
                os.set_blocking(descriptor, False)

    def write(self, frame: Frame, limit: Limit) -> None:
        """Writes a frame. A process that does not read it in time is ended: :class:`PlayerTimeout`."""
        data = memoryview(pack(frame))
        while True:
            data = data[self._write(data) :]
            if not data:
                return
            self._poll(self.requests, select.POLLOUT)
            limit.check(self.output.total)

    def _write(self, data: memoryview) -> int:
        try:
            return os.write(self.requests, data)
        except BlockingIOError:
            return 0
        except (BrokenPipeError, ConnectionResetError):
            raise self._ended() from None

    def read(self, limit: Limit) -> Frame:
        """The next frame.

        Raises:
            PlayerTimeout: the limit is passed; the process was ended.
            PlayerCrashed: the process ended without an answer.
            WireError: what came is no well-formed frame.
        """
        frame = unpack(lambda count: self._exactly(count, limit), CAPS)
        # Questions without end come as whole frames.
        limit.check(self.output.total)
        return frame

    def _exactly(self, count: int, limit: Limit) -> bytearray:
        data = bytearray()
        while len(data) < count:
            if self.answers in self._poll(self.answers, select.POLLIN):
                chunk = self._read(min(CHUNK, count - len(data)))
                if not chunk:
                    raise self._ended()
                data += chunk
            if len(data) < count:
                limit.check(self.output.total)
        return data

    def _read(self, count: int) -> bytes:
        try:
            return os.read(self.answers, count)
        except ConnectionResetError:
            return b""

    def _poll(self, descriptor: int, event: int) -> set[int]:
        poll = select.poll()
        poll.register(descriptor, event)
        if self.output_descriptor is not None:
            poll.register(self.output_descriptor, select.POLLIN)
        ready = {found for found, _ in poll.poll(TICK_SECONDS * 1000)}
        if self.output_descriptor in ready:
            self.drain()
        return ready

    def _ended(self) -> PlayerCrashed:
        self.drain()
        return PlayerCrashed(f"The program ended before it gave an answer: {self.how_it_ended()}.")

    def drain(self) -> None:
        """Takes in what lies in the output pipe, without waiting."""
        if self.output_descriptor is None:
            return
        try:
            while data := os.read(self.output_descriptor, CHUNK):
                self.output.add(data)
                if self.output.total > OUTPUT_MOST:
                    return
        except BlockingIOError:
            return
        self.output_descriptor = None
