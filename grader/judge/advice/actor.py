"""A variant of the reference that answers what a player is asked, in this process."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch

from grader.contract.chance import seed_generators
from grader.contract.verdict import StudentError
from grader.judge.advice.chance import Chance
from grader.judge.advice.script import Request, Script, kept
from grader.judge.channel import Budget
from grader.judge.objects import Attribute, Held, StandIn
from grader.judge.overrun import Overrun, at_most
from grader.judge.players import RAISED, UNANSWERED, Answered, Enough, Player
from grader.judge.student import RemoteObject

Modules = Mapping[str, ModuleType]

NOWHERE = Path("/nowhere")
"""The scratch folder of a run without a player, which writes no files."""

LONGEST = 2.0
"""CPU-seconds of one call of a variant: arguments may come from answers of the submission, and must not hold us up."""


class Actor(Player):
    """Answers as a player does, in this process and without one: requests are function calls here.

    The check hears what the submission answered, whatever this one does.

    Attributes:
        said: its own answers, :data:`RAISED` where there is none.
        asked_more: whether it was asked for more than the answers that are known.
    """

    def __init__(self, modules: Modules, helper: Callable[[str], ModuleType], heard: Answered) -> None:
        self.objects = SimpleNamespace()  # type: ignore[assignment]
        self.answered = Answered()
        self.scratch = NOWHERE
        self.said: list[object] = []
        self._modules = modules
        self._helper = helper
        self._heard = heard
        self.asked_more = False
        self._seed = 0
        self._longest = LONGEST
        self._requests: list[Request] = []
        self._held: dict[int, Any] = {}
        self._undo: list[Callable[[], None]] = []
        self._chance = Chance()

    @property
    def complete(self) -> bool:
        """Whether it was asked all that the submission was asked, and no more."""
        return len(self.said) == len(self._heard.first) and self.asked_more == self._heard.more

    @property
    def script(self) -> Script:
        """What it was asked."""
        return Script.of(self._seed, self._requests)

    def begin(self, seed: int, budget: Budget) -> None:
        """Starts the check with generators of its own. No call may take longer than the budget allows for all."""
        self._seed = seed
        self._longest = min(budget.cpu_seconds, LONGEST)
        with self._chance:
            seed_generators(seed)

    def request(self, message: dict[str, Any], values: Any = None) -> tuple[Any, dict[str, Any]]:
        """Answers a request with what the submission said. Raises :class:`Enough` where the run can end."""
        if message["op"] in UNANSWERED:
            self._requests.append((message, kept(values)))
            self._obey(message, values)
            return True, {}
        if len(self.said) == len(self._heard.first):
            self.asked_more = True
            raise Enough
        heard = self._heard.first[len(self.said)]
        self._requests.append((message, kept(values)))
        try:
            self.said.append(self._shown(self._answer(message, values), heard))
        except Exception:  # noqa: BLE001 - a wrong variant, on arguments that a submission chose, may raise anything
            self.said.append(RAISED)
        if heard is RAISED:
            raise StudentError("The submission raised an error here.")
        return self._again(heard), {}

    def perform(self, script: Script, longest: float) -> Iterator[object]:
        """Its answers to the requests of a script, one after the other, each in ``longest`` CPU-seconds at most."""
        self.begin(script.seed, Budget(longest, longest))
        for message, values in script.requests:
            before = len(self.said)
            with suppress(StudentError, Overrun):
                self.request(message, values)
            if len(self.said) > before:
                yield self.said[-1]
            elif message["op"] not in UNANSWERED:
                return

    def _obey(self, message: dict[str, Any], values: Any) -> None:
        if message["op"] == "patch":
            self._patch(message["path"], self._own(values), bool(message.get("parameters")))
        elif message["h"] in self._held:
            setattr(self._held[message["h"]], message["attribute"], self._own(values))

    def _answer(self, message: dict[str, Any], values: Any) -> Any:
        operation = message["op"]
        if operation == "get":
            return self._target(message)
        if operation != "call":
            raise ValueError(f"a variant cannot do {operation}")
        target, (args, kwargs) = self._target(message), self._own(values)
        with self._chance, at_most(self._longest), warnings.catch_warnings():
            warnings.simplefilter("ignore")
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

    def _shown(self, answer: Any, heard: object) -> Any:
        """An answer as a check gets it; what stayed in the player stays here, under the number that it had there."""
        if isinstance(heard, RemoteObject):
            number = heard.__wire__().number
            self._held[number] = answer
            return RemoteObject(self, Held(number, type(answer).__name__))
        if isinstance(answer, tuple | list):
            others = heard if isinstance(heard, tuple | list) and len(heard) == len(answer) else answer
            return tuple(self._shown(*pair) for pair in zip(answer, others, strict=True))
        if isinstance(answer, dict):
            known = heard if isinstance(heard, dict) and heard.keys() == answer.keys() else answer
            return {key: self._shown(value, known[key]) for key, value in answer.items()}
        return answer.detach().clone() if isinstance(answer, torch.Tensor) else copy.copy(answer)

    def _again(self, heard: Any) -> Any:
        """What the submission said, once more."""
        if isinstance(heard, RemoteObject):
            return RemoteObject(self, heard.__wire__())
        if isinstance(heard, dict):
            return {key: self._again(value) for key, value in heard.items()}
        if type(heard) in (tuple, list):
            return type(heard)(self._again(value) for value in heard)
        return heard.clone() if isinstance(heard, torch.Tensor) else copy.copy(heard)

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
