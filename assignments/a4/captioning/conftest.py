"""What the checks of captioning share: the fixtures in one, recurrent layers on trial, right parts to lend.

Files of 2020 are graded as well: there an LSTM is a set of functions, the image comes as features, and the cell type
with attention is called "attention".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from .cells import Cell
from .lending import METHODS, OLD_FORMS

MODULE = "rnn_lstm_captioning"


@dataclass(frozen=True)
class Kit:
    """The fixtures that the helpers of the checks work with."""

    student: Any
    expect: Any
    draw: Any
    note: Any
    cost: Any

    @property
    def module(self) -> Any:
        return getattr(self.student, MODULE)

    def has(self, name: str) -> bool:
        return not self.student.missing(f"{MODULE}.{name}")


@pytest.fixture(autouse=True)
def lend(lent, student):
    """Right versions of the parts that a question relies on, in a run that is made with these."""
    for path in lent:
        if path in METHODS:
            student.replace(path, METHODS[path], parameters=True)
        if path in OLD_FORMS and not student.missing(OLD_FORMS[path][0]):
            student.replace(*OLD_FORMS[path])


@pytest.fixture
def kit(student, expect, draw, note, cost):
    """All that a check works with, in one."""
    return Kit(student, expect, draw, note, cost)


@pytest.fixture
def cell(kit):
    """`cell("LSTM", D, H)`: a recurrent layer of the submission, see Cell."""
    return partial(Cell, kit)
