"""Grades many submissions on the workers of a Dask scheduler.

What Dask carries is plain data between trusted machines: bytes of uploads one way, texts of reports the other. Nothing
of a submission is unpickled, imported or run in a worker's own process: a *station*, beside it, forks judges, and these
ask confined players as on a single machine. A worker that is lost costs a repetition, since Dask gives its work to
another; what repeatedly takes workers along counts as our failure, and is not lost either.
"""

from __future__ import annotations

import json
import queue
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from distributed import Client, Future, LocalCluster, WorkerPlugin, as_completed, get_worker

from grader.contract.report import ReportError, from_json, write_atomically
from grader.exits import UsageError
from grader.grading.job import Finished, Job
from grader.grading.parcel import Parcel, packed, unpacked
from grader.grading.station import Terms, terms_as_line

AHEAD = 2
"""Submissions that wait at each thread of the workers while one is graded there."""
GPU = "GPU"
"""What Dask's workers call a GPU: ``dask worker ADDRESS --resources GPU=1``."""


class Station:
    """A station beside this worker. Raises :class:`RuntimeError` where it does not start, or has ended."""

    def __init__(self, terms: Terms, expected: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "grader.grading.station"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        here = self._answer(terms_as_line(terms))["circumstances"]
        if here != expected:
            self.close()
            raise Differs(
                "this worker would grade differently: its grader, Python, torch, assignment or options are not those "
                f"of the machine that asks. There: {expected}. Here: {here}. Install the same version on both."
            )

    def grade(self, name: str, parcel: Parcel) -> dict[str, Any]:
        """Report, log and what makes the checks unusable, as plain data."""
        with tempfile.TemporaryDirectory(prefix="upload-") as folder:
            out = Path(folder, "out")
            inbox = Path(folder, "in")
            inbox.mkdir()
            order = {"name": name, "upload": str(unpacked(parcel, inbox)), "out": str(out)}
            answer = self._answer(json.dumps(order) + "\n")
            report = (out / "report.json").read_text(encoding="utf-8") if answer["report"] else None
        return {"report": report, "log": answer["log"], "unusable": answer["unusable"]}

    def _answer(self, line: str) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(line)
            self.process.stdin.flush()
            text = self.process.stdout.readline()
        except BrokenPipeError:
            text = ""
        if not text:
            self.close()
            raise RuntimeError("the process that grades beside this worker has ended; see the worker's own output")
        answer: dict[str, Any] = json.loads(text)
        return answer

    def close(self) -> None:
        """Ends the station."""
        self.process.kill()
        self.process.wait()


class Differs(RuntimeError):
    """A worker that would not come to the same verdicts."""


class Stations(WorkerPlugin):
    """The stations of one worker: as many as it grades submissions at a time, started when they are needed."""

    def __init__(self, terms: Terms, expected: str) -> None:
        self.name = f"scratchgrade-{secrets.token_hex(8)}"
        self.terms = terms
        self.expected = expected

    def setup(self, worker: object) -> None:
        """Called by Dask when the worker, or this run, begins."""
        self.free: queue.SimpleQueue[Station] = queue.SimpleQueue()

    def teardown(self, worker: object) -> None:
        """Called by Dask when the worker, or this run, ends."""
        while not self.free.empty():
            self.free.get().close()

    def grade(self, name: str, parcel: Parcel) -> dict[str, Any]:
        """Grades an upload at a station that is free."""
        try:
            station = self.free.get_nowait()
        except queue.Empty:
            station = Station(self.terms, self.expected)
        answer = station.grade(name, parcel)
        self.free.put(station)
        return answer


def grade_here(run: str, name: str, parcel: Parcel) -> dict[str, Any]:
    """What Dask calls in a worker; ``run`` is the name of its stations."""
    stations = get_worker().plugins[run]
    assert isinstance(stations, Stations)
    return stations.grade(name, parcel)


class ClusterRun:
    """A run over ``jobs`` on the workers of ``client``, which have the stations of the name ``run``."""

    def __init__(self, jobs: Sequence[Job], client: Client, run: str, *, gpu: bool = False) -> None:
        self.waiting = list(reversed(jobs))
        self.client = client
        self.run = run
        self.resources = {GPU: 1} if gpu else None
        self.jobs: dict[Future[Any], Job] = {}
        self.doing = ""

    def __iter__(self) -> Generator[Finished | None, None, None]:
        """Each submission as it ends; ``None`` now and then, so that the caller can show that time passes."""
        done = as_completed()
        try:
            while self.waiting or self.jobs:
                self._submit(done)
                for future in done.next_batch(block=False):
                    yield self._finished(future)
                yield None
                time.sleep(0.05)
        finally:
            self.client.cancel(list(self.jobs))

    def _submit(self, done: as_completed) -> None:
        """Keeps the workers busy; what waits for none of them stays here, and on the disk."""
        threads = sum(self.client.nthreads().values())
        self.doing = f"on {threads} threads of workers" if threads else "no worker yet"
        while self.waiting and len(self.jobs) < (1 + AHEAD) * threads:
            job = self.waiting.pop()
            job.begin()
            future = self.client.submit(
                grade_here, self.run, job.name, packed(job.upload), pure=False, resources=self.resources, retries=1
            )
            self.jobs[future] = job
            done.add(future)

    def _finished(self, future: Future[Any]) -> Finished:
        job = self.jobs.pop(future)
        error = future.exception()
        if isinstance(error, Differs):
            return Finished(job, None, "", unusable=str(error))
        if error is not None:
            return Finished(job, None, f"{type(error).__name__}: {error}")
        answer = future.result()
        try:
            report = from_json(answer["report"]) if answer["report"] else None
            if report is not None:
                write_atomically(job.report, answer["report"])
        except (ReportError, OSError) as problem:
            return Finished(job, None, str(problem))
        return Finished(job, report, answer["log"], answer["unusable"])


@contextmanager
def connected(scheduler: str, local: int, terms: Terms, expected: str) -> Iterator[tuple[Client, str]]:
    """A client of ``scheduler``, an address, or of ``local`` workers that are started here; the name of their stations.

    TLS is Dask's: ``distributed.comm.tls`` in its configuration, and an address that begins with ``tls://``.

    Raises:
        UsageError: if the scheduler does not answer, or one of its workers lacks the grader.
    """
    stations = Stations(terms, expected)
    with ExitStack() as stack:
        try:
            cluster = stack.enter_context(_local(local)) if local else None
            client = stack.enter_context(Client(cluster or scheduler))
            client.register_plugin(stations)
        except (OSError, ValueError, ImportError) as error:
            where = scheduler or "on this machine"
            raise UsageError(f"the scheduler {where} cannot be used: {error}") from error
        yield client, stations.name
        client.unregister_worker_plugin(stations.name)


def _local(workers: int) -> LocalCluster:
    return LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
