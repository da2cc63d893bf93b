"""What the wall costs: one check through it, and a whole assignment graded cold.

    python benchmarks/wall.py [--checks N] [--assignment NAME]

Prints latency (median and 95th percentile) and computing time of one check with 1 KB and with 1 MB of tensors, then
wall time, computing time, time per check and the largest proportional memory of all processes for grading the reference
of an assignment from a cold start. Timings on shared machines are noisy; the last column is what the goals ask for.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

COURSE = Path(__file__).resolve().parent.parent
ECHO = "def echo(x):\n    return x\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checks", type=int, default=200, help="checks per size (default: 200)")
    parser.add_argument("--assignment", default="a2", help="assignment to grade cold (default: a2)")
    options = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    print(f"{'measurement':<44} {'found':>12}   goal")
    for entries, label in ((128, "1 KB"), (131072, "1 MB")):
        one_check(entries, label, options.checks)
    graded_cold(options.assignment)


def row(what: str, found: str, goal: str = "") -> None:
    print(f"{what:<44} {found:>12}   {goal}")


def one_check(entries: int, label: str, count: int) -> None:
    """Takes a player, sends a tensor, gets it back, ends the player; the next one is forked meanwhile."""
    import torch

    from grader.judge.channel import Budget
    from grader.judge.loaders import Loader, Stage
    from grader.judge.zygote import Zygote

    torch.set_num_threads(1)
    x = torch.randn(entries, dtype=torch.float64)
    with tempfile.TemporaryDirectory() as folder, Zygote() as zygote:
        scratch = Path(folder, "scratch")
        scratch.mkdir()
        Path(folder).chmod(0o711)
        policy = {"writable": [str(scratch)]}
        sources = {"echo": (str(Path(folder, "echo.py")), ECHO)}
        loader = Loader(Stage(zygote.wait(), sources, (), {}, policy, "cpu", scratch, None, 20.0))
        latencies = []
        before = None
        for number in range(count + 20):
            if number == 20:
                before = computing(zygote.process.pid)
            start = time.perf_counter()
            player = loader.player()
            player.begin(number, Budget(10.0, 60.0))
            loader.prepare_next()
            player.request({"op": "call", "path": "echo.echo"}, [[x], {}])
            latencies.append(1000 * (time.perf_counter() - start))
            player.close()
        spent = 1000 * (computing(zygote.process.pid) - before) / count
        loader.close()
    latencies = latencies[20:]
    row(f"one check, {label}: latency, median", f"{statistics.median(latencies):.1f} ms", "<= 10 ms")
    row(f"one check, {label}: latency, 95 %", f"{statistics.quantiles(latencies, n=20)[-1]:.1f} ms")
    row(f"one check, {label}: computing time", f"{spent:.1f} ms", "<= 30 ms")


def computing(zygote: int) -> float:
    """CPU seconds of this process, of the zygote and of everything below it, the dead included."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    total = own.ru_utime + own.ru_stime
    root = psutil.Process(zygote)
    for process in [root, *root.children(recursive=True)]:
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.Error:
            continue
    return total


def graded_cold(assignment: str) -> None:
    """Grades the reference in a new process and watches the memory of all of its processes."""
    with tempfile.TemporaryDirectory() as out:
        reference = str(COURSE / "reference" / assignment)
        command = [sys.executable, "-m", "grader.cli", "grade", reference]
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        process = subprocess.Popen(
            [*command, "-a", assignment, "-o", out, "--seed", "bench"], stdout=subprocess.DEVNULL
        )
        peak = 0
        while process.poll() is None:
            peak = max(peak, proportional(process.pid))
            time.sleep(0.1)
        wall = time.perf_counter() - start
        report = next(Path(out).glob("*/report.json"))
        from grader.contract.report import from_json

        checks = from_json(report.read_text()).times.per_check
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    row(f"{assignment} graded cold: wall", f"{wall:.1f} s", "<= 8 s")
    spent = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    row(f"{assignment} graded cold: computing time", f"{spent:.1f} s")
    row(f"{assignment}: per check, median of {len(checks)}", f"{1000 * statistics.median(checks.values()):.0f} ms")
    row(f"{assignment}: memory of all processes (PSS)", f"{peak / 2**20:.0f} MB", "<= 600 MB")


def proportional(pid: int) -> int:
    """Proportional set size of a process and its descendants, in bytes."""
    total = 0
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return 0
    for process in family:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total


if __name__ == "__main__":
    main()
