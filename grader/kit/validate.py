"""Tries the checks of an assignment on what is known to be right and on what is known to be wrong."""

from __future__ import annotations

import fnmatch
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from grader.contract.assignment import Assignment, AssignmentError
from grader.contract.text import natural_key
from grader.grading.grade import Setting, run_checks
from grader.grading.job import Job
from grader.grading.run import Run
from grader.judge.chaffs import read_chaffs, require_checks
from grader.judge.prepare import Options, prepare
from grader.judge.trials import Outcome, Outcomes, Trial, TryingPlugin, read_outcomes
from grader.kit.right import right_subjects
from grader.kit.subjects import Kind, Subject, failures, reference_and_template, sample, subject_of_chaff

BATCHES = 6
"""Chaffs and mutants are dealt out to so many batches for each process at work, so that all end at one time ..."""

BATCH = 24
"""... but no batch holds more than that: the start of its process, of half a second, is shared well enough by then."""


@dataclass(frozen=True)
class Plan:
    """What is tried.

    Attributes:
        kinds: kinds of subjects.
        count: how many chaffs and how many mutants, drawn at random; ``None`` for all.
        only: names of the chaffs and mutants that are tried, where ``*`` stands for any text; empty for all.
        seeds: seeds of the draws; everything is tried with each of them.
        full: make every check on every subject, instead of those on which a change can have an effect.
        at_once: how many processes try at a time.
    """

    kinds: frozenset[Kind]
    count: int | None = None
    only: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ("validate",)
    full: bool = False
    at_once: int = 1

    def names(self, name: str) -> bool:
        """Whether the chaff or mutant of this name is tried."""
        return not self.only or any(fnmatch.fnmatchcase(name, pattern) for pattern in self.only)


@dataclass(frozen=True)
class Tried:
    """What came of one subject under one seed.

    Attributes:
        subject: the subject.
        seed: the seed.
        failed: numbers of the checks that did not pass.
        surprises: what did not come as it had to.
    """

    subject: Subject
    seed: str
    failed: frozenset[str]
    surprises: tuple[str, ...]


@dataclass
class Findings:
    """What came of all subjects of one assignment; ``checks`` are the numbers of its checks."""

    assignment: Assignment
    plan: Plan
    checks: tuple[str, ...] = ()
    tried: list[Tried] = field(default_factory=list)

    @property
    def surprises(self) -> list[str]:
        """Everything that did not come as it had to, in sentences."""
        found = [f"{each.subject.title}, seed {each.seed}: {text}" for each in self.tried for text in each.surprises]
        return found + [f"check {number} kills nothing" for number in self.idle]

    @property
    def kills(self) -> Mapping[str, frozenset[str]]:
        """Number of each check -> the wrong subjects on which it fails."""
        wrong = [each for each in self.tried if each.subject.kind in (Kind.CHAFF, Kind.MUTANT)]
        return {
            number: frozenset(each.subject.title for each in wrong if number in each.failed) for number in self.checks
        }

    @property
    def idle(self) -> list[str]:
        """Checks on which no wrong subject fails; told only where all chaffs were tried."""
        part = self.plan.count is not None or self.plan.only
        if part or Kind.CHAFF not in self.plan.kinds or not read_chaffs(self.assignment):
            return []
        return [number for number, killed in self.kills.items() if not killed]

    @property
    def spare(self) -> list[str]:
        """Checks that notice chaffs, none of which would go unnoticed without them."""
        chaffs = [each for each in self.tried if each.subject.kind is Kind.CHAFF]
        needed = {number for each in chaffs if len(each.failed) == 1 for number in each.failed}
        noticing = {number for each in chaffs for number in each.failed}
        return [number for number in self.checks if number in noticing - needed]


Show = Callable[[int, int], None]


def validate(assignment: Assignment, course: Path, address: Path, plan: Plan, show: Show) -> Findings:
    """Tries the checks of ``assignment`` as planned.

    Args:
        course: folder of the course.
        address: socket of the zygote.
        show: told now and then how many trials are done, and how many there are.

    Raises:
        AssignmentError: a file of the assignment cannot be used, or a chaff names a check that does not exist.
    """
    subjects = _subjects(assignment, plan)
    findings = Findings(assignment, plan)
    total, done = len(subjects) * len(plan.seeds), 0
    with tempfile.TemporaryDirectory(prefix="validate-") as name:
        for seed in plan.seeds:
            setting = Setting(course, assignment, Options(seed=seed), address)
            for batch, outcomes in _tried(_batches(subjects, plan.at_once), setting, plan, Path(name, seed)):
                if not findings.checks:
                    findings.checks = tuple(sorted(outcomes.checks, key=natural_key))
                    require_checks(read_chaffs(assignment), findings.checks, assignment)
                findings.tried += [_judged(subject, seed, outcomes.of.get(i)) for i, subject in enumerate(batch)]
                done += len(batch)
                show(done, total)
    return findings


def _subjects(assignment: Assignment, plan: Plan) -> list[Subject]:
    every = [*reference_and_template(assignment), *right_subjects(assignment)]
    wrong = [[subject_of_chaff(chaff, assignment) for chaff in read_chaffs(assignment)]]
    if Kind.MUTANT in plan.kinds:
        wrong.append(_mutants(assignment))
    for kind in wrong:
        every += sample([subject for subject in kind if plan.names(subject.name)], plan.count, plan.seeds[0])
    chosen = [subject for subject in every if subject.kind in plan.kinds]
    if not chosen:
        raise AssignmentError(f"{assignment.name}: no chaff and no mutant is named {' or '.join(plan.only)}.")
    return chosen


def _mutants(assignment: Assignment) -> list[Subject]:
    try:
        from grader.kit.mutants import mutant_subjects
    except ModuleNotFoundError as error:
        raise AssignmentError(
            f"Mutants are made with libcst, but {error.name} is not installed; run pip install "
            "'scratchgrade[validate]', or leave mutants out with --kinds reference,template,right,chaffs."
        ) from None
    return mutant_subjects(assignment)


def _batches(subjects: Sequence[Subject], at_once: int) -> list[list[Subject]]:
    """Subjects on which all checks are made come first, each for itself, since they take longest."""
    long = [[subject] for subject in subjects if not subject.numbers]
    short = [subject for subject in subjects if subject.numbers]
    size = min(math.ceil(len(short) / (BATCHES * at_once)), BATCH) or 1
    return long + [short[at : at + size] for at in range(0, len(short), size)]


def _tried(
    batches: Sequence[Sequence[Subject]], setting: Setting, plan: Plan, folder: Path
) -> Iterator[tuple[Sequence[Subject], Outcomes]]:
    """Each batch with what came of it."""
    jobs = [Job(str(place), setting.assignment.reference, folder / str(place)) for place in range(len(batches))]
    trials = {
        job.name: [subject.trial(plan.full) for subject in batch] for job, batch in zip(jobs, batches, strict=True)
    }
    for finished in Run(jobs, setting, plan.at_once, partial(_try_in_this_process, trials)):
        if finished is not None:
            outcomes = read_outcomes(finished.job.out / OUTCOMES)
            if outcomes is None:
                raise AssignmentError(
                    f"{setting.assignment.folder}: the checks are not usable:\n{finished.log[-2000:]}"
                )
            yield batches[int(finished.job.name)], outcomes


OUTCOMES = "outcomes.jsonl"


def _try_in_this_process(trials: Mapping[str, Sequence[Trial]], job: Job, setting: Setting, folder: Path) -> int:
    order = prepare(
        job.upload, job.name, setting.assignment, setting.course, folder, setting.address, None, setting.options
    )
    return run_checks(setting.assignment, TryingPlugin(order, trials[job.name], job.out / OUTCOMES))


def _judged(subject: Subject, seed: str, outcome: Outcome | None) -> Tried:
    failed = failures(outcome) if outcome is not None else frozenset()
    return Tried(subject, seed, failed, tuple(subject.surprises(outcome)))
