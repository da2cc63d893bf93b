"""The report on one submission: the one source from which every face is rendered.

A report is written as JSON with a published schema (``docs/report.schema.json``). Grading the same submission again
with the same seed gives the same bytes, but for ``times``, which comes last.
"""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from grader.contract.verdict import Status, Verdict

SCHEMA_VERSION = 1

_LONE_SURROGATES = re.compile("[\ud800-\udfff]")
# Room for sums of decimal fractions: 0.1 + 0.2 points are no more than 0.3.
_ROUNDING = 1e-9


class ReportError(ValueError):
    """A report breaks its own rules. The message names the place, what was expected and what came."""


@dataclass(frozen=True)
class SubmissionInfo:
    """What was handed in, and what became of it.

    Attributes:
        name: the name under which it is graded.
        digest: hexadecimal SHA-256 of its content.
        found: files that are graded.
        ignored: files that are not, each with the reason.
        renamed: files that were taken under another name, as ``"given -> expected"``.
        missing: files that were expected and are not there.
        problems: sentences about what is wrong with the submission as a whole.
    """

    name: str
    digest: str
    found: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class AssignmentInfo:
    """The assignment: its short name, its title, and the hexadecimal SHA-256 of everything that grades it."""

    name: str
    title: str
    digest: str


@dataclass(frozen=True)
class EnvironmentInfo:
    """Where and on what the submission was graded.

    Attributes:
        python: version of the interpreter.
        torch: version of torch.
        device: torch's word for the device.
        data: the data set that was used, in words; empty if none.
        seed: the seed of the run, from which all random inputs are drawn; for staff only.
        confinement: measures around the player and how strong each of them is here.
    """

    python: str
    torch: str
    device: str
    data: str
    seed: str
    confinement: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Times:
    """When the grading started (ISO 8601, UTC), how many seconds it took, and the seconds of each check by its name."""

    started: str
    seconds: float
    per_check: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """Everything that is known about one graded submission. ``verdicts`` holds every check of the ledger, in its order.

    Attributes:
        schema_version: version of this format; the reader knows ``SCHEMA_VERSION`` only.
        grader_version: version of the grader that wrote it.
    """

    # Read by pydantic, for this class and those that it holds.
    __pydantic_config__ = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    schema_version: int
    grader_version: str
    submission: SubmissionInfo
    assignment: AssignmentInfo
    environment: EnvironmentInfo
    verdicts: tuple[Verdict, ...]
    times: Times

    @property
    def score(self) -> float:
        """Points earned, hidden checks included."""
        return round(math.fsum(verdict.points for verdict in self.verdicts), 6)

    @property
    def max_score(self) -> float:
        """Points that can be earned, hidden checks included."""
        return round(math.fsum(verdict.max_points for verdict in self.verdicts), 6)

    @property
    def complete(self) -> bool:
        """Whether every check was made and none of them failed through the grader's own fault."""
        return not any(verdict.status in (Status.GRADER_ERROR, Status.NOT_RUN) for verdict in self.verdicts)

    @property
    def counts(self) -> dict[Status, int]:
        """How many checks ended with each status, in the order of :class:`Status`; those that never occur have 0."""
        ended = [verdict.status for verdict in self.verdicts]
        return {status: ended.count(status) for status in Status}


def to_json(report: Report) -> str:
    """``report`` as JSON: fields in the order of their declaration, mappings by key, UTF-8, a line feed at the end.

    Raises:
        ReportError: if the report breaks a rule that :func:`from_json` holds reports to.
    """
    _check(report)
    text = _spliced(_in_normal_form(report))
    # A lone surrogate, such as Python makes from a file name that is no UTF-8, cannot be written as UTF-8.
    return _LONE_SURROGATES.sub("\ufffd", text)


def from_json(text: str) -> Report:
    """The report that ``text`` holds.

    Raises:
        ReportError: if ``text`` is no report of this version, has unknown fields, or breaks a rule.
    """
    try:
        report = _adapter().validate_json(text)
    except ValidationError as error:
        raise ReportError(_first_problem(error)) from error
    _check(report)
    return report


def comparable(report: Report) -> str:
    """The JSON of ``report`` without its times: equal for two gradings exactly if nothing else differs."""
    return to_json(replace(report, times=Times(started="1970-01-01T00:00:00+00:00", seconds=0.0)))


def json_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of what :func:`to_json` writes."""
    schema = _adapter().json_schema()
    schema["properties"]["schema_version"]["const"] = SCHEMA_VERSION
    for name in ("points", "max_points"):
        schema["$defs"]["Verdict"]["properties"][name]["minimum"] = 0
    schema["$defs"]["Times"]["properties"]["seconds"]["minimum"] = 0
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def json_schema_text() -> str:
    """:func:`json_schema` as the file in ``docs/`` holds it."""
    return _dumped(json_schema())


def write_atomically(path: Path, text: str, *, durable: bool = True) -> None:
    """Put ``text`` into the file ``path`` so that at every moment it holds either the old or the new text, whole.

    The folder must exist. Permissions follow the umask. With ``durable``, the text also survives a failure of power
    right afterwards, which takes the disk some milliseconds; what is soon replaced, or made again, need not.

    Raises:
        OSError: if it cannot be written; ``path`` is then as it was before, and nothing else is left behind.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        with beside.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    if durable:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _spliced(report: Report) -> str:
    """The text of a report around those of its verdicts, which stay as they are while others are added."""
    bare = replace(report, verdicts=(), times=replace(report.times, per_check={}))
    head, verdicts, rest = _dumped(asdict(bare)).partition('\n "verdicts": [')
    middle, times, tail = rest.partition('\n  "per_check": {')
    texts = [_text_of(verdict) for verdict in report.verdicts]
    seconds = [f"   {_quoted(name)}: {spent!r}" for name, spent in report.times.per_check.items()]
    return "".join((head, verdicts, _lines(texts, 1), middle, times, _lines(seconds, 2), tail))


def _lines(texts: list[str], depth: int) -> str:
    """What stands between the brackets of a list or mapping at this depth."""
    return "\n" + ",\n".join(texts) + "\n" + " " * depth if texts else ""


@lru_cache(maxsize=4096)
def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


@lru_cache(maxsize=4096)
def _text_of(verdict: Verdict) -> str:
    # A report is written anew after every check; strings of JSON hold no line feed that this could move.
    return textwrap.indent(_dumped(asdict(_with_floats(verdict))).rstrip("\n"), "  ")


def _in_normal_form(report: Report) -> Report:
    """The equal report with sorted mappings and with its seconds as floats: ``1`` is written ``1.0``."""
    per_check = {name: float(seconds) for name, seconds in sorted(report.times.per_check.items())}
    return replace(
        report,
        environment=replace(report.environment, confinement=dict(sorted(report.environment.confinement.items()))),
        times=replace(report.times, seconds=float(report.times.seconds), per_check=per_check),
    )


def _with_floats(verdict: Verdict) -> Verdict:
    entry = verdict.leaderboard and (verdict.leaderboard[0], float(verdict.leaderboard[1]), verdict.leaderboard[2])
    return replace(verdict, points=float(verdict.points), max_points=float(verdict.max_points), leaderboard=entry)


def _dumped(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


@cache
def _adapter() -> TypeAdapter[Report]:
    return TypeAdapter(Report)


def _first_problem(error: ValidationError) -> str:
    first, *others = error.errors(include_url=False, include_input=False)
    place = ".".join(str(part) for part in first["loc"]) or "the text"
    more = f" {len(others)} more such problems follow." if others else ""
    return (
        f"This is no report of the grader, version {SCHEMA_VERSION}: at {place}, {first['msg'][0].lower()}"
        f"{first['msg'][1:]}. Grade the submission again to get a new one.{more}"
    )


def _check(report: Report) -> None:
    """Hold ``report`` to the rules that types cannot express."""
    problem = next(_problems(report), None)
    if problem:
        raise ReportError(problem)


def _problems(report: Report) -> Iterator[str]:
    if report.schema_version != SCHEMA_VERSION:
        yield (
            f"The report has schema_version {report.schema_version}; this grader reads and writes version "
            f"{SCHEMA_VERSION}. Grade the submission again to get a new one."
        )
    seen: set[str] = set()
    for verdict in report.verdicts:
        if verdict.check in seen:
            yield f"The check {verdict.check} has two verdicts; each check of the ledger has exactly one."
        seen.add(verdict.check)
        yield from _problems_of_verdict(verdict)
    yield from _problems_of_times(report.times)


def _problems_of_verdict(verdict: Verdict) -> Iterator[str]:
    points, most = verdict.points, verdict.max_points
    if not (math.isfinite(points) and math.isfinite(most) and 0 <= points <= most + _ROUNDING):
        yield (
            f"The check {verdict.check} gives {points} of {most} points; "
            "both must be finite, and the points between 0 and the maximum."
        )
    if verdict.leaderboard is not None and not math.isfinite(verdict.leaderboard[1]):
        yield (
            f"The check {verdict.check} puts {verdict.leaderboard[1]} on the leaderboard; "
            "a finite number was expected: leave the entry out."
        )
    yield from (picture.problem for picture in verdict.pictures if picture.problem)


def _problems_of_times(times: Times) -> Iterator[str]:
    for name, seconds in [("the whole run", times.seconds), *times.per_check.items()]:
        if not (math.isfinite(seconds) and seconds >= 0):
            yield f"The time of {name} is {seconds} seconds; a finite number from 0 was expected."
    try:
        utc = datetime.fromisoformat(times.started.replace("Z", "+00:00")).utcoffset() == timedelta(0)
    except ValueError:
        utc = False
    if not utc:
        yield (
            f"The start of the run is given as {times.started!r}; "
            "a time in UTC was expected, such as 2026-01-31T12:00:00+00:00."
        )
