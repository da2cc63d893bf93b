"""Makes what a process draws repeatable: judges and players alike begin every check with it."""

from __future__ import annotations

import random


def seed_generators(seed: int) -> None:
    """Seeds the global generators of torch, numpy and Python; ``seed`` is 0 or more and below 2**63."""
    import numpy
    import torch

    # torch.manual_seed asks every kind of device in turn, which costs more than all the rest.
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)
    numpy.random.seed(seed % 2**32)
    random.seed(seed)
