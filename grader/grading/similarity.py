"""Which submissions are suspiciously alike, once what the course gave and what many have is taken away.

Files are compared by copydetect's fingerprints: runs of 25 characters of code from which comments are gone and in which
every name reads alike, so that renaming hides nothing (Schleimer, Wilkerson and Aiken, "Winnowing: Local Algorithms for
Document Fingerprinting", 2003). Taken away are the runs of the template, of the reference, since short right solutions
are alike, and those that more than a tenth of the class has. Nothing is run, and no point depends on any of it.
"""

from __future__ import annotations

import io
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from copydetect import CodeFingerprint, compare_files

from grader.contract.assignment import Assignment
from grader.grading.job import Job
from grader.judge.prepare import wanted
from grader.judge.submission import IntakeError, intake

RUN = 25
"""Characters of filtered code in a run."""
LEAST_RUNS = 60
"""Runs that two files must share to be listed; a short function has that many."""
LEAST_SHARE = 0.4
"""Part of the smaller file's own runs that must be shared."""
_FEW = 4
_COMMON = 0.1
_MOST_CHARACTERS = 200_000
_MOST_PAIRS = 200
_MOST_PASSAGES = 3

Texts = Mapping[str, Mapping[str, str]]
"""Name of a submission -> module -> its source."""


@dataclass(frozen=True)
class Pair:
    """Two submissions that are alike in one module.

    Attributes:
        left, right: their names.
        module: the module.
        share: part of the smaller one's own runs that both have, from 0 to 1.
        runs: how many that are.
        passages: the longest passages that they share, each as the text of both.
    """

    left: str
    right: str
    module: str
    share: float
    runs: int
    passages: tuple[tuple[str, str], ...]


def similar_pairs(texts: Texts, assignment: Assignment) -> list[Pair]:
    """The pairs of submissions that are alike, most suspicious first."""
    pairs = [pair for module in assignment.content.modules for pair in _pairs_in(module, texts, assignment)]
    return sorted(pairs, key=lambda pair: (-pair.share * pair.runs, pair.left, pair.right))[:_MOST_PAIRS]


def sources(jobs: Sequence[Job], assignment: Assignment) -> dict[str, dict[str, str]]:
    """The modules of submissions, as a grading would take them; what cannot be opened or parsed is left out."""
    looked_for, found = wanted(assignment), {}
    for job in jobs:
        with tempfile.TemporaryDirectory(prefix="similar-") as folder:
            try:
                submission = intake(job.upload, looked_for, Path(folder, "submission"))
            except IntakeError:
                continue
            found[job.name] = {
                key: source.text.decode() for key, source in submission.modules.items() if source.fault is None
            }
    return found


def _pairs_in(module: str, texts: Texts, assignment: Assignment) -> Iterator[Pair]:
    prints = {name: _print(modules[module]) for name, modules in texts.items() if module in modules}
    file = assignment.content.modules[module].file
    given = [folder / file for folder in (assignment.template, assignment.reference) if (folder / file).is_file()]
    taken = {run for path in given for run in _print(path.read_text(encoding="utf-8")).hashes}
    counts = Counter(run for each in prints.values() for run in each.hashes)
    many = max(_FEW, int(_COMMON * len(prints)))
    taken |= {run for run, count in counts.items() if count > many}
    own = {name: each.hashes - taken for name, each in prints.items()}
    for left, right in combinations([name for name, runs in own.items() if len(runs) >= LEAST_RUNS], 2):
        shared = len(own[left] & own[right])
        share = shared / min(len(own[left]), len(own[right]))
        if shared >= LEAST_RUNS and share >= LEAST_SHARE:
            yield Pair(left, right, module, share, shared, _passages(prints[left], prints[right]))


def _print(text: str) -> CodeFingerprint:
    return CodeFingerprint("module.py", RUN, 1, fp=io.StringIO(text[:_MOST_CHARACTERS]))


def _passages(left: CodeFingerprint, right: CodeFingerprint) -> tuple[tuple[str, str], ...]:
    _, _, (in_left, in_right) = compare_files(left, right)
    longest = [_longest(each.raw_code, slices) for each, slices in ((left, in_left), (right, in_right))]
    return tuple(zip(*longest, strict=False))


def _longest(text: str, slices: Sequence[Sequence[int]]) -> list[str]:
    """The longest passages of ``text``, in the order in which they stand there."""
    starts, ends = (list(map(int, side)) for side in slices)
    spans = sorted(zip(starts, ends, strict=True), key=lambda span: span[0] - span[1])[:_MOST_PASSAGES]
    return [text[start:end] for start, end in sorted(spans)]
