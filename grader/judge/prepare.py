"""From an upload to an order: takes the submission in, and lays out the private folder of one grading."""

from __future__ import annotations

import ast
import hashlib
import os
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader.contract.assignment import Assignment
from grader.contract.report import SubmissionInfo
from grader.judge import reference
from grader.judge.order import Order
from grader.judge.submission import IntakeError, Submission, Wanted, intake


@dataclass(frozen=True)
class Options:
    """What a person chooses about a grading.

    Attributes:
        seed: text from which all draws are derived; empty for a fresh one.
        device: ``cpu``, ``cuda`` or ``auto``.
        data: path of the data set; empty for none.
        visible_only: leave out checks that a student may not see.
        questions: numbers of the questions that are asked; empty for all of them.
        record: where the reference's answers are to be recorded; ``None`` but for that.
        memory_mb: the most that a player may use beyond what the interpreter takes, in MiB, where the machine has less
            than the assignment allows; ``None`` for what the assignment allows.
        required: level of confinement below which nothing of a submission runs; empty for any.
        policy: differences from the usual confinement of players, for tests of lesser machines.
    """

    seed: str = ""
    device: str = "cpu"
    data: str = ""
    visible_only: bool = False
    questions: tuple[str, ...] = ()
    record: Path | None = None
    memory_mb: int | None = None
    required: str = ""
    policy: dict[str, Any] = field(default_factory=dict)


def fresh_seed() -> str:
    """A seed that nobody knows beforehand."""
    return secrets.token_hex(16)


def choose_device(wanted: str) -> str:
    """``cpu`` or ``cuda``. Raises ``ValueError`` when CUDA was asked for and there is none."""
    if wanted == "cpu":
        return wanted
    import torch  # takes a second

    # Judges are forked from this process: it may ask for CUDA devices, and not start CUDA to do so.
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ValueError("This machine has no CUDA device that torch can use; choose --device cpu or auto.")
    return wanted


def prepare(
    upload: Path,
    name: str,
    assignment: Assignment,
    course: Path,
    folder: Path,
    address: Path,
    report: Path | None,
    options: Options,
) -> Order:
    """Takes ``upload`` in below ``folder``, a private folder that exists and is empty.

    An upload that cannot be used as a whole gets an order too: all of its modules are missing, with the reason.
    """
    for part in ("scratch", "shared"):
        (folder / part).mkdir()
        (folder / part).chmod(0o755)  # whatever the umask
    try:
        submission = intake(upload, wanted(assignment), folder / "submission")
    except IntakeError as error:
        submission = _unusable(assignment, folder / "unusable", str(error))
    return Order(
        course=course,
        assignment=assignment.name,
        submission=info(name, submission),
        sources=_in_order_of_imports(submission),
        missing={**submission.missing, **_faults(submission)},
        roots=tuple(str(path) for path in (_provided(assignment, folder), *submission.roots) if path.is_dir()),
        files=tuple(str(submission.folder / file) for file in submission.files),
        address=address,
        folder=folder,
        seed=options.seed or fresh_seed(),
        device=choose_device(options.device),
        data=options.data,
        visible_only=options.visible_only,
        questions=options.questions,
        record=options.record,
        required=options.required,
        report=report,
        policy={**_policy(assignment, options), **options.policy},
    )


def _policy(assignment: Assignment, options: Options) -> dict[str, int]:
    if options.memory_mb is None:
        return {}
    return {"memory": min(assignment.content.limits.memory_mb, options.memory_mb) * 2**20}


def _provided(assignment: Assignment, folder: Path) -> Path:
    """The course's helpers, copied to where players can read them: the course's own folders are closed to them."""
    copy = folder / "provided"
    if assignment.provided.is_dir():
        shutil.copytree(assignment.provided, copy, ignore=shutil.ignore_patterns("__pycache__"))
        for path in (copy, *copy.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
    return copy


def _unusable(assignment: Assignment, folder: Path, problem: str) -> Submission:
    """Stands for an upload that cannot be graded as a whole: every module is missing, for this reason."""
    missing = dict.fromkeys(assignment.content.modules, problem)
    digest = hashlib.sha256(problem.encode(errors="replace")).hexdigest()
    return Submission(folder, folder, (), {}, missing, (), (), (), (), digest)


def wanted(assignment: Assignment) -> dict[str, Wanted]:
    """What the intake looks for: the assignment's modules, recognised by the names that the reference defines."""
    names = reference.public_names(assignment)
    return {
        key: Wanted(spec.file, spec.also_named, frozenset(names[key]), spec.older_names)
        for key, spec in assignment.content.modules.items()
    }


def info(name: str, submission: Submission) -> SubmissionInfo:
    """The submission as the report shows it."""
    return SubmissionInfo(
        name=name,
        digest=submission.digest,
        found=tuple(str(remark) for remark in submission.found),
        ignored=tuple(str(remark) for remark in submission.ignored),
        renamed=tuple(str(remark) for remark in submission.renamed),
        missing=tuple(submission.missing.values()),
        problems=tuple(
            text
            for key, source in submission.modules.items()
            for text in (
                *([f"{key}: {source.fault}"] if source.fault else []),
                *(f"{key}: {note}" for note in source.notes),
            )
        ),
    )


def _faults(submission: Submission) -> dict[str, str]:
    return {
        key: f"{source.origin} cannot be run: {source.fault}"
        for key, source in submission.modules.items()
        if source.fault
    }


def _in_order_of_imports(submission: Submission) -> dict[str, tuple[str, str]]:
    """Module -> (path, text), each after those that it imports, so that a failure is laid at the right door."""
    texts = {key: source.text.decode() for key, source in submission.modules.items() if source.fault is None}
    needs = {key: _imported(text) & texts.keys() for key, text in texts.items()}
    ordered: dict[str, tuple[str, str]] = {}

    def place(key: str, above: tuple[str, ...]) -> None:
        for other in sorted(needs[key]):
            if other not in above and other not in ordered:
                place(other, (*above, key))
        ordered.setdefault(key, (str(submission.modules[key].path), texts[key]))

    for key in texts:
        place(key, (key,))
    return ordered


def _imported(text: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found
