"""What kind of function of the expected result came instead, and that nothing is claimed without evidence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from grader.judge.diagnose import diagnose
from grader.judge.draw import Draw
from grader.judge.relations import relation

Mistake = Callable[[torch.Tensor], torch.Tensor]


@pytest.fixture
def x() -> torch.Tensor:
    return Draw.from_seed_text("11" * 16).normal(5, 4)


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (torch.abs, "the signs are lost"),
        (lambda x: x.clamp(min=0), "Where a negative number is expected it is 0"),
        (lambda x: x.clamp(max=0), "Where a positive number is expected it is 0"),
        (torch.exp, "It is exp of"),
        (torch.square, "It is the square of"),
        (torch.reciprocal, "It is 1 divided by"),
        (lambda x: 1 - x, "It is 1 minus"),
        (lambda x: x.flip(1), "in reverse order along axis 1"),
        (lambda x: x.cumsum(0), "the running sum of what is expected along axis 0"),
        (lambda x: 3 * x - 0.5, "It is 3 times what is expected, minus 0.5, everywhere."),
        (lambda x: x + torch.arange(2.0, 7.0)[:, None], "Every row is off by a number of its own"),
        (lambda x: x + torch.arange(2.0, 6.0), "Every column is off by a number of its own"),
        (lambda x: x * torch.arange(2.0, 7.0)[:, None], "Every row is off by a factor of its own"),
        (lambda x: x / torch.arange(2.0, 6.0), "Every column is off by a factor of its own"),
    ],
)
def test_functions_of_what_is_expected_are_told(x: torch.Tensor, mistake: Mistake, words: str) -> None:
    assert words in diagnose(x, mistake(x))
    # Where one entry does not agree, nothing of the kind is said.
    spoilt = mistake(x).clone()
    spoilt[2, 1] += 0.37
    assert words not in diagnose(x, spoilt)


def test_logarithms_and_roots_of_positive_numbers_are_told(x: torch.Tensor) -> None:
    positive = x.abs() + 0.1
    assert "It is the log of" in diagnose(positive, positive.log())
    assert "It is the root of" in diagnose(positive, positive.sqrt())


def test_a_missing_softmax_is_told(x: torch.Tensor) -> None:
    assert "along axis 1, its softmax" in diagnose(x.softmax(dim=1), x)
    assert "along axis 0, its log_softmax" in diagnose(x.log_softmax(dim=0), x)


@pytest.mark.parametrize("mistake", [torch.exp, torch.abs, lambda x: 1 - x, lambda x: x.flip(0), lambda x: 3 * x + 1])
def test_few_numbers_are_no_evidence(x: torch.Tensor, mistake: Mistake) -> None:
    few = x[:3, 0]
    assert relation(few.numpy(), mistake(few).numpy(), np.isclose) == ""


def test_what_is_almost_right_is_no_other_function(x: torch.Tensor) -> None:
    assert diagnose(x, 0.99999 * x - 1e-5) == ""


def test_a_scalar_that_is_zero_says_so_itself() -> None:
    assert diagnose(torch.tensor(2.5), torch.tensor(0.0)) == ""


@pytest.mark.parametrize(
    ("factor", "sizes", "words"),
    [
        (7.0, {"N": 7, "D": 3}, "N is 7: is a division by N missing?"),
        (49.0, {"N": 7}, "is it multiplied by N where it has to be divided?"),
        (7 / 3, {"N": 7, "D": 3}, "is it divided by D, and not by N?"),
        (7.0, {"N": 7, "T": 7}, ""),
        (1 / 3, {"N": 3, "words": 9}, ""),
    ],
)
def test_a_size_is_named_where_only_one_fits(x: torch.Tensor, factor: float, sizes: dict[str, int], words: str) -> None:
    said = diagnose(x, factor * x, sizes)
    assert said.startswith("It is ")
    assert words in said
    assert bool(words) == ("?" in said)
