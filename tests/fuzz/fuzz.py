"""Fuzzes what reads a submission's bytes, and prints what crashed; the goal is nothing.

    python tests/fuzz/fuzz.py [--frames N] [--archives N] [--notebooks N] [--assignments N] [--seed N] [--keep FOLDER]

Bytes that crashed a target are kept in the folder, by default ``tests/fuzz/corpus``, which the tests read again. Exit
code 1 if there were any. Accepted bytes join those that are changed further, so that the search goes deeper.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mutations import mutated
from targets import TARGETS, seeds

COUNTS = {"frames": 100_000, "archives": 10_000, "notebooks": 5_000, "assignments": 5_000}
MOST_SEEDS = 400
SLOW_SECONDS = 5.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, count in COUNTS.items():
        parser.add_argument(f"--{name}", type=int, default=count, help=f"how many (default: {count})")
    parser.add_argument("--seed", type=int, default=1, help="seed of all changes (default: 1)")
    parser.add_argument("--keep", type=Path, default=Path(__file__).resolve().parent / "corpus")
    options = parser.parse_args()
    print(f"{'target':<12} {'inputs':>8} {'accepted':>8} {'crashes':>8} {'slowest':>9} {'computing':>10}")
    return 1 if sum(fuzz(name, vars(options)[name], options.seed, options.keep) for name in TARGETS) else 0


def fuzz(name: str, count: int, seed: int, keep: Path) -> int:
    """Gives a target ``count`` damaged inputs; returns how many crashed it, or took longer than a judge may."""
    draw, known = random.Random(f"{seed} {name}"), seeds(name)
    first, accepted, crashes, slowest = list(known), 0, 0, 0.0
    start = time.process_time()
    for _ in range(count):
        data = mutated(draw.choice(known), draw, first)
        before = time.perf_counter()
        try:
            taken = TARGETS[name](data)
        except Exception:  # whatever it is, it is what is looked for
            crashes += 1
            tell(name, data, keep)
            continue
        seconds = time.perf_counter() - before
        slowest = max(slowest, seconds)
        if seconds > SLOW_SECONDS:
            crashes += 1
            tell(name, data, keep, f"it took {seconds:.1f} seconds")
        accepted += taken
        if taken and len(data) < 20_000:
            known.append(data)
            if len(known) > MOST_SEEDS:
                known.pop(draw.randrange(len(first), len(known)))
    spent = time.process_time() - start
    print(f"{name:<12} {count:>8} {accepted:>8} {crashes:>8} {1000 * slowest:>6.0f} ms {spent:>8.0f} s", flush=True)
    return crashes


def tell(name: str, data: bytes, keep: Path, reason: str = "") -> None:
    file = keep / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    print(f"{file}:\n{reason or traceback.format_exc(limit=-3)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
