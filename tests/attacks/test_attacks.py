"""Every attack, graded: it gains nothing, costs the attacker what it must, and touches nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus import Arena, cases, parameters

CASES = cases(Path(__file__).parent)


@pytest.mark.parametrize("name", parameters(CASES))
def test_an_attack_gains_nothing(name: str, arena: Arena) -> None:
    ((_, finished),) = arena.grade([name])
    problems = arena.problems(name, finished)
    assert not problems, "\n".join(problems)


def test_the_list_is_covered() -> None:
    assert len(CASES) >= 60
    assert {case.row[0] for case in CASES.values()} == set("ABCDEFG")
    assert all(case.held_by and case.about.endswith(".") for case in CASES.values())
