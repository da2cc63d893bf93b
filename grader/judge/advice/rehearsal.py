"""Variants of the reference in the submission's place, run by the judge itself, without a player.

A variant is the course's own text. The check that it runs in is told what the submission answered, so that it asks the
variant what it asked the submission; what the variant answers is set down beside that.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType, ModuleType
from typing import Any

from grader.contract.assignment import Assignment
from grader.contract.verdict import SubmissionProblem
from grader.judge import reference
from grader.judge.advice.actor import Actor, Modules
from grader.judge.advice.slips import Slip
from grader.judge.bench import Bench
from grader.judge.order import Order, understudy_of
from grader.judge.players import Answered, Player


def variant_of(assignment: Assignment, texts: Mapping[str, str]) -> Modules:
    """The reference's modules, with those of ``texts`` in another version.

    What a text imports is what the reference imported; everything else in it is defined anew.
    """
    modules = dict(vars(reference.load(assignment)))
    for name, text in texts.items():
        tree = ast.parse(text)
        tree.body = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
        fresh = ModuleType(name)
        vars(fresh).update({key: value for key, value in vars(modules[name]).items() if key != "__name__"})
        exec(compile(tree, f"<{name}>", "exec", dont_inherit=True), vars(fresh))  # noqa: S102 - the course's own text
        modules[name] = fresh
    return modules


@contextmanager
def slipped(modules: Modules, slip: Slip) -> Iterator[bool]:
    """A copy of the reference has the slip while this is entered; yields whether it could be made."""
    module, *owner, name = slip.function.split(".")
    found: Any = getattr(modules[module], owner[0]) if owner else modules[module]
    found = inspect.getattr_static(found, name)
    found = inspect.unwrap(getattr(found, "__func__", found))
    if not isinstance(found, FunctionType) or found.__code__.co_freevars != slip.code.co_freevars:
        yield False
        return
    before, found.__code__ = found.__code__, slip.code
    try:
        yield True
    finally:
        found.__code__ = before


class Rehearsal(Bench):
    """The bench of variants: what it gives for a player is a variant in this process."""

    def __init__(self, order: Order, assignment: Assignment) -> None:
        super().__init__(understudy_of(order, assignment))
        self._modules: Modules = {}
        self._heard = Answered()
        self.actor: Actor | None = None

    @property
    def unavailable(self) -> Mapping[str, SubmissionProblem]:
        """Nothing of the reference is missing."""
        return {}

    def stage(self, modules: Modules, heard: Answered) -> None:
        """Puts a variant on for the next run, in which the check hears the answers ``heard``."""
        self._modules, self._heard, self.actor = modules, heard, None

    def player(self) -> Player:
        """The variant."""
        self.actor = self.new_actor(self._modules, self._heard)
        return self.actor

    def new_actor(self, modules: Modules, heard: Answered) -> Actor:
        """A variant that was asked nothing yet."""
        return Actor(modules, self._helper, heard)

    def _helper(self, name: str) -> ModuleType:
        with reference.importing(self.assignment.reference, self.assignment.provided):
            return importlib.import_module(name)
