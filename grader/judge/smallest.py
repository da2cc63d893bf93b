"""The smallest input on which a submission still fails: what a check sent, cut down as long as the answers differ.

Tensors are cut to their first entries, axes of one size together, so that rows of X and of y stay as many. Whether an
input can be used at all is for the reference to say: where it raises an error, or gives no number, nothing is shown.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from grader.contract.verdict import SubmissionProblem
from grader.judge.actor import Script
from grader.judge.answers import Place, same
from grader.judge.channel import Budget
from grader.judge.objects import Held
from grader.judge.players import RAISED, UNANSWERED, Player
from grader.judge.student import RemoteObject
from grader.judge.values import numbers_of

FEW = 40
"""An input of more numbers than this is not shown."""

SIZES = (1, 2, 3)
"""What an axis is cut down to, if the submission still fails then."""

BUDGET = Budget(2.0, 5.0)
"""Of all tries together, within one player."""

DECIMALS = 2
"""Numbers are rounded to so many, if the submission still fails then: they can be typed."""


@dataclass(frozen=True)
class Cut:
    """A smaller input: size -> what axes of this size are cut down to, and whether numbers are rounded."""

    sizes: Mapping[int, int]
    rounded: bool = False

    def of(self, value: Any) -> Any:
        """The value, or all tensors in it, cut."""
        if isinstance(value, torch.Tensor):
            value = value[tuple(slice(self.sizes.get(size, size)) for size in value.shape)]
            return value.round(decimals=DECIMALS) if self.rounded and value.is_floating_point() else value.clone()
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
            if not isinstance(model, torch.Tensor):
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


def _sizes(value: object) -> Iterator[int]:
    """The sizes of all axes, above 1, in a script or a part of it."""
    if isinstance(value, Script):
        yield from (size for message, values in value.requests if message["op"] != "patch" for size in _sizes(values))
    elif isinstance(value, torch.Tensor):
        yield from (size for size in value.shape if size > 1)
    elif isinstance(value, dict | tuple | list):
        yield from (size for part in (value.values() if isinstance(value, dict) else value) for size in _sizes(part))


def count_numbers(script: Script) -> int:
    """How many numbers the tensors of a script hold."""
    return sum(int(np.prod(shape)) for message, values in script.requests for shape in _shapes(message, values))


def _shapes(message: Mapping[str, Any], value: object) -> Iterator[tuple[int, ...]]:
    if isinstance(value, torch.Tensor):
        yield tuple(value.shape)
    elif isinstance(value, dict | tuple | list) and message["op"] != "patch":
        for part in value.values() if isinstance(value, dict) else value:
            yield from _shapes(message, part)


def played(player: Player, heard: Sequence[object], script: Script) -> list[object]:
    """What a player answers to a script; ``heard`` is what another one answered to it when it was larger.

    An answer that is not given ends it.
    """
    known: dict[int, object] = {}
    answers: list[object] = []
    for message, values in script.requests:
        own = {**message, "h": _number(known[message["h"]])} if "h" in message else message
        try:
            answer, _ = player.request(own, _with(known, values))
        except SubmissionProblem:
            return answers
        if message["op"] not in UNANSWERED:
            _learn(heard[len(answers)], answer, known)
            answers.append(answer)
    return answers


def _number(remote: Any) -> int:
    number: int = remote.__wire__().number
    return number


def _with(known: Mapping[int, object], value: Any) -> Any:
    """The values of a request, with the objects of this player for those of the other one."""
    if isinstance(value, Held):
        return known[value.number]
    if isinstance(value, dict):
        return {key: _with(known, part) for key, part in value.items()}
    return type(value)(_with(known, part) for part in value) if type(value) in (tuple, list) else value


def _learn(heard: object, answer: object, known: dict[int, object]) -> None:
    """Takes down which object of this player stands for which of the other one."""
    if isinstance(heard, RemoteObject):
        known[_number(heard)] = answer
    elif isinstance(heard, dict) and isinstance(answer, dict):
        for key in heard.keys() & answer.keys():
            _learn(heard[key], answer[key], known)
    elif isinstance(heard, tuple | list) and isinstance(answer, tuple | list):
        for pair in zip(heard, answer, strict=False):
            _learn(*pair, known)


def alone(script: Script, heard: Sequence[object], place: Place) -> tuple[Script, list[object], Place] | None:
    """One call of a script, with those before it that made the objects that it is handed; what was heard; the place.

    ``None`` where something else than calls of functions leads there.
    """
    at = place[0]
    asked = [request for request in script.requests if request[0]["op"] not in UNANSWERED]
    assert isinstance(at, int)
    needed, kept = set(_held_in(asked[at][1])), [at]
    for number in reversed(range(at)):
        made = needed & set(_held_in(heard[number]))
        if made:
            kept.append(number)
            needed |= set(_held_in(asked[number][1]))
    kept.sort()
    calls = [asked[number] for number in kept]
    if any(message["op"] != "call" or "path" not in message or "trace" in message for message, _ in calls):
        return None
    if any(message["op"] == "set" for message, _ in script.requests):
        return None
    lent = [request for request in script.requests if request[0]["op"] == "patch"]
    return (
        replace(script, requests=(*lent, *calls)),
        [heard[number] for number in kept],
        (len(kept) - 1, *place[1:]),
    )


def _held_in(value: Any) -> Iterator[int]:
    if isinstance(value, Held):
        yield value.number
    elif isinstance(value, RemoteObject):
        yield _number(value)
    elif isinstance(value, dict | tuple | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _held_in(part)


# ---- words ---------------------------------------------------------------------------------------------------------


def in_words(example: Example, function: Callable[[str], Any]) -> str:
    """The example as a student reads it; ``function`` finds the reference's function of a path.

    Empty where the answers differ in what an argument is after the call, or in digits that are not shown.
    """
    calls = [request for request in example.script.requests if request[0]["op"] != "patch"]
    where = example.place[1:]
    if calls[-1][0].get("observe"):
        if where[:1] != (0,):
            return ""
        where = where[1:]
    expected, got = shown(example.expected), shown(example.got)
    if expected == got:
        return ""
    lines = ["A small input on which it fails, too:"]
    lines += [f"{_call(*request, function)}" for request in calls]
    which = f"Result {_ordinal(where)}" if where else "The result"
    lines.append(f"{which} should be {expected}, but is {got}.")
    return "\n".join(lines)


def _ordinal(where: Place) -> str:
    return ", ".join(str(key + 1) if isinstance(key, int) else repr(key) for key in where)


def _call(message: Mapping[str, Any], values: Any, function: Callable[[str], Any]) -> str:
    path = str(message.get("path", ""))
    args, kwargs = values
    names = list(inspect.signature(function(path)).parameters)
    parts = [f"{name} = {shown(value)}" for name, value in zip(names, args, strict=False)]
    parts += [f"{name} = {shown(value)}" for name, value in kwargs.items()]
    return f"{path.partition('.')[2]}({', '.join(parts)})"


def shown(value: object) -> str:
    """A value as it can be typed."""
    if isinstance(value, torch.Tensor):
        return shown(value.tolist())
    if isinstance(value, bool) or not isinstance(value, float):
        if isinstance(value, list | tuple):
            return f"[{', '.join(map(shown, value))}]"
        if isinstance(value, dict):
            return f"{{{', '.join(f'{key!r}: {shown(part)}' for key, part in value.items())}}}"
        return "as returned above" if isinstance(value, Held) else repr(value) if isinstance(value, str) else str(value)
    return f"{value:.6g}"
