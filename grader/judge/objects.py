"""The judge's side of values: numbers for the player's objects, and what of the judge's own a player may ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.contract.wire import Decoder, Encoder, Frame, Unsendable, WireError
from grader.judge.changes import Changes
from grader.judge.lending import gradients_of


@dataclass(frozen=True)
class Held:
    """An object that stays in the player: its number and the name of its class, as the player tells it."""

    number: int
    kind: str


@dataclass(frozen=True)
class Attribute:
    """An attribute of a submission's module, by dotted path, as an argument."""

    path: str


@dataclass(frozen=True)
class SharedTensor:
    """An entry of a read-only data file, which the player maps instead of receiving it."""

    file: Path
    key: str


@dataclass(frozen=True)
class StandIn:
    """An object of the judge as an argument: the player sees these attributes of it and nothing else."""

    target: Any
    attributes: frozenset[str]


class Objects:
    """Encodes requests, decodes answers, and answers what a player asks of the judge's own objects."""

    def __init__(self) -> None:
        self.own: list[StandIn] = []
        self.wrap: Callable[[Held], Any] = lambda held: held

    def frame(self, message: dict[str, Any], values: Any) -> Frame:
        """A request that carries ``values``."""
        encoder = Encoder(self._extend)
        return Frame({**message, "values": encoder.encode(values)}, encoder.tensors)

    def _extend(self, value: Any) -> dict[str, Any]:
        wire = getattr(value, "__wire__", None)
        value = wire() if wire is not None else value
        if isinstance(value, Held):
            return {"h": value.number}
        if isinstance(value, Attribute):
            return {"p": value.path}
        if isinstance(value, SharedTensor):
            return {"m": value.file.name, "k": value.key}
        if isinstance(value, StandIn) or callable(value):
            return self._lend(value)
        raise Unsendable(f"a value of type {type(value).__name__} cannot be handed in")

    def _lend(self, value: Any) -> dict[str, Any]:
        stand_in = value if isinstance(value, StandIn) else StandIn(value, frozenset())
        self.own.append(stand_in)
        return {"j": len(self.own) - 1, "attrs": sorted(stand_in.attributes)}

    def decode(self, tree: Any, frame: Frame) -> Any:
        """The value of an answer. Raises :class:`WireError` where it is not well formed."""
        return Decoder(frame.tensors, self._find).decode(tree)

    def _find(self, tag: str, tree: dict[str, Any]) -> Any:
        if tag == "h" and type(tree["h"]) is int:
            return self.wrap(Held(tree["h"], str(tree.get("c", "object"))[:100]))
        if tag == "j":
            return self._own(tree)
        if tag == "dev":
            return tree["tensor"]
        raise WireError(f"it holds the unknown tag {str(tag)[:20]!r}")

    def _own(self, tree: dict[str, Any]) -> Any:
        number = tree["j"]
        if type(number) is not int or not 0 <= number < len(self.own):
            raise WireError("it refers to an object that was not handed in")
        stand_in, attribute = self.own[number], tree.get("attribute")
        if attribute is None:
            return stand_in.target
        if attribute not in stand_in.attributes:
            raise WireError("it refers to an attribute that was not handed in")
        return getattr(stand_in.target, attribute)

    def answer(self, frame: Frame) -> Frame:
        """The answer to a player's question. What the judge's own object raises is told as text."""
        question = frame.message
        target = self._own({"j": question.get("j"), "attribute": None})
        stand_in = self.own[question["j"]]
        values = self.decode(question.get("value"), frame)
        attribute = question.get("attribute")
        if attribute is not None and not (isinstance(attribute, str) and attribute in stand_in.attributes):
            raise WireError("it asks for an attribute that was not handed in")
        encoder = Encoder(self._extend)
        try:
            tree = self._do(question.get("ask"), target, attribute, values, encoder)
        except (
            ArithmeticError,
            LookupError,
            TypeError,
            ValueError,
            RuntimeError,
            AttributeError,
            MemoryError,
        ) as error:
            # The judge's own function was called with what it cannot use: the caller's problem, told to the caller.
            return Frame({"error": f"{type(error).__name__}: {error}"[:1000]})
        return Frame({"value": tree}, encoder.tensors)

    @staticmethod
    def _do(ask: Any, target: Any, attribute: str | None, values: Any, encoder: Encoder) -> Any:
        found: Any = target if attribute is None else getattr(target, attribute, None)
        if ask == "get":
            return {"method": 1} if callable(found) else encoder.encode(found)
        if ask == "set" and attribute is not None:
            setattr(target, attribute, values)
            return None
        if ask == "call" and isinstance(values, list) and len(values) == 2 and isinstance(values[1], dict):
            changes = Changes(*values)
            result = found(*values[0], **values[1])
            return encoder.encode([result, changes.found()])
        if ask == "gradients" and isinstance(values, list) and len(values) == 3 and isinstance(values[1], dict):
            return encoder.encode(gradients_of(found, *values))
        raise WireError("it asks for what cannot be asked")
