"""Makes this process ready to fork judges, while the zygote starts beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from grader.judge.zygote import Zygote


@contextmanager
def ready() -> Iterator[Callable[[], Path]]:
    """The zygote, started while this process still imports; yields what waits for its address."""
    # Judges are forked from this process: one thread, or the children may hang.
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    with Zygote() as zygote:
        import torch

        torch.set_num_threads(1)
        yield zygote.wait
