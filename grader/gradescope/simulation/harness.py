"""What the platform's harness does around ``run_autograder``, and what it makes of the file that it then finds."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from grader.gradescope.simulation.container import Container, ContainerError
from grader.gradescope.simulation.limits import Group, Limits

LONGEST = 100_000
"""Longer texts lose their middle."""

_LOOK_SECONDS = 0.05
_FAILED = "The autograder failed to execute correctly. Contact the course staff for help."
_TIMED_OUT = "Your submission timed out. It took longer than {seconds:g} seconds to run."
# What the harness finds in its own environment; the token it takes out before it runs anything.
_ENVIRONMENT = {
    "SUBMISSION_URL": "https://platform.invalid/submission",
    "SUBMIT_RESULTS_URL": "https://platform.invalid/results",
    "BASIC_AUTH": "user:password-of-the-platform",
}


@dataclass(frozen=True)
class Outcome:
    """What a run left behind.

    Attributes:
        results: what the platform goes on with: the file's content, or what it puts in its place.
        replaced: why it put something in its place; empty if it did not.
        problems: in what the file breaks the platform's rules, in sentences.
        stdout: what was printed, for staff.
        seconds: how long it took.
        cpu_seconds: computing time; 0 where that is not known.
        peak_bytes: the most memory in use; 0 where that is not known.
        killed: how many processes were killed because memory ran out.
        unlimited: why there were no limits of memory and computing time; empty if there were.
    """

    results: dict[str, Any]
    replaced: str
    problems: tuple[str, ...]
    stdout: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    killed: int
    unlimited: str = ""


def unpack(bundle: Path, container: Container) -> None:
    """Puts the bundle's files where the platform puts them. Raises :class:`ContainerError` when it is no such zip."""
    place = container.place
    try:
        with zipfile.ZipFile(bundle) as archive:
            archive.extractall(place.source)
            for info in archive.infolist():
                path = place.source / info.filename
                # An unpacked file keeps the time of its member, and its right to be run.
                when = datetime(*info.date_time, tzinfo=timezone.utc).timestamp()
                os.utime(path, (when, when))
                path.chmod(0o755 if (info.external_attr >> 16) & 0o100 else 0o644)
    except (zipfile.BadZipFile, OSError) as error:
        raise ContainerError(f"{bundle} cannot be unpacked ({error}); grader bundle makes one.") from error
    missing = [name for name in ("setup.sh", "run_autograder") if not (place.source / name).is_file()]
    if missing:
        raise ContainerError(f"{bundle} has no {' and no '.join(missing)} at its root; grader bundle makes one.")
    shutil.copy(place.source / "run_autograder", place.root / "run_autograder")


def hand_in(container: Container, submission: Path, metadata: Mapping[str, Any]) -> None:
    """Empties ``submission/`` and ``results/``, and puts a file, or the files of a folder, there."""
    place = container.place
    for folder in (place.submission, place.results.parent):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    if submission.is_dir():
        shutil.copytree(submission, place.submission, dirs_exist_ok=True)
    else:
        shutil.copy(submission, place.submission)
    place.metadata.write_text(json.dumps(metadata), encoding="utf-8")


def run(container: Container, limits: Limits, seconds: float) -> Outcome:
    """Runs ``run_autograder`` under ``limits``, and ends it after ``seconds``."""
    place = container.place
    # The file belongs to the container; what is still written to it goes on there.
    stdout = place.results.parent / "stdout"
    started = time.monotonic()
    with Group(limits) as group, stdout.open("wb") as output:
        command, environment = container.command(
            [f"{container.inner}/run_autograder"],
            {**_ENVIRONMENT, "TIMEOUT_SECONDS": f"{seconds:g}"},
            group.entrances,
        )
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=place.root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        late = _wait(process, started + seconds, group.look)
        killed, computed = group.memory_ran_out, group.cpu_seconds
    taken = time.monotonic() - started
    printed = _shortened(stdout.read_text(encoding="utf-8", errors="replace"))
    results, replaced, problems = _taken(place.results, seconds if late else None)
    return Outcome(results, replaced, problems, printed, taken, computed, group.peak_bytes, killed, group.unavailable)


def _wait(process: subprocess.Popen[bytes], deadline: float, look: Callable[[], None]) -> bool:
    """Waits for the process, and ends it and its group at the deadline; whether that was necessary."""
    try:
        while time.monotonic() < deadline:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=_LOOK_SECONDS)
                return False
            look()
        return True
    finally:
        # Its namespace, if it has one, ends with it.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _taken(file: Path, timed_out_after: float | None) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    """What the platform makes of ``results.json``: the content, why it was replaced, and what breaks its rules."""
    if timed_out_after is not None:
        return {"score": 0, "output": _TIMED_OUT.format(seconds=timed_out_after)}, "the time limit was reached", ()
    failed = {"score": 0, "output": _FAILED}
    try:
        raw = file.read_text(encoding="utf-8")
        content = json.loads(raw)
    except FileNotFoundError:
        return failed, "there is no results.json", ()
    except ValueError as error:
        return failed, f"results.json is no JSON: {error}", ()
    try:
        json.dumps(content, allow_nan=False)
    except ValueError:
        return failed, "results.json holds a number that is not finite", ()
    if not isinstance(content, dict) or not ("score" in content or "tests" in content):
        return failed, "results.json has neither a score nor tests", ()
    problems: list[str] = []
    return _cut(content, "results", problems), "", tuple(problems)


def _cut(value: Any, place: str, problems: list[str]) -> Any:
    """``value`` with texts as the platform keeps them; what it changes, or would refuse, is noted."""
    if value is None:
        problems.append(f"{place} is null, which the platform refuses in many places")
    if isinstance(value, dict):
        return {key: _cut(each, f"{place}.{key}", problems) for key, each in value.items()}
    if isinstance(value, list):
        return [_cut(each, f"{place}[{index}]", problems) for index, each in enumerate(value)]
    if not isinstance(value, str):
        return value
    kept = _shortened(value).replace("\0", "\ufffd")
    if kept != value:
        problems.append(f"{place} is longer than {LONGEST:,} characters or holds NUL, and is changed")
    return kept


def _shortened(text: str) -> str:
    half = LONGEST // 2
    return text if len(text) <= LONGEST else text[:half] + text[-half:]
