"""A small input on which a submission fails, for a check that failed: found between a player and the reference."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial, reduce
from typing import Any

import torch

from grader.contract.verdict import SubmissionProblem
from grader.judge.advice.answers import Place, places_that_differ, same
from grader.judge.advice.requests import alone, played
from grader.judge.advice.smallest import BUDGET, Example, Smaller
from grader.judge.advice.theatre import Scene, Theatre
from grader.judge.objects import Held
from grader.judge.players import Answered, Player
from grader.judge.student import RemoteObject
from grader.judge.zygote import ZygoteError

MOST_PLACES = 4
"""Of more places where answers are wrong, the others are not looked at."""


class Examples:
    """Searches small inputs.

    Args:
        theatre: runs the reference.
    """

    def __init__(self, theatre: Theatre) -> None:
        self._theatre = theatre

    def example(self, scene: Scene) -> str:
        """The smallest input that was found on which the submission fails as in this scene, in words, or nothing."""
        place = self._place(scene) if scene.script.can_be_read else None
        call = alone(scene.script, scene.heard.first, place) if place is not None else None
        if call is None:
            return ""
        script, heard, where = call
        paths = [message["path"] for message, _ in script.requests]
        if any(path.partition(".")[0] not in self._theatre.reference for path in paths):
            return ""  # a helper of the course was called, which is nothing that a student would call
        answers = partial(self._theatre.answers, heard=Answered(tuple(heard)))
        if not _alike(answers(script), answers(replace(script, seed=script.seed + 1))):
            return ""  # what is drawn at random cannot be compared
        try:
            with self._player(scene, script.seed) as player:
                found = Smaller(script, where, answers, partial(played, player, heard)).smallest()
            if found is None:
                return ""
            # Once more where nothing was asked before.
            with self._player(scene, script.seed) as player:
                example = Smaller(script, where, answers, partial(played, player, heard)).tried(found)
        except (SubmissionProblem, ZygoteError):
            return ""
        return in_words(example, self._function) if example is not None else ""

    def _place(self, scene: Scene) -> Place | None:
        """Where the answer that the check complains of is wrong: some answers may well differ from the reference's."""
        places = places_that_differ(scene.heard.first, scene.right)
        return next((place for place in places[:MOST_PLACES] if self._theatre.is_to_blame([place], scene)), None)

    @contextmanager
    def _player(self, scene: Scene, seed: int) -> Iterator[Player]:
        """A fresh player of the submission."""
        player = scene.part.bench().player()
        player.objects.wrap = lambda held: RemoteObject(player, held)
        try:
            player.begin(seed, BUDGET)
            yield player
        finally:
            player.close()

    def _function(self, path: str) -> Any:
        module, *names = path.split(".")
        return reduce(getattr, names, self._theatre.reference[module])


def _alike(some: Sequence[object], others: Sequence[object]) -> bool:
    return len(some) == len(others) and all(map(same, some, others))


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
    return f"{value + 0.0:.6g}"  # 0, and not -0
