"""What the judge computes for a submission has limits of its own."""

from __future__ import annotations

import pytest
import torch

from grader.judge.overrun import STATM, Overrun, at_most, memory_of


def spin() -> None:
    try:
        while True:
            pass
    except Exception:  # which an Overrun is not
        pass


def test_a_call_ends_after_its_seconds() -> None:
    with pytest.raises(Overrun), at_most(0.05):
        spin()


def test_a_limit_inside_another_leaves_it_in_force() -> None:
    with pytest.raises(Overrun), at_most(0.2):
        with at_most(10.0):
            pass
        spin()


@pytest.mark.skipif(not STATM.is_file(), reason="the system does not tell what a process takes")
def test_memory_is_refused_beyond_a_limit_and_given_again_after_it() -> None:
    with pytest.raises(RuntimeError), memory_of(2**26):
        torch.empty(2**28, dtype=torch.uint8)
    torch.empty(2**28, dtype=torch.uint8)
