"""What the checks of the Transformer share: the submission on trial, right parts for it, first weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from .lending import METHODS
from .nets import Trial


@pytest.fixture(autouse=True)
def lend(lent, student):
    """Right versions of the parts that a question relies on, in a run that is made with these."""
    for path in lent:
        if path in METHODS:
            student.replace(path, METHODS[path], parameters=True)


@pytest.fixture
def trial(student, expect, draw, note, rules):
    """The submission's Transformer, see Trial."""
    return Trial(student, expect, draw, note, rules)


@pytest.fixture
def check_bounds(expect):
    """`check_bounds(name, weight)`: uniform between -c and c, c = sqrt(6 / (D_in + D_out))."""

    def check(name: str, weight: Any) -> None:
        expect(weight, name).is_finite()
        value = torch.as_tensor(weight).double()
        label = f"{name} / sqrt(6 / ({' + '.join(str(size) for size in reversed(value.shape))}))"
        c = (6 / sum(value.shape)) ** 0.5
        expect(value.abs().max() / c, f"the largest weight of {label}").is_between(0.9, 1.0001)
        # A uniform distribution has the deviation c / sqrt(3).
        expect(value.std() / c, f"the deviation of {label}").is_between(0.5, 0.66)

    return check
