"""Runs what a course's reference can show: programs beside its solutions, such as ``experiments.py``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from grader.contract.assignment import EXPERIMENTS, Assignment
from grader.exits import UsageError

PROGRAM = EXPERIMENTS[0]


class ExperimentsError(UsageError):
    """There is nothing to run; says what was expected."""


def run(assignment: Assignment, arguments: Sequence[str], name: str = PROGRAM) -> int:
    """Runs the experiments of ``assignment``, or another such program, in a process of its own, on this terminal.

    The program finds the reference's modules and the helpers that the course provides on its import path.

    Returns its exit code. Raises :class:`ExperimentsError` when the assignment has no experiments.
    """
    program = assignment.reference / name
    if not program.is_file():
        raise ExperimentsError(f"{program} does not exist: the reference of {assignment.name!r} has no experiments.")
    path = os.pathsep.join([str(assignment.provided), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, str(program), *arguments]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=False).returncode
