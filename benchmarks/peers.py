"""The same class, the same checks: ``grader grade`` beside plain pytest, whose own process imports each submission.

    python benchmarks/peers.py [--count 40] [--timeout 240] [--only right,odd,attack,broken]

Plain pytest, with gradescope-utils' decorators, one process for each submission, is what most autograders of courses
are. Both make the 45 checks of A2 that need no player; ours makes 29 more in the same time. Attacks are those that can
do no damage where nothing confines them. Plain pytest's side unpacks archives as ``shutil.unpack_archive`` does. Where
nbgrader is installed (``pip install nbgrader``), its batch mode grades the class as well, see ``notebooks.py``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from notebooks import graded
from roomful import fill

HERE = Path(__file__).resolve().parent
CHECKS = HERE.parent / "assignments" / "a2"
PYTEST = ["-p", "in_process", "-p", "no:cacheprovider", "--import-mode=importlib"]
PYTEST += ["-c", os.devnull, "--rootdir", str(CHECKS)]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

Passed = dict[str, set[str] | None]
"""Submission -> the names of the checks that it passed; ``None`` where no result came."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=40, help="submissions")
    parser.add_argument("--timeout", type=float, default=240.0, help="seconds that plain pytest has for a submission")
    parser.add_argument("--only", default="", help="kinds of submissions, separated by commas (default: all)")
    options = parser.parse_args()
    os.environ.update(ONE_THREAD)
    with tempfile.TemporaryDirectory(prefix="peers-") as temporary:
        folder = Path(temporary)
        only = options.only.split(",") if options.only else ()
        kinds = fill(folder / "class", options.count, random.Random(1), only, harmless=True)
        print(", ".join(f"{count} {kind}" for kind, count in Counter(kinds.values()).items()), flush=True)
        racers = {
            "plain pytest": lambda: plain(folder, options.timeout),
            "grader grade -j 1": lambda: ours(folder),
        }
        if importlib.util.find_spec("nbgrader"):
            racers["nbgrader autograde"] = lambda: graded(folder, [*PYTEST, str(CHECKS)], _unpacked, options.timeout)
        print(f"{'':<20}{'wall':>10}{'CPU':>10}   no result   right, but lost points   attacks with full marks")
        for name, race in racers.items():
            before, started = _computing(), time.monotonic()
            passed = race()
            each = (time.monotonic() - started) / options.count, (_computing() - before) / options.count
            print(f"{name:<20}{each[0]:>8.2f} s{each[1]:>8.2f} s   {_lost(passed, kinds)}", flush=True)


def _lost(passed: Passed, kinds: dict[str, str]) -> str:
    every = set().union(*(checks for checks in passed.values() if checks))
    whole = {name for name, checks in passed.items() if checks and checks >= every}
    without = Counter(kinds[name] for name, checks in passed.items() if checks is None)
    right = [name for name, kind in kinds.items() if kind in ("right", "odd") and name not in whole]
    attacks = [name for name, kind in kinds.items() if kind == "attack" and name in whole]
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(without.items())) or "none"
    return f"{told:<25} {len(right):<24} {len(attacks)}"


def plain(folder: Path, timeout: float) -> Passed:
    """One process of pytest for each submission."""
    passed: Passed = {}
    for upload in sorted((folder / "class").iterdir()):
        with tempfile.TemporaryDirectory(dir=folder) as inbox:
            passed[upload.stem] = _alone(_unpacked(upload, Path(inbox, "upload")), Path(inbox, "junit.xml"), timeout)
    return passed


def _unpacked(upload: Path, folder: Path) -> Path:
    if upload.is_dir():
        return upload
    folder.mkdir(parents=True)
    try:
        shutil.unpack_archive(upload, folder)
    except (shutil.ReadError, OSError, EOFError):
        return folder
    return next((file.parent for file in folder.rglob("linear_classifier.py")), folder)


def _alone(submission: Path, results: Path, timeout: float) -> set[str] | None:
    command = [sys.executable, "-m", "pytest", "-q", *PYTEST, f"--junitxml={results}"]
    environment = {**os.environ, "PYTHONPATH": str(HERE), "SUBMISSION": str(submission)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        subprocess.run([*command, str(CHECKS)], env=environment, timeout=timeout, check=False, **quiet)
    except subprocess.TimeoutExpired:
        return None
    if not results.exists():
        return None
    cases = ElementTree.parse(results).iter("testcase")
    return {case.get("name", "") for case in cases if not len(case)}


def ours(folder: Path) -> Passed:
    """The command, once for the class."""
    out = folder / "out"
    command = [sys.executable, "-m", "grader.cli", "grade", str(folder / "class"), "-a", "a2", "--seed", "s"]
    subprocess.run([*command, "-j", "1", "-o", str(out)], stdout=subprocess.DEVNULL, check=True)
    passed: Passed = {}
    for upload in (folder / "class").iterdir():
        report = out / upload.stem / "report.json"
        verdicts = json.loads(report.read_text())["verdicts"] if report.exists() else None
        passed[upload.stem] = verdicts and {each["check"] for each in verdicts if each["status"] == "passed"}
    return passed


def _computing() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
