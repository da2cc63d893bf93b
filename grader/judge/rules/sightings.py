"""What a trace shows of the functions that were at work. A trace is written by the player and believed in no detail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from grader.contract.assignment import Rules
from grader.contract.text import one_line
from grader.judge.rules.names import forbidden, public
from grader.judge.rules.operations import held, unexplained

NO_TRACE = "no trace came back"
MOST_SIGNS = 8

READ_BY_TORCH = ("Tensor.grad_fn.__get__",)
"""What torch asks for itself: a module reads it of every parameter that it registers. Where the submission's own text
asks for it, the text says so."""


@dataclass(frozen=True)
class Sightings:
    """One trace.

    Attributes:
        functions: functions that torch was asked for, by the names under which they are looked up in the rules.
        called: functions of torch that the submission's own lines called, as Python's profiler saw them.
        operations: operations that torch dispatched, such as ``aten.mm``.
        signs: what looks as if the trace had been tampered with.
    """

    functions: tuple[str, ...]
    called: tuple[str, ...]
    operations: tuple[str, ...]
    signs: tuple[str, ...]

    @staticmethod
    def of(trace: Mapping[str, Any]) -> Sightings:
        """What ``trace`` shows, whatever the player put into it."""
        signs = trace.get("signs")
        told = signs if isinstance(signs, list) else [NO_TRACE]
        return Sightings(
            tuple(name for name in map(public, _names(trace, "functions")) if name not in READ_BY_TORCH),
            tuple(public(name) for name in _names(trace, "called")),
            tuple(_names(trace, "operations")),
            tuple(one_line(sign, 200) for sign in told[:MOST_SIGNS] if isinstance(sign, str)),
        )

    def forbidden(self, rules: Rules) -> str | None:
        """A forbidden function or operation that was at work."""
        for name in (*self.functions, *self.called):
            if forbidden(name, rules):
                return name
        return next((name for name in self.operations if held(name, rules)), None)

    def suspicions(self, rules: Rules) -> Iterator[str]:
        """What staff should look at, although it costs nothing by itself."""
        yield from (f"the trace may have been tampered with: {sign}" for sign in self.signs)
        for name in self.operations if self.forbidden(rules) is None else ():
            if unexplained(name, (*self.functions, *self.called), rules):
                yield f"{name} was dispatched, but none of the allowed functions that lead to it was seen"

    def evidence(self, rules: Rules) -> str:
        """What each part of the trace saw of what is forbidden, for staff."""
        seen = {
            "torch was asked for": [name for name in self.functions if forbidden(name, rules)],
            "the submission's lines called": [name for name in self.called if forbidden(name, rules)],
            "torch dispatched": [name for name in self.operations if held(name, rules)],
            "signs of tampering": list(self.signs),
        }
        return "; ".join(f"{what}: {', '.join(names[:5]) or 'nothing'}" for what, names in seen.items())


def _names(trace: Mapping[str, Any], key: str) -> Iterator[str]:
    names = trace.get(key)
    yield from (name for name in names if isinstance(name, str)) if isinstance(names, Mapping) else ()
