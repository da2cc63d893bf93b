"""A class of made-up submissions for A2, graded by ``grader grade``: wall, computing time, memory, share in players.

    python benchmarks/classroom.py [--count 500] [--jobs 2] [--keep FOLDER]

Half of the class is wrong in a known way (chaffs, one or two at a time, and mutants of the reference); the rest is
right in many shapes, attacks the grader (as ``tests/attacks`` does, within functions of A2), or cannot be opened.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import psutil
from roomful import fill

SAMPLE_SECONDS = 0.5


class Cost(NamedTuple):
    """What a grading took: seconds on the clock, of computing in all and below the zygote, and bytes at the peak."""

    wall: float
    cpu: float
    players: float
    peak: int
    code: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=500, help="submissions")
    parser.add_argument("--jobs", type=int, default=2, help="graded at a time")
    parser.add_argument("--keep", type=Path, help="empty folder for the class and its reports")
    parser.add_argument("--only", default="", help="kinds, separated by commas (default: all)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="classroom-") as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        kinds = fill(folder / "class", options.count, random.Random(0), options.only.split(",") if options.only else ())
        print(", ".join(f"{count} {kind}" for kind, count in Counter(kinds.values()).items()), flush=True)
        first = grade(folder, options.jobs)
        again = grade(folder, options.jobs)
    rows = (
        ("wall", f"{first.wall:.0f} s"),
        ("throughput", f"{options.count / first.wall:.2f} submissions per second"),
        ("computing time", f"{first.cpu:.0f} s, {first.cpu / options.count:.2f} s each"),
        ("of it in loaders and players", f"{first.players / first.cpu:.0%}"),
        ("overhead over loaders and players", f"{first.cpu / first.players - 1:.0%}"),
        ("memory of all processes at the peak (PSS)", f"{first.peak / 2**20:.0f} MiB"),
        ("second run, nothing changed", f"{again.wall:.1f} s"),
        ("exit codes", f"{first.code}, {again.code}"),
    )
    for label, value in rows:
        print(f"{label:<45} {value}")


def grade(folder: Path, jobs: int) -> Cost:
    """Grades the class in ``folder``, watched from outside."""
    before, started = _computing(), time.monotonic()
    command = [sys.executable, "-m", "grader.cli", "grade", str(folder / "class"), "-a", "a2", "--seed", "s"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([*command, "-j", str(jobs), "-o", str(folder / "out")], stdout=log, stderr=log)
    peak, players = 0, 0.0
    while process.poll() is None:
        memory, below = _sample(process.pid)
        peak, players = max(peak, memory), max(players, below)
        time.sleep(SAMPLE_SECONDS)
    return Cost(time.monotonic() - started, _computing() - before, players, peak, process.returncode)


def _computing() -> float:
    """Seconds of computing of all processes below this one that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _sample(pid: int) -> tuple[int, float]:
    """Bytes of the process and all below it, and the seconds of computing of what has ended below the zygote."""
    memory, players = 0, 0.0
    try:
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0, 0.0
    for process in processes:
        try:
            memory += _proportional(process.pid)
            if "grader.player.zygote" in process.cmdline() and process.ppid() == pid:
                times = process.cpu_times()
                players = times.children_user + times.children_system
        except (psutil.Error, OSError):
            continue
    return memory, players


def _proportional(pid: int) -> int:
    """Memory in bytes, where what is shared counts in parts (PSS)."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
