"""A zygote for the session, and what loads submissions in it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from stages import Stages

from grader.judge.loaders import Loader
from grader.judge.zygote import Zygote


@pytest.fixture(scope="session")
def zygote() -> Iterator[Path]:
    """The address of a zygote."""
    if not sys.platform.startswith("linux"):
        pytest.skip("players are tested on Linux")
    with Zygote() as running:
        yield running.wait()


@pytest.fixture(scope="module")
def stages(zygote: Path) -> Iterator[Stages]:
    """Loads submissions; all of them end with the module."""
    folder = Path(tempfile.mkdtemp(prefix="stages-"))
    folder.chmod(0o755)
    made = Stages(zygote, folder)
    yield made
    made.close()
    shutil.rmtree(folder)


@pytest.fixture
def load(stages: Stages) -> Iterator[Callable[..., Loader]]:
    """Loads a submission, which ends with the test."""
    before = len(stages.loaders)
    yield stages.load
    while len(stages.loaders) > before:
        with suppress(OSError):
            stages.loaders.pop().close()
