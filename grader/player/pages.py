"""Makes forks of a large process cheap: its memory is gathered into huge pages before the first fork.

A fork copies the parent's page tables. An interpreter with torch holds some 220 MB of private memory: 56,000 entries in
pages of 4 KB, about a hundred in pages of 2 MB. With huge pages a fork takes a tenth of the time, and the end of the
child less than half.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

HUGE = 2 << 20
MADV_HUGEPAGE = 14
MADV_COLLAPSE = 25  # Linux 6.1; older kernels refuse it, and nothing is lost


def gather() -> int:
    """Moves private memory of this process into huge pages; returns how many bytes, 0 where it cannot be done."""
    with suppress(OSError, AttributeError):
        advise = ctypes.CDLL(None).madvise
        return sum(_collapse(advise, low, high) for low, high in list(_private_regions()))
    return 0


def _private_regions() -> Iterator[tuple[int, int]]:
    """Writable private regions without a file behind them, cut to whole huge pages."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, rights, _, _, _, *name = line.split(maxsplit=5)
        if rights.startswith("rw-p") and (not name or name[0] == "[heap]"):
            start, end = (int(part, 16) for part in span.split("-"))
            low, high = -(-start // HUGE) * HUGE, end // HUGE * HUGE
            if high > low:
                yield low, high


def _collapse(advise: ctypes._NamedFuncPointer, low: int, high: int) -> int:
    address, length = ctypes.c_void_p(low), ctypes.c_size_t(high - low)
    advise(address, length, MADV_HUGEPAGE)
    return 0 if advise(address, length, MADV_COLLAPSE) else high - low
