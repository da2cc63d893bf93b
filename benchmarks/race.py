"""What the benchmarks against torch share: racing functions that do the same work, and the table of a run."""

import argparse
import time
from statistics import median

import torch


def milliseconds(run, repeats, clock):
    """Of one run, when it is repeated: what takes a millisecond is repeated until the clock can tell."""
    start = clock()
    for _ in range(repeats):
        run()
    return 1e3 * (clock() - start) / repeats


def race(racers, rounds, clock):
    """Milliseconds of each racer in each round, one after the other: rounds lists of len(racers) numbers."""
    slowest = max([milliseconds(run, 2, clock) for run in racers])
    repeats = max(1, round(20 / slowest))
    return [[milliseconds(run, repeats, clock) for run in racers] for _ in range(rounds)]


def medians(times):
    """The median of each racer over the rounds."""
    return [median(column) for column in zip(*times, strict=True)]


def show(doc, heading, contests, row):
    """Reads the command line, and prints `row(contest, rounds, clock)` of all contests() for each number of threads."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--cpu", action="store_true", help="count CPU time: one thread on a busy machine")
    options = parser.parse_args()
    clock = time.process_time if options.cpu else time.perf_counter
    torch.manual_seed(0)
    for threads in options.threads:
        torch.set_num_threads(threads)
        print(f"\ntorch {torch.__version__}, {threads} thread(s), medians of {options.rounds} rounds")
        print(heading)
        for contest in contests():
            print(row(contest, options.rounds, clock), flush=True)
