"""Runs the process that grades, and ends it in time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from grader.gradescope.grading import GRADED, UNUSABLE, GradingOrder

GRACE_SECONDS = 10.0
"""How long a process that was interrupted has to end its judge and its players."""

_LOG_CHARACTERS = 20_000
# Players go first when memory runs out, then what grades them; who writes the results goes last.
_EXPENDABLE = "500"


@dataclass(frozen=True)
class Ended:
    """How the grading ended.

    Attributes:
        words: in words, for staff.
        log: the end of what it printed.
        late: it was ended because the time was over.
    """

    words: str
    log: str
    late: bool


def run(order: GradingOrder, folder: Path, cache: Path, deadline: float) -> Ended:
    """Grades by ``order`` until ``deadline``, a moment of the monotonic clock.

    Args:
        order: what is graded.
        folder: a private folder, for the order and for what the process prints.
        cache: folder of the decoded data sets.
        deadline: when it is ended.
    """
    file, log = folder / "order.json", folder / "log"
    file.write_text(order.to_json(), encoding="utf-8")
    started = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", "grader.gradescope.grading", str(file)],
            # Nothing of ours is handed on: the platform's environment holds its keys.
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/root", "SCRATCHGRADE_CACHE": str(cache)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            start_new_session=True,
        )
    with suppress(OSError):
        Path(f"/proc/{process.pid}/oom_score_adj").write_text(_EXPENDABLE)
    late = False
    try:
        process.wait(timeout=max(deadline - started, 0.0))
    except subprocess.TimeoutExpired:
        late = True
        _end(process)
    seconds = time.monotonic() - started
    text = log.read_text(encoding="utf-8", errors="replace")[-_LOG_CHARACTERS:]
    return Ended(f"the grading {_words(process.returncode, late)} after {seconds:.1f} s", text, late)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=GRACE_SECONDS)
    # The judge is in its group as well; the zygote and its players end with those that use them.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _words(code: int, late: bool) -> str:
    if late:
        return "was ended, since the time was over,"
    if code == GRADED:
        return "was finished"
    if code == UNUSABLE:
        return "found the course or its data unusable"
    if code == -signal.SIGKILL:
        return "was killed, as it happens when memory runs out,"
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
