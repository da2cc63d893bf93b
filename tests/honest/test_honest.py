"""Odd but right submissions: full marks, whatever the seed."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus import Arena, cases, parameters

CASES = cases(Path(__file__).parent)


@pytest.mark.parametrize("seed", ["one", "two"])
@pytest.mark.parametrize("name", parameters(CASES))
def test_what_is_right_has_full_marks(name: str, seed: str, arena: Arena) -> None:
    ((_, finished),) = arena.grade([name], seed)
    problems = arena.problems(name, finished)
    assert not problems, "\n".join(problems)


def test_nothing_is_expected_to_be_lost() -> None:
    assert len(CASES) >= 25
    assert not any(case.loses or case.statuses for case in CASES.values())
