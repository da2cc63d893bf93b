"""A zygote of the session, and the arena in which attacks are graded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from corpus import Arena

from grader.judge.zygote import Zygote

collect_ignore_glob = ["*/files"]  # parts of submissions, some of which are named like tests


@pytest.fixture(scope="session")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """All layers of confinement that this machine has."""
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    torch.set_num_threads(1)
    with Zygote() as zygote:
        yield Arena(Path(__file__).parent, tmp_path_factory.mktemp("arena"), zygote.wait())
