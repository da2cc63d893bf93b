"""Counts what a call does: operations that torch dispatches, functions of torch, lines of the submission.

The counters run beside the student's code and can be tampered with; the judge treats them as evidence, next to the
source text and to costs that it measures from outside.
"""

from __future__ import annotations

import builtins
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._python_dispatch import TorchDispatchMode

from grader.player.load import Library

MAX_NAMES = 400


class Trace:
    """The counts of one call.

    Attributes:
        operations: dispatched operations, such as ``aten.mm``, with their counts.
        functions: Python functions of torch that were called, such as ``torch.nn.functional.conv2d``.
        lines: lines of the submission's own files that were executed.
        calls: calls of functions, in Python or C, wherever they are.
    """

    def __init__(self, roots: tuple[str, ...]) -> None:
        self.operations: Counter[str] = Counter()
        self.functions: Counter[str] = Counter()
        self.lines = 0
        self.calls = 0
        self.roots = roots

    def summary(self) -> dict[str, Any]:
        """The counts as plain data, the most frequent names first."""
        return {
            "operations": dict(self.operations.most_common(MAX_NAMES)),
            "functions": dict(self.functions.most_common(MAX_NAMES)),
            "lines": self.lines,
            "calls": self.calls,
        }

    def line(self, frame: FrameType, event: str, _: Any) -> Any:
        """A tracer for ``sys.settrace``: counts lines of the submission's own files only."""
        if event == "call":
            return self.line if frame.f_code.co_filename.startswith(self.roots) else None
        self.lines += event == "line"
        return self.line

    def call(self, frame: FrameType, event: str, _: Any) -> None:
        """A profiler for ``sys.setprofile``: loops that a library does for the submission show as calls."""
        self.calls += event in ("call", "c_call")


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # torch would import its compiler to keep it out of here.
        return False

    def __init__(self, trace: Trace) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.trace = trace

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.trace.operations[str(func.overloadpacket)] += 1
        return func(*args, **(kwargs or {}))


class _Functions(TorchFunctionMode):
    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.trace = trace

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.trace.functions[resolve_name(func) or getattr(func, "__name__", "?")] += 1
        return func(*args, **(kwargs or {}))


def _write_no_tensors() -> None:
    """From now on: writing a tensor out loops over its entries, which is no loop of the submission."""
    builtins.print = lambda *_, **__: None
    torch.Tensor.__repr__ = lambda self, **_: "tensor(...)"  # type: ignore[method-assign, assignment]


@contextmanager
def traced(wanted: bool | None, library: Library) -> Iterator[Trace | None]:
    """Counts what happens inside the block, when ``wanted``."""
    if not wanted:
        yield None
        return
    trace = Trace(tuple(str(root) for root in library.roots))
    _write_no_tensors()
    sys.settrace(trace.line)
    sys.setprofile(trace.call)
    try:
        with torch.no_grad(), _Functions(trace), _Operations(trace):
            yield trace
    finally:
        sys.setprofile(None)
        sys.settrace(None)
