"""Random numbers for a variant of the reference that runs in this process: from generators of its own."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch


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
