"""The same attacks on lesser machines: some in the quick suite, all of them in the long one."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from corpus import cases
from world import WORLDS, lines_of

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="worlds are simulated on Linux"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can take away its own rights"),
]
CASES = cases(Path(__file__).parent)
SAMPLE = ("read_reference", "left_behind", "disk_filled", "network")
LEVELS = {"root": {"full", "isolated"}, "user": {"isolated"}, "docker": {"isolated"}, "no-landlock": {"isolated"}}


def gained(world: str, names: list[str]) -> dict[str, list[str]]:
    found = lines_of(world, names)
    assert {line["name"] for line in found} == set(names)
    assert {line["layers"]["level"] for line in found} <= LEVELS[world]  # type: ignore[index]
    return {str(line["name"]): line["problems"] for line in found if line["problems"]}  # type: ignore[misc]


@pytest.mark.parametrize("world", ["user", "docker"])
def test_a_sample_gains_nothing(world: str) -> None:
    assert gained(world, list(SAMPLE)) == {}


@pytest.mark.long
@pytest.mark.parametrize("world", WORLDS)
def test_no_attack_gains_anything(world: str) -> None:
    assert gained(world, list(CASES)) == {}
