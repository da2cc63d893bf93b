"""A variant of the reference in the submission's place, run by the judge itself, without a player.

The variant is the course's own text, and its answers are compared one by one with those that a submission gave before:
at the first that differs the run ends, so that of many variants almost all cost one call.
"""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch

from grader.contract.assignment import Assignment
from grader.contract.chance import seed_generators
from grader.contract.verdict import StudentError, SubmissionProblem
from grader.judge import reference
from grader.judge.answers import same
from grader.judge.bench import Bench
from grader.judge.channel import Budget
from grader.judge.objects import Attribute, Held, StandIn
from grader.judge.order import Order, understudy_of
from grader.judge.overrun import Overrun, at_most
from grader.judge.players import RAISED, Answered, Enough, Player
from grader.judge.student import RemoteObject

Modules = Mapping[str, ModuleType]

NOWHERE = Path("/nowhere")
"""The scratch folder of a run without a player, which writes no files."""


LONGEST = 2.0
"""CPU-seconds of one call of a variant: arguments may come from answers of the submission, and must not hold us up."""


class Different(Exception):
    """The variant answers otherwise than the submission did."""


def variant_of(assignment: Assignment, texts: Mapping[str, str]) -> Modules:
    """The reference's modules, with those of ``texts`` in another version.

    What a text imports is what the reference imported; everything else in it is defined anew.
    """
    modules = dict(vars(reference.load(assignment)))
    for name, text in texts.items():
        tree = ast.parse(text)
        tree.body = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
        fresh = ModuleType(name)
        vars(fresh).update({key: value for key, value in vars(modules[name]).items() if key != "__name__"})
        exec(compile(tree, f"<{name}>", "exec", dont_inherit=True), vars(fresh))  # noqa: S102 - the course's own text
        modules[name] = fresh
    return modules


class Rehearsal(Bench):
    """The bench of variants: what it gives for a player is a variant in this process."""

    def __init__(self, order: Order, assignment: Assignment) -> None:
        super().__init__(understudy_of(order, assignment))
        self._modules: Modules = {}
        self._expected = Answered()
        self.actor: Actor | None = None

    @property
    def unavailable(self) -> Mapping[str, SubmissionProblem]:
        """Nothing of the reference is missing."""
        return {}

    def stage(self, modules: Modules, expected: Answered) -> None:
        """Puts a variant on for the next run, which is to answer as ``expected``."""
        self._modules, self._expected, self.actor = modules, expected, None

    def player(self) -> Player:
        """The variant."""
        self.actor = Actor(self._modules, self._helper, self._expected)
        return self.actor

    @property
    def alike(self) -> bool:
        """Whether the variant answered in the last run as the submission did."""
        return self.actor is not None and self.actor.alike

    def _helper(self, name: str) -> ModuleType:
        with reference.importing(self.assignment.reference, self.assignment.provided):
            return importlib.import_module(name)


class Actor(Player):
    """Answers as a player does, in this process and without one: requests are functions calls here."""

    def __init__(self, modules: Modules, helper: Callable[[str], ModuleType], expected: Answered) -> None:
        self.objects = SimpleNamespace()  # type: ignore[assignment]
        self.answered = Answered()
        self.scratch = NOWHERE
        self._modules = modules
        self._helper = helper
        self._expected = expected.first
        self._more = expected.more
        self._given = 0
        self._differs = False
        self._held: dict[int, Any] = {}
        self._undo: list[Callable[[], None]] = []
        self._chance = Chance()

    @property
    def alike(self) -> bool:
        """Whether every answer was as expected, and none is missing."""
        return not self._differs and self._given == len(self._expected)

    def begin(self, seed: int, budget: Budget) -> None:
        """Starts the check with generators of its own."""
        with self._chance:
            seed_generators(seed)

    def request(self, message: dict[str, Any], values: Any = None) -> tuple[Any, dict[str, Any]]:
        """Answers a request. Raises :class:`Different` or :class:`Enough` where the run can end."""
        if message["op"] == "patch":
            self._patch(message["path"], self._own(values), bool(message.get("parameters")))
            return True, {}
        if self._given == len(self._expected):
            if self._more:
                raise Enough
            self._differs = True
            raise Different
        expected = self._expected[self._given]
        self._given += 1
        try:
            answer = self._answer(message, values)
        except Overrun:
            self._differs = True
            raise
        except Exception as error:
            self._differs = expected is not RAISED
            raise StudentError(f"The variant raised {type(error).__name__}: {error}") from error
        try:
            return self._shown(answer, expected), {}
        except Different:
            self._differs = True
            raise

    def _answer(self, message: dict[str, Any], values: Any) -> Any:
        operation = message["op"]
        if operation == "get":
            return self._target(message)
        if operation == "set":
            setattr(self._held[message["h"]], message["attribute"], self._own(values))
            return True
        if operation != "call":
            raise Different
        target, (args, kwargs) = self._target(message), self._own(values)
        with self._chance, at_most(LONGEST):
            result = target(*args, **kwargs)
        return (result, tuple(args)) if message.get("observe") else result

    def _target(self, message: dict[str, Any]) -> Any:
        found = self._held[message["h"]] if "h" in message else self._resolved(message["path"])
        for name in filter(None, message.get("attribute", "").split(".")):
            found = getattr(found, name)
        return found

    def _resolved(self, path: str) -> Any:
        head, *rest = path.split(".")
        found: Any = self._modules[head] if head in self._modules else self._helper(head)
        for name in rest:
            found = getattr(found, name)
        return found

    def _own(self, value: Any) -> Any:
        """An argument as the variant gets it: a copy, or what stands behind a proxy."""
        wire = getattr(value, "__wire__", None)
        value = wire() if wire is not None else value
        if isinstance(value, Held):
            return self._held[value.number]
        if isinstance(value, Attribute):
            return self._resolved(value.path)
        if isinstance(value, StandIn):
            return value.target
        if isinstance(value, torch.Tensor):
            return value.detach().clone()
        if isinstance(value, dict):
            return {key: self._own(part) for key, part in value.items()}
        if type(value) in (tuple, list):
            return type(value)(self._own(part) for part in value)
        return value.copy() if isinstance(value, np.ndarray) else value

    def _shown(self, answer: Any, expected: object) -> Any:
        """An answer as a check gets it, once it is as expected; what stayed in the player stays here."""
        if isinstance(expected, RemoteObject):
            number = expected.__wire__().number
            self._held[number] = answer
            return RemoteObject(self, Held(number, type(answer).__name__))
        if isinstance(answer, tuple | list) and isinstance(expected, tuple | list) and len(answer) == len(expected):
            return tuple(self._shown(*pair) for pair in zip(answer, expected, strict=True))
        if isinstance(answer, dict) and isinstance(expected, dict) and answer.keys() == expected.keys():
            return {key: self._shown(value, expected[key]) for key, value in answer.items()}
        shown = answer.detach().clone() if isinstance(answer, torch.Tensor) else copy.copy(answer)
        if not same(expected, shown):
            raise Different
        return shown

    def _patch(self, path: str, replacement: Any, parameters: bool) -> None:
        module, *owner, name = path.split(".")
        if owner:
            holder: Any = getattr(self._modules[module], owner[0])
            if isinstance(inspect.getattr_static(holder, name, None), staticmethod):
                self._bind(holder, name, staticmethod(replacement))
                return

            def method(self: Any, *args: Any, **kwargs: Any) -> Any:
                return replacement(dict(self.named_parameters()) if parameters else self, *args, **kwargs)

            self._bind(holder, name, method)
            return
        own = getattr(self._modules[module], name)
        for loaded in self._modules.values():
            for key, value in list(vars(loaded).items()):
                if value is own:
                    self._bind(loaded, key, replacement)

    def _bind(self, holder: Any, name: str, value: Any) -> None:
        before = inspect.getattr_static(holder, name)
        self._undo.append(lambda: setattr(holder, name, before))
        setattr(holder, name, value)

    def output(self) -> str:
        """Nothing that a variant prints is kept."""
        return ""

    def close(self) -> None:
        """Takes back what was patched: the variant is used again."""
        while self._undo:
            self._undo.pop()()


class Chance:
    """Generators of a run's own in the place of the global ones, while it is entered."""

    def __init__(self) -> None:
        self._states = _states()

    def __enter__(self) -> None:
        before = _states()
        _restore(self._states)
        self._states = before

    def __exit__(self, *_: object) -> None:
        after = _states()
        _restore(self._states)
        self._states = after


States = tuple[torch.Tensor, Any, Any]


def _states() -> States:
    return torch.get_rng_state(), np.random.get_state(), random.getstate()


def _restore(states: States) -> None:
    torch.set_rng_state(states[0])
    np.random.set_state(states[1])
    random.setstate(states[2])
