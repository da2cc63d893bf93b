"""What confinement costs: from the fork of a player to its first answer, with all layers and with none, in one run.

    python benchmarks/confinement.py [--checks N]

Two loaders of one zygote serve the same submission: one with every layer that this machine has, one with none. Checks
alternate between them, so that whatever else the machine does falls on both alike. Prints medians, and the median of
the differences between neighbours.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

LAYERS = (
    "session", "scheduling", "namespaces", "scratch", "privileges", "landlock", "limits", "uid", "capabilities",
    "inspection", "parent", "seccomp",
)  # fmt: skip
SOURCE = "def answer():\n    return 1\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checks", type=int, default=300, help="checks of each kind (default: 300)")
    options = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    import torch

    from grader.judge.zygote import Zygote

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, Zygote() as zygote:
        Path(folder).chmod(0o711)
        address = zygote.wait()
        kinds = {"all layers": (), "no layer": LAYERS}
        loaders, starts = {}, {}
        for kind, without in kinds.items():
            starts[kind], loaders[kind] = timed(partial(loader, address, Path(folder), without))
        times: dict[str, list[float]] = {kind: [] for kind in kinds}
        computing: dict[str, list[float]] = {kind: [] for kind in kinds}
        for number in range(options.checks + 20):
            # Each goes first in turn: the end of one player falls into the fork of the next.
            for kind in list(kinds)[:: 1 if number % 2 else -1]:
                before = loaders[kind].watched.cpu_seconds()
                spent, player = timed(partial(first_answer, loaders[kind], number))
                used = player.watched.cpu_seconds() + loaders[kind].watched.cpu_seconds() - before
                player.close()
                if number >= 20:
                    times[kind].append(spent)
                    computing[kind].append(1000 * used)
        for each in loaders.values():
            print(f"{len(each.layers['on'])} layers on in a loader: {', '.join(sorted(each.layers['on']))}")
            each.close()
    print(f"{'':<14} {'loader ready':>14} {'fork to first answer: median':>30} {'95 %':>10} {'computing':>12}")
    for kind, found in times.items():
        middle, high = statistics.median(found), statistics.quantiles(found, n=20)[-1]
        used = statistics.median(computing[kind])
        print(f"{kind:<14} {starts[kind]:>11.1f} ms {middle:>27.2f} ms {high:>7.2f} ms {used:>9.2f} ms")
    for what, found in (("on the clock", times), ("of computing", computing)):
        more = [with_all - with_none for with_all, with_none in zip(*found.values(), strict=True)]
        print(f"confinement costs {statistics.median(more):.2f} ms {what} a check (goal: at most 3 ms)")


def timed(act: Callable[[], object]) -> tuple[float, object]:
    """Milliseconds, and what ``act`` returned."""
    start = time.perf_counter()
    result = act()
    return 1000 * (time.perf_counter() - start), result


def loader(address: Path, folder: Path, without: tuple[str, ...]) -> object:
    """A loader that has loaded one function."""
    from grader.judge.loaders import Loader, Stage

    scratch = Path(tempfile.mkdtemp(dir=folder))
    policy = {"writable": [str(scratch)], "scratch": str(scratch), "without": list(without)}
    sources = {"work": (str(folder / "work.py"), SOURCE)}
    return Loader(Stage(address, sources, (), {}, policy, "cpu", scratch, None, 20.0))


def first_answer(loader: object, seed: int) -> object:
    """Forks a player, begins a check and waits for the first answer; returns the player."""
    from grader.judge.channel import Budget

    player = loader.player()
    player.begin(seed, Budget(10.0, 60.0))
    player.request({"op": "call", "path": "work.answer"}, [[], {}])
    return player


if __name__ == "__main__":
    main()
