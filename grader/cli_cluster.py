"""The options of ``grader grade`` that let other machines grade, through Dask."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from grader.exits import UsageError

if TYPE_CHECKING:
    from grader.grading.cluster import ClusterRun
    from grader.grading.job import Job
    from grader.judge.prepare import Options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options; they exclude each other."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--scheduler", default="", metavar="ADDRESS", help="grade on the workers of a Dask scheduler (docs/cluster.md)"
    )
    group.add_argument(
        "--local-cluster", type=int, default=0, metavar="N", help="grade on N Dask workers that are started here"
    )


def wanted(options: argparse.Namespace) -> bool:
    """Whether other machines, or Dask's workers on this one, are to grade.

    Raises:
        UsageError: if they are, and Dask is not installed.
    """
    asked = bool(options.scheduler or options.local_cluster)
    if asked and importlib.util.find_spec("distributed") is None:
        raise UsageError("grading on a cluster needs Dask: pip install 'scratchgrade[cluster]'")
    return asked


@contextmanager
def on_workers(
    options: argparse.Namespace, choices: Options, around: str
) -> Iterator[Callable[[Sequence[Job]], ClusterRun]]:
    """Runs on the workers that ``options`` name; ``around`` is what decides verdicts here, and has to there."""
    from grader.grading.cluster import ClusterRun, connected
    from grader.grading.station import Terms

    terms = Terms(str(options.course.resolve()) if options.course else "", options.assignment, asdict(choices))
    with connected(options.scheduler, options.local_cluster, terms, around) as (client, stations):
        yield lambda jobs: ClusterRun(jobs, client, stations, gpu=choices.device == "cuda")
