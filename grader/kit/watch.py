"""Which questions a save touched: those whose function changed, or anything of the submission that it runs through."""

from __future__ import annotations

import ast
import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from grader.contract.assignment import Assignment, Question
from grader.judge.prepare import wanted
from grader.judge.source import Texts
from grader.judge.submission import IntakeError, intake


def until_a_save(path: Path) -> None:
    """Waits until a Python file or a notebook at ``path`` changes.

    The watcher's thread is gone when this returns: judges are forked from this process.
    """
    from watchfiles import watch

    with closing(watch(path, watch_filter=lambda _, name: name.endswith((".py", ".ipynb")), debounce=200)) as saves:
        next(saves)


def marks(upload: Path, assignment: Assignment) -> dict[str, str]:
    """Number of a question -> a digest of everything in the submission that its checks run through.

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


def touched(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """The questions whose mark changed."""
    return tuple(number for number, mark in after.items() if before.get(number) != mark)


def _mark(question: Question, texts: Texts, sources: Mapping[str, tuple[str, str]]) -> str:
    total = hashlib.sha256()
    for path in _run_through(question):
        for reached in texts.reached(path):
            total.update(f"{reached.module.name}.{reached.name} {ast.dump(reached.node)}\n".encode())
    total.update(_around(sources.get(question.module, ("", ""))[1]).encode())
    return total.hexdigest()


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
