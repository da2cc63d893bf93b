"""``assignment.toml``: what an assignment asks for, in points, rules and limits.

The file is read into the dataclasses below; every error names the file, the key and the remedy.
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from grader.contract.gradescope import Gradescope
from grader.contract.gradescope import problems as problems_of_gradescope
from grader.exits import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MOST_EDGE = 0.25


class AssignmentError(UsageError):
    """An assignment is not usable. The message names the file, the key, what was expected and what to do."""


@dataclass(frozen=True)
class Rules:
    """What a solution may not use: dotted names (``torch.nn``, ``Tensor.backward``); a name covers all below it.

    ``allowed`` makes exceptions.
    """

    forbidden: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()

    def with_more(self, more: Rules) -> Rules:
        """These rules and ``more``."""
        return Rules(self.forbidden + more.forbidden, self.allowed + more.allowed)


@dataclass(frozen=True)
class ModuleSpec:
    """A module that students write.

    Attributes:
        file: its file.
        also_named: other names under which the file is accepted.
        older_names: name of a function or class -> the name that the same thing had in an earlier year. Where a file
            defines the older name alone, it is read as if it said the newer one.
        rules: rules for its questions, in addition to the assignment's.
    """

    file: str
    also_named: tuple[str, ...] = ()
    older_names: dict[str, str] = field(default_factory=dict)
    rules: Rules = Rules()


@dataclass(frozen=True)
class Limits:
    """What a player may use.

    Attributes:
        cpu_seconds: computing time of one check.
        wall_seconds: time of one check on the clock, as a backstop for code that waits.
        memory_mb: memory beyond what the interpreter itself takes, in MiB.
        load_seconds: computing time of importing one module.
        lost_seconds: time on the clock that checks which do not pass may take, all checks of a submission together.
            What comes after gets shorter limits, and a question that has run into a limit already gets none.
    """

    cpu_seconds: float = 10.0
    wall_seconds: float = 60.0
    memory_mb: int = 2048
    load_seconds: float = 10.0
    lost_seconds: float = 120.0


@dataclass(frozen=True)
class Goal:
    """An accuracy that a check asks for, in percent.

    Attributes:
        needed: earns all points.
        floor: earns none, as does everything below it; between the two, points grow in proportion.
        cpu_seconds: computing time that a training may take before its accuracy is measured; 0 where the check decides.
    """

    needed: float
    floor: float
    cpu_seconds: float = 0.0


@dataclass(frozen=True)
class Question:
    """One function or class that is asked for.

    Attributes:
        number: its number; its checks are ``number.1``, ``number.2``, …
        function: what is graded, as ``module.function`` or ``module.Class.method``.
        points: what its checks are worth together.
        relies_on: other functions of the submission that its checks run through. A check that fails is run again with
            the reference's in their place, so that one mistake is not punished twice.
        needs: name of the data set without which the question is not asked.
        goals: data set -> number of a check -> the accuracy that it asks for there. A question with goals is asked
            where one of these sets is at hand.
        rules: rules in addition to those of the assignment and of the module.
        edge: number of an edge check -> why it matters, in a sentence.
    """

    number: str
    function: str
    points: float
    relies_on: tuple[str, ...] = ()
    needs: str = ""
    goals: dict[str, dict[str, Goal]] = field(default_factory=dict)
    rules: Rules = Rules()
    edge: dict[str, str] = field(default_factory=dict)

    @property
    def module(self) -> str:
        """The module that the question is about."""
        return self.function.partition(".")[0]

    def asked_with(self, data: Collection[str]) -> bool:
        """Whether the question is asked where these data sets are at hand."""
        return (not self.needs or self.needs in data) and (not self.goals or any(name in data for name in self.goals))


def _moment(value: object) -> object:
    """``value`` as a moment that is the same everywhere; what one could only be guessed from is refused."""
    found = value
    if isinstance(value, str):
        with suppress(ValueError):
            found = datetime.fromisoformat(value.replace("Z", "+00:00"))
    if found is None or (isinstance(found, datetime) and found.utcoffset() is not None):
        return found
    raise PydanticCustomError(
        "no_moment", "a date with a time and an offset from UTC was expected, such as 2026-03-02T23:59:00-05:00"
    )


Due = Annotated[datetime | None, BeforeValidator(_moment)]


@dataclass(frozen=True)
class Content:
    """The text of ``assignment.toml``, typed.

    Attributes:
        name: the folder's name.
        title: what people call it.
        modules: name of each module that students write -> its file.
        questions: what is asked for.
        limits: what a player may use.
        rules: what no solution may use.
        given: classes and functions that students receive complete; rules do not look into them.
        checkpoints: files of trained networks that may be handed in beside the code.
        due: when it has to be handed in, such as ``2026-03-02T23:59:00-05:00``: told in the handout and the README. No
            verdict depends on it; what comes late is the business of the platform that collects the work.
        gradescope: limits and feedback there.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: str
    title: str
    modules: dict[str, ModuleSpec]
    questions: tuple[Question, ...]
    limits: Limits = Limits()
    rules: Rules = Rules()
    given: tuple[str, ...] = ()
    checkpoints: tuple[str, ...] = ()
    due: Due = None
    gradescope: Gradescope = field(default_factory=Gradescope)


FIGURES = "figures.py"
EXPERIMENTS = ("experiments.py", FIGURES, "trials")
"""In a reference's folder: the programs that show what it reaches, and their modules. They have no say in a verdict."""

ANSWERS = "answers.safetensors"
"""In the folder of an assignment that students have: what the reference answered, which takes its place."""

NOTEBOOKS = "notebooks"
HANDOUT = "handout.md.j2"
RIGHT = "right"
EQUIVALENT = "equivalent.toml"
BESIDE = (NOTEBOOKS, HANDOUT, RIGHT, EQUIVALENT)
"""In an assignment's folder: the sources of notebooks, what is told at the top of the handout, and what its checks are
tried on, besides chaffs; no say either."""


@dataclass(frozen=True)
class Assignment:
    """An assignment of a course: what its ``assignment.toml`` says, and where its files lie.

    Attributes:
        content: the typed text of ``assignment.toml``.
        folder: holds ``assignment.toml``, the checks and ``provided/``, helpers that the course supplies.
        reference: holds the complete solution.
        template: holds what students receive.
    """

    content: Content
    folder: Path
    reference: Path
    template: Path

    @property
    def name(self) -> str:
        """Short name, such as the folder's."""
        return self.content.name

    @property
    def provided(self) -> Path:
        """Folder of the helpers that the course supplies; may be absent."""
        return self.folder / "provided"

    @property
    def answers(self) -> Path:
        """The reference's recorded answers, which students have in its place; absent where the reference is."""
        return self.folder / ANSWERS

    @cached_property
    def questions(self) -> Mapping[str, Question]:
        """Number -> question."""
        return {question.number: question for question in self.content.questions}

    def question_of(self, number: str) -> Question | None:
        """The question that the check ``number`` belongs to."""
        return self.questions.get(number.rpartition(".")[0])

    def rules_of(self, question: Question) -> Rules:
        """The assignment's rules, those of the question's module and the question's own."""
        module = self.content.modules[question.module]
        return self.content.rules.with_more(module.rules).with_more(question.rules)

    @cached_property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of every file that has a say in a verdict."""
        total = hashlib.sha256()
        for root in (self.folder, self.reference):
            for path in sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
                if path.relative_to(root).parts[0] in (EXPERIMENTS if root == self.reference else BESIDE):
                    continue
                total.update(f"{path.relative_to(root).as_posix()}\0".encode())
                total.update(hashlib.sha256(path.read_bytes()).digest())
        return total.hexdigest()


def read(path: Path) -> Content:
    """The content of an ``assignment.toml``.

    Raises:
        AssignmentError: naming file, key and remedy.
    """
    try:
        content = _adapter().validate_python(read_toml(path))
    except ValidationError as error:
        raise AssignmentError("\n".join(sentences(path, error))) from None
    problems = [f"{path}: {problem}" for problem in _problems(content)]
    if problems:
        raise AssignmentError("\n".join(problems))
    return content


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises :class:`AssignmentError` when there is none, or it is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AssignmentError(f"{path}: there is no such file; every assignment needs one.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AssignmentError(f"{path}: this is no TOML: {error}. Correct the line that it names.") from None


def sentences(path: Path, error: ValidationError) -> list[str]:
    """What is wrong with a file, one sentence for each key: what it is and what to do."""
    return list(_sentences(path, error))


@cache
def _adapter() -> TypeAdapter[Content]:
    return TypeAdapter(Content)


_REMEDIES = {
    "extra_forbidden": "no such key is known; correct its spelling or remove it",
    "unexpected_keyword_argument": "no such key is known; correct its spelling or remove it",
    "missing": "it is required; add it",
    "missing_argument": "it is required; add it",
}


def _sentences(path: Path, error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False):
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
        remedy = (
            _REMEDIES.get(problem["type"])
            or f"{problem['msg'][:1].lower()}{problem['msg'][1:]}, but it is {_shown(problem['input'])}; correct it"
        )
        yield f"{path}: {key}: {remedy}."


def _shown(value: object) -> str:
    """``value`` as it stands in the file: TOML knows dates and times."""
    return value.isoformat() if isinstance(value, date | time) else repr(value)


def _problems(content: Content) -> Iterator[str]:
    for key, limit in vars(content.limits).items():
        if limit <= 0:
            yield f"limits.{key}: {limit} is not above 0; nothing could run."
    for name in content.modules:
        if not name.isidentifier():
            yield f"modules.{name}: checks write student.{name}, which Python cannot read; choose an identifier."
    if not content.questions:
        yield "questions: there is none; ask for a function in a table [[questions]]."
    yield from _problems_of_questions(content)
    yield from problems_of_gradescope(content.gradescope)


def _problems_of_questions(content: Content) -> Iterator[str]:
    seen: set[str] = set()
    for index, question in enumerate(content.questions):
        where = f"questions[{index}]"
        if question.number in seen:
            yield f"{where}.number: {question.number!r} is used twice; give each question a number of its own."
        seen.add(question.number)
        if not (math.isfinite(question.points) and question.points > 0):
            yield f"{where}.points: {question.points} is not above 0; a question is worth something or is left out."
        yield from _unknown_modules(content, where, question)
        for number in question.edge:
            if number.rpartition(".")[0] != question.number:
                yield f"{where}.edge: {number!r} is no check of this question; write {question.number}.1 or so."
        yield from _unusable_goals(where, question)


def _unusable_goals(where: str, question: Question) -> Iterator[str]:
    for name, goals in question.goals.items():
        for number, goal in goals.items():
            here = f"{where}.goals.{name}"
            if number.rpartition(".")[0] != question.number:
                yield f"{here}: {number!r} is no check of this question; write {question.number}.1 or so."
            if not 0 <= goal.floor < goal.needed <= 100:
                yield (
                    f"{here}.{number}: floor {goal.floor:g} and needed {goal.needed:g}; percentages were expected, "
                    "the floor below what is needed."
                )
            if goal.cpu_seconds < 0:
                yield f"{here}.{number}: {goal.cpu_seconds:g} cpu_seconds are below 0; leave them out for no limit."


def _unknown_modules(content: Content, where: str, question: Question) -> Iterator[str]:
    named = [("function", question.function), *(("relies_on", path) for path in question.relies_on)]
    for key, path in named:
        module, _, rest = path.partition(".")
        if module not in content.modules or not rest:
            known = ", ".join(content.modules)
            yield (
                f"{where}.{key}: {path!r} does not begin with a module of this assignment; "
                f"write module.function with one of: {known}."
            )
