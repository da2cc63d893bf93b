"""``chaffs.toml``: wrong variants of the reference, the checks that fail on each, and the hint its author deserves.

A chaff replaces a few words of one function::

    [[chaff]]
    name = "mean-without-the-count"
    function = "statistics.mean"
    old = "total / count"
    new = "total"
    fails = ["1.1"]
    hint = "The mean is the sum divided by the number of values."

``old`` occurs once in the definition of ``function``. What has to be replaced elsewhere stands in ``also``, a list of
tables ``{old, new}`` and, for another function, ``function``.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError

from grader.contract.assignment import Assignment, AssignmentError, Question, read_toml, sentences
from grader.contract.text import natural_key
from grader.judge.variants import Change, Variant

FILE = "chaffs.toml"


@dataclass(frozen=True)
class Also:
    """One more replacement of a chaff, in its own function if no other is named."""

    old: str
    new: str
    function: str = ""


@dataclass(frozen=True)
class Chaff:
    """A mistake.

    Attributes:
        name: its name, unique in its assignment.
        function: where it is made, as ``module.function`` or ``module.Class.method``.
        old, new: what is replaced there, and by what.
        fails: numbers of the checks, or of whole questions, that fail on it; all others pass.
        hint: what helps the student who made this mistake; empty where the check already says it all.
        also: further replacements.
    """

    name: str
    function: str
    old: str
    new: str
    fails: tuple[str, ...]
    hint: str = ""
    also: tuple[Also, ...] = ()

    @property
    def key(self) -> str:
        """What tells it from all other variants of its assignment's reference."""
        return self.name

    def fails_check(self, number: str) -> bool:
        """Whether the check ``number`` has to fail."""
        return bool({number, number.rpartition(".")[0]} & set(self.fails))

    def changes(self, assignment: Assignment) -> tuple[Change, ...]:
        """The replacements, in the order in which they are made."""
        every = (Also(self.old, self.new), *self.also)
        return tuple(_change(each, each.function or self.function, assignment) for each in every)

    def variant(self, assignment: Assignment) -> Variant:
        """The chaff as a submission."""
        return Variant(self.name, self.hint, changes=self.changes(assignment), loses=self.fails)


def _change(each: Also, path: str, assignment: Assignment) -> Change:
    module, _, function = path.partition(".")
    return Change(assignment.content.modules[module].file, each.old, each.new, function)


@dataclass(frozen=True)
class _File:
    __pydantic_config__ = ConfigDict(extra="forbid")

    chaff: tuple[Chaff, ...]


def read_chaffs(assignment: Assignment) -> tuple[Chaff, ...]:
    """The chaffs of an assignment, none if it has no such file.

    Raises:
        AssignmentError: naming file, chaff and remedy.
    """
    path = assignment.folder / FILE
    chaffs = _parsed(path)
    problems = [f"{path}: {problem}" for problem in _problems(chaffs, assignment)]
    if problems:
        raise AssignmentError("\n".join(problems))
    return chaffs


@lru_cache(maxsize=8)
def known_chaffs(assignment_folder: Path) -> tuple[Chaff, ...]:
    """The chaffs in the folder of an assignment, read once by a process and without trying every replacement.

    A file that cannot be used, which ``grader validate`` tells, holds none.
    """
    try:
        return _parsed(assignment_folder / FILE)
    except (AssignmentError, OSError):
        return ()


def _parsed(path: Path) -> tuple[Chaff, ...]:
    if not path.is_file():
        return ()
    try:
        return TypeAdapter(_File).validate_python(read_toml(path)).chaff
    except ValidationError as error:
        raise AssignmentError("\n".join(sentences(path, error))) from None


def _problems(chaffs: Collection[Chaff], assignment: Assignment) -> Iterator[str]:
    for name, count in Counter(chaff.name for chaff in chaffs).items():
        if count > 1:
            yield f"{name}: {count} chaffs have this name; give each a name of its own."
    for chaff in chaffs:
        yield from (f"{chaff.name}: {problem}" for problem in _problems_of(chaff, assignment))


def _problems_of(chaff: Chaff, assignment: Assignment) -> Iterator[str]:
    unknown = [path for path in (chaff.function, *(each.function for each in chaff.also)) if path]
    unknown = [path for path in unknown if path.partition(".")[0] not in assignment.content.modules]
    for path in unknown:
        known = ", ".join(assignment.content.modules)
        yield f"{path!r} does not begin with a module of this assignment; write module.function with one of: {known}."
    if not chaff.fails:
        yield "fails: no check is named; a chaff that nothing notices proves nothing."
    for number in chaff.fails:
        if _question(number, assignment) is None:
            known = ", ".join(sorted(assignment.questions, key=natural_key))
            yield f"fails: {number!r} belongs to no question; the questions are {known}."
    if not unknown:
        try:
            texts_of(chaff, assignment)
        except ValueError as error:
            yield f"{error}."


def _question(number: str, assignment: Assignment) -> Question | None:
    return assignment.questions.get(number) or assignment.question_of(number)


def texts_of(chaff: Chaff, assignment: Assignment) -> dict[str, str]:
    """Module -> its text, for the modules that the chaff changes.

    Raises:
        ValueError: in words, where a text to replace does not occur exactly once, or what comes of it is no Python.
    """
    texts = changed_texts(chaff, assignment)
    for module, text in texts.items():
        try:
            ast.parse(text)
        except SyntaxError as error:
            raise ValueError(
                f"with the replacement, {module} is no Python: {error.msg} in line {error.lineno}"
            ) from None
    return texts


def changed_texts(chaff: Chaff, assignment: Assignment) -> dict[str, str]:
    """As :func:`texts_of`, for a chaff of which it is known that Python comes of it."""
    texts: dict[str, str] = {}
    modules = {spec.file: name for name, spec in assignment.content.modules.items()}
    for change in chaff.changes(assignment):
        module = modules[change.file]
        before = texts.get(module) or (assignment.reference / change.file).read_text(encoding="utf-8")
        texts[module] = change.made_in(before)
    return texts


def require_checks(chaffs: Collection[Chaff], numbers: Collection[str], assignment: Assignment) -> None:
    """Raises :class:`AssignmentError` where a chaff names a check that is not among ``numbers``."""
    asked = {number.rpartition(".")[0] for number in numbers}
    problems = [
        f"{assignment.folder / FILE}: {chaff.name}: fails: there is no check {number}; correct the number."
        for chaff in chaffs
        for number in chaff.fails
        if number not in numbers and number not in asked and "." in number
    ]
    if problems:
        raise AssignmentError("\n".join(problems))
