"""Damaged bytes are refused, and never crash what reads them; what once did is kept and tried again."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import mutated
from targets import TARGETS, seeds

CORPUS = sorted(path for path in (Path(__file__).parent / "corpus").glob("*") if path.is_file())
EXAMPLES = {"frames": 400, "archives": 40, "notebooks": 40, "assignments": 80}


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_well_formed_is_accepted(name: str) -> None:
    assert all(TARGETS[name](data) for data in seeds(name))


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_bytes_are_refused_or_read(name: str) -> None:
    known = seeds(name)

    @settings(max_examples=EXAMPLES[name], deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(known), st.integers(0, 2**32))
    def try_it(data: bytes, seed: int) -> None:
        assert TARGETS[name](mutated(data, random.Random(seed), known)) in (True, False)

    try_it()


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_refused_or_read(name: str) -> None:
    @settings(max_examples=EXAMPLES[name] // 2, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=300))
    def try_it(data: bytes) -> None:
        assert TARGETS[name](data) in (True, False)

    try_it()


@pytest.mark.parametrize("file", CORPUS, ids=lambda path: path.name)
def test_what_once_crashed_no_longer_does(file: Path) -> None:
    assert TARGETS[file.name.partition("-")[0]](file.read_bytes()) in (True, False)
