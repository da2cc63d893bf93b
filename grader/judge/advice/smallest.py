"""The smallest input on which a submission still fails: what a check sent, cut down as long as the answers differ.

Tensors are cut to their first entries, axes of one size together, so that rows of X and of y stay as many. Whether an
input can be used at all is for the reference to say: where it raises an error, or gives no number, nothing is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from grader.judge.advice.answers import Place, same
from grader.judge.advice.script import Script
from grader.judge.channel import Budget
from grader.judge.players import RAISED
from grader.judge.values import numbers_of

FEW = 40
"""An input of more numbers than this is not shown."""

SIZES = (1, 2, 3)
"""What an axis is cut down to, if the submission still fails then."""

BUDGET = Budget(1.0, 3.0)
"""Of all tries together, within one player."""

DECIMALS = 2
"""Numbers are rounded to so many, if the submission still fails then: they can be typed."""

_ROUNDED = (torch.float64, torch.float32)


@dataclass(frozen=True)
class Cut:
    """A smaller input: size -> what axes of this size are cut down to, and whether numbers are rounded."""

    sizes: Mapping[int, int]
    rounded: bool = False

    def of(self, value: Any) -> Any:
        """The value, or all tensors in it, cut."""
        if isinstance(value, torch.Tensor):
            value = value[tuple(slice(self.sizes.get(size, size)) for size in value.shape)]
            return value.round(decimals=DECIMALS) if self.rounded and value.dtype in _ROUNDED else value.clone()
        if isinstance(value, dict):
            return {key: self.of(part) for key, part in value.items()}
        return type(value)(self.of(part) for part in value) if type(value) in (tuple, list) else value

    def of_script(self, script: Script) -> Script:
        """The same requests with smaller tensors; what is lent stays as it is."""
        requests = [
            (message, values if message["op"] == "patch" else self.of(values)) for message, values in script.requests
        ]
        return replace(script, requests=tuple(requests))


Answers = Callable[[Script], Sequence[object]]


@dataclass(frozen=True)
class Example:
    """A small input and the two answers to it, at the place where they differ."""

    script: Script
    place: Place
    expected: object
    got: object

    @property
    def size(self) -> int:
        """How many numbers the answer holds there."""
        numbers = numbers_of(self.expected)
        return 0 if numbers is None else int(numbers.array.size)


class Smaller:
    """The search for the smallest input.

    Args:
        script: what the check asked, up to the call whose answer is wrong.
        place: where in the answers it is.
        reference: the reference's answers to a script.
        submission: the submission's.
    """

    def __init__(self, script: Script, place: Place, reference: Answers, submission: Answers) -> None:
        self._script, self._place = script, place
        self._reference, self._submission = reference, submission
        self._follows = _shapes_that_follow(script, reference(script))

    def smallest(self) -> Cut | None:
        """How the smallest input that was found was cut; ``None`` where there is none to show."""
        cut, found = Cut({}), self.tried(Cut({}))
        if found is None:
            return None
        for size in sorted(set(_sizes(self._script)), reverse=True):
            for smaller in SIZES:
                attempt = replace(cut, sizes={**cut.sizes, size: smaller})
                example = self.tried(attempt) if smaller < size else None
                if example is not None:
                    cut, found = attempt, example
                    break
        rounded = replace(cut, rounded=True)
        example = self.tried(rounded)
        cut, found = (rounded, example) if example is not None else (cut, found)
        return cut if count_numbers(found.script) <= FEW and found.size <= FEW else None

    def tried(self, cut: Cut) -> Example | None:
        """What comes of one input; ``None`` where the submission is right, or nothing can be said."""
        script = self._cut(cut)
        if script is None:
            return None
        expected = _at(self._place, self._reference(script))
        numbers = numbers_of(expected)
        if numbers is None or not numbers.array.size or not np.isfinite(numbers.as_floats()).all():
            return None
        got = _at(self._place, self._submission(script))
        theirs = numbers_of(got)
        if theirs is None or theirs.array.shape != numbers.array.shape or same(expected, got):
            return None
        return Example(script, self._place, expected, got)

    def _cut(self, cut: Cut) -> Script | None:
        """The smaller script. What had the shape of an earlier answer, as dout has that of out, has it again."""
        script = cut.of_script(self._script)
        if not self._follows:
            return script
        message, (args, kwargs) = script.requests[-1]
        args, whole = list(args), Cut({}, cut.rounded).of(self._script.requests[-1][1][0])
        answers = self._reference(replace(script, requests=script.requests[:-1]))
        for argument, place in self._follows.items():
            model = _at(place, answers)
            if not isinstance(model, torch.Tensor) or model.ndim != whole[argument].ndim:
                return None
            args[argument] = whole[argument][tuple(map(slice, model.shape))].clone()
            if args[argument].shape != model.shape:
                return None
        return replace(script, requests=(*script.requests[:-1], (message, [args, kwargs])))


def _shapes_that_follow(script: Script, answers: Sequence[object]) -> dict[int, Place]:
    """Argument of the last call -> the place of an earlier answer that has its shape."""
    earlier: dict[torch.Size, Place] = {}
    for at, answer in enumerate(answers[:-1]):
        for index, part in enumerate(answer if isinstance(answer, tuple | list) else [answer]):
            if isinstance(part, torch.Tensor) and part.ndim:
                earlier.setdefault(part.shape, (at, index) if isinstance(answer, tuple | list) else (at,))
    args = script.requests[-1][1][0]
    return {
        number: earlier[value.shape]
        for number, value in enumerate(args)
        if isinstance(value, torch.Tensor) and value.shape in earlier
    }


def _at(place: Place, answers: Sequence[object]) -> object:
    """What stands at a place; :data:`RAISED` where there is none."""
    found: Any = answers
    for key in place:
        try:
            found = found[key]
        except (LookupError, TypeError):
            return RAISED
    return found


def _sizes(script: Script) -> Iterator[int]:
    """The sizes of all axes above 1."""
    yield from (size for tensor in _tensors(script) for size in tensor.shape if size > 1)


def count_numbers(script: Script) -> int:
    """How many numbers the tensors of a script hold."""
    return sum(tensor.numel() for tensor in _tensors(script))


def _tensors(value: object) -> Iterator[torch.Tensor]:
    """The tensors of a script, but for what is lent, or of a part of it."""
    if isinstance(value, Script):
        yield from (found for message, part in value.requests if message["op"] != "patch" for found in _tensors(part))
    elif isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict | tuple | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)
