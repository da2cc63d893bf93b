"""Counts what a call does: operations that torch dispatches, functions of torch, lines of the submission.

Three things watch, since each can be evaded alone: a mode that torch tells of every operation, a mode that it tells of
every function, and Python's own profiler, which sees which functions of torch the submission's own lines call. They run
beside the student's code and can be tampered with; the judge treats them as evidence, next to the source text and to
costs that it measures from outside.
"""

from __future__ import annotations

import builtins
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from sys import setprofile, settrace
from types import FrameType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._python_dispatch import TorchDispatchMode

from grader.player import outside
from grader.player.load import Library
from grader.player.tampering import OFF, REACHING, covered, final_signs

MAX_NAMES = 400

_TORCH = f"{Path(torch.__file__).parent}/"


class Trace:
    """The counts of one call.

    Args:
        roots: how the paths of the submission's own files begin.
        rests: identities of the code objects in which, and below which, no names are counted.

    Attributes:
        operations: dispatched operations, such as ``aten.mm``, with their counts.
        functions: Python functions of torch that were called, such as ``torch.nn.functional.conv2d``.
        called: functions of torch that the submission's own lines called, as Python's profiler names them.
        lines: lines of the submission's own files that were executed.
        calls: calls of functions, in Python or C, wherever they are.
        signs: what looks as if the counters had been tampered with.
        resting: how many calls deep the program is in code whose names are not counted.
        inside: how many of the counters are at work now; torch tells none of them what they do themselves.
    """

    def __init__(self, roots: tuple[str, ...], rests: frozenset[int] = frozenset()) -> None:
        self.operations: Counter[str] = Counter()
        self.functions: Counter[str] = Counter()
        self.called: Counter[str] = Counter()
        self.lines = 0
        self.calls = 0
        self.signs: set[str] = set()
        self.resting = 0
        self.inside = 0
        self.roots = roots
        self.rests = rests
        self.summary: dict[str, Any] = {}

    def line(self, frame: FrameType, event: str, _: Any) -> Any:
        """A tracer for ``sys.settrace``: counts lines of the submission's own files only."""
        if event == "call":
            return self.line if frame.f_code.co_filename.startswith(self.roots) else None
        if event == "line":
            self.lines += 1
            self._look()
        return self.line

    def call(self, frame: FrameType, event: str, arg: Any) -> None:
        """A profiler for ``sys.setprofile``: loops that a library does for the submission show as calls."""
        if event == "c_call":
            self.calls += 1
            if frame.f_code.co_filename.startswith(self.roots):
                self._asked(_name_of(arg))
                self._look()
        elif event == "call":
            self.calls += 1
            code = frame.f_code
            if id(code) in self.rests:
                self.resting += 1
            elif code.co_filename.startswith(_TORCH):
                caller = frame.f_back
                if caller is not None and caller.f_code.co_filename.startswith(self.roots):
                    self._asked(_name_in_python(frame))
        elif event == "return" and id(frame.f_code) in self.rests:
            self.resting -= 1

    def _asked(self, name: str) -> None:
        if name in REACHING:
            self.signs.add(f"{name} was called")
        elif name.startswith(("torch.", "Tensor.")) and not self.resting:
            self.called[name] += 1

    def _look(self) -> None:
        """Not where torch itself enters Python: it does so with a counter taken away, to call just that one."""
        if not self.inside and not covered():
            self.signs.add(OFF)

    def finish(self, functions: Counting, operations: Counting) -> None:
        """Sums up, before the counters are looked at."""
        self.summary = {
            "operations": dict(self.operations.most_common(MAX_NAMES)),
            "functions": dict(self.functions.most_common(MAX_NAMES)),
            "called": dict(self.called.most_common(MAX_NAMES)),
            "dispatched": operations.seen,
            "lines": self.lines,
            "calls": self.calls,
        }
        self.summary["signs"] = final_signs(self, functions, operations)


def _name_of(function: Any) -> str:
    """The name of a function in C: of a tensor's method as ``Tensor.sum``, of others with their module."""
    owner = type(getattr(function, "__self__", None))
    if issubclass(owner, torch.Tensor):
        return f"Tensor.{function.__name__}"
    return f"{getattr(function, '__module__', None)}.{getattr(function, '__qualname__', '?')}"


def _name_in_python(frame: FrameType) -> str:
    """The name of a function in Python, with its module; of Python 3.10 only the last part is to be had."""
    return f"{frame.f_globals.get('__name__')}.{getattr(frame.f_code, 'co_qualname', frame.f_code.co_name)}"


class Counting:
    """What one of the two modes counted: a second account, which has to agree with the trace's.

    A mode is asked thousands of times, under the profiler, and calls as little as it can.

    Attributes:
        names: how often each name was counted.
        seen: how often torch told of something.
        named: how often a name was counted; not while the trace rests.
        known: the names of functions that were met before; finding one takes torch long.
    """

    def __init__(self, trace: Trace, names: Counter[str]) -> None:
        super().__init__()
        self.trace = trace
        self.names = names
        self.seen = 0
        self.named = 0
        self.known: dict[Any, tuple[Any, str]] = {}


class _Operations(Counting, TorchDispatchMode):  # type: ignore[no-untyped-call]
    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # torch would import its compiler to keep it out of here, and see to it again at every operation.
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        trace = self.trace
        self.seen += 1
        if not trace.resting:
            # The hash of an operation is a function in Python.
            _, name = self.known.get(id(func)) or self.find(func)
            self.named += 1
            self.names[name] += 1
        trace.inside += 1
        try:
            return func(*args, **(kwargs or {}))
        finally:
            trace.inside -= 1

    def find(self, func: Any) -> tuple[Any, str]:
        """The operation itself, so that it keeps its identity, and its name."""
        found = self.known[id(func)] = func, str(getattr(func, "overloadpacket", func))
        return found


class _Functions(Counting, TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        trace = self.trace
        _, name = self.known.get(func) or self.find(func)
        # The other mode runs each operation by this name, where torch did not come by a function of Python's.
        if not (trace.inside and name.startswith("aten.")):
            self.seen += 1
            if not trace.resting:
                self.named += 1
                self.names[name] += 1
        trace.inside += 1
        try:
            return func(*args, **(kwargs or {}))
        finally:
            trace.inside -= 1

    def find(self, func: Any) -> tuple[Any, str]:
        """The function and its name."""
        found = self.known[func] = func, resolve_name(func) or getattr(func, "__name__", "?")
        return found


def _write_no_tensors() -> None:
    """From now on: writing a tensor out loops over its entries, which is no loop of the submission."""
    builtins.print = lambda *_, **__: None
    torch.Tensor.__repr__ = lambda self, **_: "tensor(...)"  # type: ignore[method-assign, assignment]


@contextmanager
def traced(wanted: Mapping[str, Any] | None, library: Library) -> Iterator[Trace | None]:
    """Counts what happens inside the block, when ``wanted``.

    ``wanted["outside"]`` are paths of functions and classes that are not looked into.
    Gradients can be asked for as anywhere else: autograd at work is something that the trace has to see.
    """
    if wanted is None:
        yield None
        return
    own = (*(f"{root}/" for root in library.roots), *(path for path, _ in library.sources.values()))
    trace = Trace(own, outside.codes(library, wanted.get("outside", ())))
    _write_no_tensors()
    functions, operations = _Functions(trace, trace.functions), _Operations(trace, trace.operations)
    for mode in (functions, operations):
        mode.__enter__()  # type: ignore[no-untyped-call]
    settrace(trace.line)
    setprofile(trace.call)
    try:
        yield trace
        trace.finish(functions, operations)
    finally:
        setprofile(None)
        settrace(None)
        # A submission may have taken away what is to be removed here. It is flagged for that, and not stopped.
        for mode in (operations, functions):
            with suppress(Exception):
                mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]
