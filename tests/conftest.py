"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded data sets of tests do not fill the cache of the user who runs them."""
    before = os.environ.get("SCRATCHGRADE_CACHE")
    os.environ["SCRATCHGRADE_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["SCRATCHGRADE_CACHE"]
    else:
        os.environ["SCRATCHGRADE_CACHE"] = before
