"""Asking a player what another one was asked, and the part of it that one answer hangs on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from grader.contract.verdict import SubmissionProblem
from grader.judge.advice.answers import Place
from grader.judge.advice.script import Script
from grader.judge.objects import Held
from grader.judge.players import UNANSWERED, Player
from grader.judge.student import RemoteObject


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


def played(player: Player, heard: Sequence[object], script: Script) -> list[object]:
    """What a player answers to calls of functions; ``heard`` is what another one answered when they were larger.

    An answer that is not given, or without an object that is needed later, ends it.
    """
    known: dict[int, object] = {}
    answers: list[object] = []
    for message, values in script.requests:
        if not known.keys() >= set(_held_in(values)):
            return answers
        try:
            answer, _ = player.request(message, _with(known, values))
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
        if isinstance(answer, RemoteObject):
            known[_number(heard)] = answer
    elif isinstance(heard, dict) and isinstance(answer, dict):
        for key in heard.keys() & answer.keys():
            _learn(heard[key], answer[key], known)
    elif isinstance(heard, tuple | list) and isinstance(answer, tuple | list):
        for pair in zip(heard, answer, strict=False):
            _learn(*pair, known)
