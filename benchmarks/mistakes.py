"""Submissions with one mistake or two that no hint was written for, made from the reference, for `hints.py`."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from grader.contract.assignment import Assignment
from grader.judge.advice.edits import confusions_of, edits_of
from grader.judge.chaffs import Chaff, read_chaffs, texts_of
from grader.kit.mutants import mutants, read_equivalent
from grader.kit.subjects import questions_of

Edit = tuple[int, int, str]  # what stands from here to there is replaced by this


@dataclass(frozen=True)
class Mistake:
    """One change to the reference.

    Attributes:
        name: of the chaff or mutant.
        functions: what it changes.
        edits: module -> the edit of its text.
        hint: the hint of a chaff; empty for a mutant.
    """

    name: str
    functions: frozenset[str]
    edits: Mapping[str, Edit]
    hint: str = ""


@dataclass(frozen=True)
class Wrong:
    """A submission.

    Attributes:
        name: what was changed.
        texts: module -> its text.
        numbers: the questions whose checks are made.
        right: hints that are right without being read.
        left_out: names of chaffs, and kinds of slips, that are not looked for.
    """

    name: str
    texts: Mapping[str, str]
    numbers: tuple[str, ...]
    right: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


class Mistakes:
    """All that can be made wrong in one assignment, drawn with a generator of its own."""

    def __init__(self, assignment: Assignment, seed: str) -> None:
        self._assignment = assignment
        self._chance = random.Random(f"{seed} {assignment.name}")
        self._reference = {
            name: (assignment.reference / spec.file).read_text(encoding="utf-8")
            for name, spec in assignment.content.modules.items()
        }
        self._chaffs = read_chaffs(assignment)

    def drawn(self, kind: str, count: int) -> list[Wrong]:
        """`count` submissions of a kind, a key of `KINDS`."""
        return list(islice(KINDS[kind](self), count))

    def _shuffled(self, mistakes: Iterable[Mistake]) -> list[Mistake]:
        found = list(mistakes)
        self._chance.shuffle(found)
        return found

    def _of_chaffs(self) -> list[Mistake]:
        return [self._of_chaff(chaff) for chaff in self._chaffs if chaff.hint]

    def _of_chaff(self, chaff: Chaff) -> Mistake:
        changed = texts_of(chaff, self._assignment)
        functions = {chaff.function, *(each.function for each in chaff.also if each.function)}
        return Mistake(chaff.name, frozenset(functions), self._edits(changed), chaff.hint)

    def _of_mutants(self) -> list[Mistake]:
        alike = read_equivalent(self._assignment)
        return [
            Mistake(mutant.name, frozenset({mutant.function}), self._edits({mutant.module: mutant.text}))
            for mutant in mutants(self._assignment)
            if mutant.name not in alike
        ]

    def _edits(self, texts: Mapping[str, str]) -> dict[str, Edit]:
        return {module: edit_between(self._reference[module], text) for module, text in texts.items()}

    def mutants(self) -> Iterator[Wrong]:
        """One mutant each."""
        yield from (self._wrong(mistake) for mistake in self._shuffled(self._of_mutants()))

    def unlike(self) -> Iterator[Wrong]:
        """One mutant each, while slips of every kind that can make the same change are not looked for."""
        for mistake in self._shuffled(self._of_mutants()):
            yield self._wrong(mistake, left_out=self._kinds_of(mistake))

    def _kinds_of(self, mutant: Mistake) -> tuple[str, ...]:
        ((module, edit),) = mutant.edits.items()
        (path,) = mutant.functions
        inside = path.partition(".")[2]
        changed = ast.unparse(definition(with_edits(self._reference[module], [edit]), inside))
        function, kinds = definition(self._reference[module], inside), set()
        for change in (*edits_of(function), *confusions_of(function)):
            with change.made():
                if ast.unparse(function) == changed:
                    kinds.add(change.kind)
        return tuple(sorted(kinds))

    def held_out(self) -> Iterator[Wrong]:
        """One chaff each, whose hint, with that of all chaffs of the same hint, is not looked for."""
        for mistake in self._shuffled(self._of_chaffs()):
            same = tuple(chaff.name for chaff in self._chaffs if chaff.hint == mistake.hint)
            yield self._wrong(Mistake(mistake.name, mistake.functions, mistake.edits), left_out=same)

    def pairs(self) -> Iterator[Wrong]:
        """Two chaffs each: by turns of the same function, and of two."""
        chaffs = self._of_chaffs()
        same = self._two(chaffs, chaffs, lambda a, b: a.functions == b.functions)
        apart = self._two(chaffs, chaffs, lambda a, b: not a.functions & b.functions)
        for both in zip(same, apart, strict=False):
            yield from (self._wrong(*pair) for pair in both)

    def mixed(self) -> Iterator[Wrong]:
        """A chaff and a mutant each, of one function."""
        together = self._two(self._of_chaffs(), self._of_mutants(), lambda a, b: a.functions == b.functions)
        yield from (self._wrong(*pair) for pair in together)

    def _two(
        self, some: list[Mistake], others: list[Mistake], fit: Callable[[Mistake, Mistake], bool]
    ) -> Iterator[tuple[Mistake, Mistake]]:
        while True:
            one, other = self._chance.choice(some), self._chance.choice(others)
            if one.name != other.name and fit(one, other) and _apart(one, other):
                yield one, other

    def _wrong(self, *mistakes: Mistake, left_out: tuple[str, ...] = ()) -> Wrong:
        texts = {
            module: with_edits(text, [mistake.edits[module] for mistake in mistakes if module in mistake.edits])
            for module, text in self._reference.items()
        }
        numbers = {
            number
            for mistake in mistakes
            for function in mistake.functions
            for number in questions_of(function, self._assignment)
        }
        right = tuple(mistake.hint for mistake in mistakes if mistake.hint)
        return Wrong(" & ".join(each.name for each in mistakes), texts, tuple(sorted(numbers)), right, left_out)


KINDS: Mapping[str, Callable[[Mistakes], Iterator[Wrong]]] = {
    "mutants": Mistakes.mutants,
    "unlike": Mistakes.unlike,
    "pairs": Mistakes.pairs,
    "mixed": Mistakes.mixed,
    "held-out": Mistakes.held_out,
}


def definition(text: str, path: str) -> ast.FunctionDef:
    """The definition of a function or `Class.method` in a text."""
    node: ast.AST = ast.parse(text)
    for name in path.split("."):
        node = next(child for child in ast.iter_child_nodes(node) if getattr(child, "name", "") == name)
    assert isinstance(node, ast.FunctionDef)
    return node


def edit_between(before: str, after: str) -> Edit:
    """The shortest edit that leads from one text to another."""
    start = _same_at_once(before, after)
    tail = _same_at_once(before[start:][::-1], after[start:][::-1])
    return start, len(before) - tail, after[start : len(after) - tail]


def _same_at_once(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def with_edits(text: str, edits: Iterable[Edit]) -> str:
    """The text with edits of different places."""
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _apart(one: Mistake, other: Mistake) -> bool:
    """Whether two mistakes are made at different places, with something between them."""
    return all(
        one.edits[module][1] < other.edits[module][0] or other.edits[module][1] < one.edits[module][0]
        for module in one.edits.keys() & other.edits.keys()
    )
