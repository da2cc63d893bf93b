"""Whether the counters of a trace are still in place: signs that a submission touched them, for staff to look at.

The counters share a process with the code that they watch, so none of this proves anything; whoever takes the trouble
can deceive it. What costs points is a forbidden function that was seen, and never a sign alone.
"""

from __future__ import annotations

from sys import _current_frames, getprofile, gettrace
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from grader.player.trace import Counting, Trace

# Taken before any submission runs, which may bind these names to something else.
_functions_on: Any = torch._C._is_torch_function_enabled
_functions: Any = torch._C._len_torch_function_stack
_operations: Any = torch._C._len_torch_dispatch_stack
_excluded: Any = torch._C._dispatch_tls_is_dispatch_key_excluded
_PYTHON = torch._C.DispatchKey.Python
_ones = torch.ones
_recorded: Any = torch._C._autograd._get_sequence_nr

OFF = "the counters were switched off while the submission's own lines ran"
REPLACED = "the functions that watch the interpreter were replaced"
SILENT = "an operation at the end of the call was not counted"
REWRITTEN = "the counts were rewritten"
THREADS = "a thread was left running, and threads are not watched"

# Functions that reach the counters; the submission calls them itself.
REACHING = frozenset(
    {"sys.settrace", "sys.setprofile", "gc.get_objects", "gc.get_referrers", "_thread.start_new_thread"}
)


def covered() -> bool:
    """Whether torch would tell the counters now; they themselves are off while they work."""
    return bool(_functions() and _operations() and _functions_on() and not _excluded(_PYTHON))


def recorded() -> int:
    """How many operations autograd has recorded in this thread so far; it counts them itself, traced or not."""
    return int(_recorded())


def final_signs(trace: Trace, functions: Counting, operations: Counting) -> list[str]:
    """The signs that a call left, looked for while the counters still count."""
    signs = set(trace.signs)
    if getprofile() != trace.call or gettrace() != trace.line:
        signs.add(REPLACED)
    before = functions.seen, operations.seen
    _ones(1)
    if (functions.seen, operations.seen) != (before[0] + 1, before[1] + 1):
        signs.add(SILENT)
    accounts = ((functions, trace.functions), (operations, trace.operations))
    if any(sum(names.values()) != counting.named for counting, names in accounts):
        signs.add(REWRITTEN)
    if len(_current_frames()) > 1:
        signs.add(THREADS)
    return sorted(signs)
