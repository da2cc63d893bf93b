"""``student``: a tree of proxies. A call on it runs in a player and comes back as plain data.

Tensors come back on the CPU as the judge's own copies; what is not plain data stays in the player and is a
:class:`RemoteObject` here. Whatever the submission does wrong is raised as a
:class:`~grader.contract.verdict.SubmissionProblem`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from grader.contract.verdict import Missing, StudentError, SubmissionProblem
from grader.judge.objects import Attribute, Held, StandIn
from grader.judge.players import Player


class Playing(Protocol):
    """What the proxies need of the check that they belong to."""

    @property
    def player(self) -> Player:
        """The check's player, started when first asked for."""

    @property
    def unavailable(self) -> Mapping[str, SubmissionProblem]:
        """Module -> why it cannot be asked."""


class Traceable(Protocol):
    """What can be called under the trace."""

    def __traced__(
        self, outside: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Any, Mapping[str, Any]]:
        """The result, and what the player counted during the call; ``outside`` are paths that are not looked into."""


class Function:
    """A function, class or static method of the submission, by its dotted path."""

    def __init__(self, playing: Playing, path: str) -> None:
        self._playing = playing
        self._path = path

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls it in the player and returns plain data and remote objects."""
        return self._send({}, args, kwargs)[0]

    def observed(self, *args: Any, **kwargs: Any) -> tuple[Any, tuple[Any, ...]]:
        """The result, and the positional arguments as they are after the call: shows changes in place."""
        value = self._send({"observe": True}, args, kwargs)[0]
        if not isinstance(value, tuple) or len(value) != 2 or not isinstance(value[1], tuple):
            raise StudentError("The answer to an observed call is not a result with its arguments.")
        return value[0], value[1]

    def holding(self, *args: Any, **kwargs: Any) -> Any:
        """Like a call, but what is no tensor or number (a cache, a dict) stays in the player as a remote object."""
        return self._send({"keep": True}, args, kwargs)[0]

    def traced(self, *args: Any, **kwargs: Any) -> tuple[Any, Mapping[str, Any]]:
        """The result, and what the player counted during the call: ``operations``, ``functions``, ``lines``."""
        return self.__traced__((), args, kwargs)

    def __traced__(
        self, outside: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Any, Mapping[str, Any]]:
        return _with_trace(self._send({"trace": {"outside": list(outside)}}, tuple(args), dict(kwargs)))

    def _send(self, extra: dict[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        _refuse_unavailable(self._playing, self._path)
        return self._playing.player.request({"op": "call", "path": self._path, **extra}, [list(args), kwargs])

    def __getattr__(self, name: str) -> Function:
        if name.startswith("__"):
            raise AttributeError(name)
        return Function(self._playing, f"{self._path}.{name}")

    def __wire__(self) -> Attribute:
        _refuse_unavailable(self._playing, self._path)
        return Attribute(self._path)

    def __repr__(self) -> str:
        return f"<the submission's {self._path}>"


class RemoteObject:
    """An object that stays in the player: attributes are fetched and set there, calls run there."""

    def __init__(self, player: Player, held: Held) -> None:
        self.__dict__.update(_player=player, _held=held)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._player.request({"op": "get", "h": self._held.number, "attribute": name})[0]

    def __setattr__(self, name: str, value: Any) -> None:
        self._player.request({"op": "set", "h": self._held.number, "attribute": name}, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._player.request({"op": "call", "h": self._held.number}, [list(args), kwargs])[0]

    # Named so that it hides no attribute of the object.
    def __traced__(
        self, outside: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Any, Mapping[str, Any]]:
        request = {"op": "call", "h": self._held.number, "trace": {"outside": list(outside)}}
        return _with_trace(self._player.request(request, [list(args), dict(kwargs)]))

    def __wire__(self) -> Held:
        held: Held = self._held
        return held

    def __repr__(self) -> str:
        return f"<an object of class {self._held.kind} in the submission>"


class Module:
    """A module of the submission."""

    def __init__(self, playing: Playing, name: str) -> None:
        self._playing = playing
        self._name = name

    def __getattr__(self, name: str) -> Function:
        if name.startswith("__"):
            raise AttributeError(name)
        return Function(self._playing, f"{self._name}.{name}")


class Student:
    """The submission, as a check sees it."""

    def __init__(self, playing: Playing) -> None:
        self._playing = playing

    def __getattr__(self, name: str) -> Module:
        if name.startswith("__"):
            raise AttributeError(name)
        return Module(self._playing, name)

    @staticmethod
    def standin(target: Any, *attributes: str) -> StandIn:
        """An argument that in the player looks like an object with just these attributes; calls come back here."""
        return StandIn(target, frozenset(attributes))

    def scratch_path(self, name: str) -> str:
        """Path of a file that the player may write."""
        return str(self._playing.player.scratch / name)

    def checkpoint(self, path: str) -> Any:
        """The content of a file of torch.save or safetensors, read inside the player as plain data."""
        return self._playing.player.request({"op": "checkpoint"}, path)[0]

    def get(self, path: str) -> Any:
        """The attribute of this dotted path: plain data or a remote object."""
        _refuse_unavailable(self._playing, path)
        return self._playing.player.request({"op": "get", "path": path})[0]

    def replace(self, path: str, replacement: Any, parameters: bool = False) -> None:
        """Binds ``replacement`` wherever the submission's function or class of this path is bound, in this check.

        With ``parameters``, the path is that of a method of an ``nn.Module``, and the replacement gets, in the place of
        ``self``, a dict of the module's parameters: what students call these is theirs. Autograd reaches them.
        """
        self._playing.player.request({"op": "patch", "path": path, "parameters": parameters}, replacement)

    def missing(self, path: str) -> bool:
        """Whether the submission lacks the attribute of this dotted path."""
        try:
            _refuse_unavailable(self._playing, path)
            self._playing.player.request({"op": "get", "path": path})
        except Missing:
            return True
        except SubmissionProblem:
            return False
        return False


def _with_trace(answer: tuple[Any, Mapping[str, Any]]) -> tuple[Any, Mapping[str, Any]]:
    value, message = answer
    trace = message.get("trace")
    return value, trace if isinstance(trace, dict) else {}


def _refuse_unavailable(playing: Playing, path: str) -> None:
    problem = playing.unavailable.get(path.partition(".")[0])
    if problem is not None:
        raise type(problem)(problem.explanation)
