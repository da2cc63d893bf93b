"""Running a wrong variant of the reference in this process: not for long, and with generators of its own."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


class Overrun(BaseException):
    """A call of a variant took too long. No ``except Exception`` of a variant stops it."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raises :class:`Overrun` after so many CPU-seconds, where the system has such a clock."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: object) -> None:
        raise Overrun

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


class Chance:
    """Generators of a run's own in the place of the global ones, while it is entered."""

    def __init__(self) -> None:
        self._states = _states()

    def __enter__(self) -> None:
        before = _states()
        _restore(self._states)
        self._states = before

    def __exit__(self, *_: object) -> None:
        after = _states()
        _restore(self._states)
        self._states = after


States = tuple[torch.Tensor, Any, Any]


def _states() -> States:
    return torch.get_rng_state(), np.random.get_state(), random.getstate()


def _restore(states: States) -> None:
    torch.set_rng_state(states[0])
    np.random.set_state(states[1])
    random.setstate(states[2])
