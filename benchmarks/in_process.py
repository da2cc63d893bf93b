"""A pytest plugin that runs the checks of A2 as most autograders do: the tests' own process imports the submission.

The checks themselves and what compares their answers are ours, unchanged; only the wall is gone. Checks that measure or
count what a submission does, or lend it objects, need a player, and are left out.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from grader.contract.course import default_course
from grader.judge import reference as references
from grader.judge.compare import Expectation
from grader.judge.draw import Draw
from grader.judge.figures import Show
from grader.judge.gradients import Gradients
from grader.judge.student import Student

NEED_A_PLAYER = ("cost", "rules", "accuracy", "data", "checkpoint", "passes")
LEND_OBJECTS = (
    "test_best_net",
    "test_best_stat",
    "test_classifier_objects",
    "test_net_learns",
    "test_net_saved",
    "test_one_set_accuracies",
    "test_one_set_trains",
    "test_train_decay",
    "test_train_steps",
)


class InProcess:
    """Answers what a player answers, from modules that are imported here."""

    def request(self, message: dict[str, Any], values: Any = None) -> tuple[Any, dict[str, Any]]:
        operation, target = message["op"], message.get("path", "")
        if operation == "call":
            args, kwargs = values
            result = _resolved(target)(*args, **kwargs)
            return ((result, tuple(args)) if message.get("observe") else result), {}
        if operation == "get":
            return _resolved(target), {}
        owner, _, name = target.rpartition(".")
        setattr(_resolved(owner), name, values)
        return True, {}


def _resolved(path: str) -> Any:
    head, *rest = path.split(".")
    found: Any = importlib.import_module(head)
    for name in rest:
        found = getattr(found, name)
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [
        item
        for item in items
        if item.name not in LEND_OBJECTS and not set(NEED_A_PLAYER) & set(getattr(item, "fixturenames", ()))
    ]


@pytest.fixture
def student() -> Student:
    if os.environ["SUBMISSION"] not in sys.path:
        sys.path.insert(0, os.environ["SUBMISSION"])
    return Student(SimpleNamespace(player=InProcess(), unavailable={}))


@pytest.fixture
def reference() -> SimpleNamespace:
    return references.load(default_course().assignment("a2"))


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> Draw:
    return Draw(b"s", "submission", request.node.name)


@pytest.fixture
def note() -> Any:
    return lambda text: None


@pytest.fixture
def show() -> Show:
    return Show()


@pytest.fixture
def flag() -> Any:
    return lambda text: None


@pytest.fixture
def lent() -> tuple[str, ...]:
    return ()


@pytest.fixture
def device() -> Any:
    import torch

    return torch.device("cpu")


@pytest.fixture
def expect(note: Any) -> Any:
    return lambda got, names=None: Expectation(got, names, note)


@pytest.fixture
def gradients(draw: Draw, note: Any) -> Gradients:
    return Gradients(draw, note)
