"""Which questions a save touched: those whose function changed, or anything of the submission that it runs through."""

from __future__ import annotations

import ast
import hashlib
import tempfile
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from grader.contract.assignment import Assignment, Question
from grader.judge.prepare import wanted
from grader.judge.source import Texts
from grader.judge.submission import IntakeError, intake


def saves(path: Path) -> Generator[None, None, None]:
    """Yields once the watcher is at work, and then whenever a Python file or a notebook at ``path`` was saved.

    What was saved before the first yield may not be told: look then. Close the generator before judges are forked from
    this process: the watcher has a thread.
    """
    from watchfiles import watch

    def of_interest(_: object, name: str) -> bool:
        return name.endswith((".py", ".ipynb"))

    at_work = False
    with closing(watch(path, watch_filter=of_interest, debounce=200, rust_timeout=100, yield_on_timeout=True)) as told:
        for changes in told:
            if changes or not at_work:
                at_work = True
                yield


@dataclass(frozen=True)
class Mark:
    """Digests of a question's own function, and of everything in the submission that its checks run through."""

    own: str
    whole: str


def marks(upload: Path, assignment: Assignment) -> dict[str, Mark]:
    """The mark of every question, by its number.

    Layout and comments do not count. Empty where the upload cannot be taken in.
    """
    with tempfile.TemporaryDirectory(prefix="check-") as folder:
        try:
            submission = intake(upload, wanted(assignment), Path(folder) / "submission")
        except IntakeError:
            return {}
        sources = {key: (str(source.path), source.text.decode()) for key, source in submission.modules.items()}
        texts = Texts.of(sources, tuple(str(submission.folder / file) for file in submission.files))
        return {question.number: _mark(question, texts, sources) for question in assignment.content.questions}


def touched(before: Mapping[str, Mark], after: Mapping[str, Mark]) -> tuple[str, ...]:
    """The questions that a change concerns."""
    return tuple(number for number, mark in after.items() if before.get(number) != mark)


class Waiting:
    """The questions that were touched and not asked yet.

    Args:
        upload: the submission.
        assignment: what it answers.
        only: numbers of the questions that are asked at all; empty for all of them.
    """

    def __init__(self, upload: Path, assignment: Assignment, only: Collection[str] = ()) -> None:
        self.upload = upload
        self.assignment = assignment
        self.only = only
        self._marks = marks(upload, assignment)
        self._at_work: list[str] = []
        self._touched: dict[str, None] = {}

    def look(self) -> bool:
        """Takes down what changed since the last look; returns whether anything did."""
        before, self._marks = self._marks, marks(self.upload, self.assignment)
        found = [each for each in touched(before, self._marks) if not self.only or each in self.only]
        own = [each for each in found if each not in before or before[each].own != self._marks[each].own]
        self._at_work = own or self._at_work
        self._touched.update(dict.fromkeys(found))
        return bool(found)

    def rounds(self) -> Iterator[tuple[str, ...]]:
        """What to ask first, the functions that changed themselves; then what runs through them.

        Who stops after the first round keeps the second one waiting.
        """
        for asked in (self._at_work, self._touched):
            numbers = tuple(each for each in asked if each in self._touched)
            for each in numbers:
                del self._touched[each]
            if numbers:
                yield numbers


def _mark(question: Question, texts: Texts, sources: Mapping[str, tuple[str, str]]) -> Mark:
    own, whole = hashlib.sha256(), hashlib.sha256()
    for path in _run_through(question):
        for place, reached in enumerate(texts.reached(path)):
            text = f"{reached.module.name}.{reached.name} {ast.dump(reached.node)}\n".encode()
            whole.update(text)
            if path == question.function and place == 0:
                own.update(text)
    whole.update(_around(sources.get(question.module, ("", ""))[1]).encode())
    return Mark(own.hexdigest(), whole.hexdigest())


def _run_through(question: Question) -> Iterator[str]:
    """The function, its class, what it relies on, and the forward pass whose cache a backward pass is given."""
    yield question.function
    yield from question.relies_on
    owner, _, name = question.function.rpartition(".")
    if "." in owner:
        yield owner
    if "backward" in name:
        yield f"{owner}.{name.replace('backward', 'forward')}"


def _around(text: str) -> str:
    """The statements of a file that stand outside of functions and classes: imports, constants."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return text
    return "\n".join(ast.dump(node) for node in body if not isinstance(node, ast.FunctionDef | ast.ClassDef))
