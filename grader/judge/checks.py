"""From a collected pytest item to an entry of the ledger: what gradescope-utils' decorators left on the function."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from grader.contract.assignment import Assignment, Question
from grader.contract.ledger import Entry


def entry_of(item: pytest.Function, assignment: Assignment) -> Entry:
    """The ledger's entry for a check."""
    function = item.function
    number = str(getattr(function, "__number__", ""))
    question = assignment.question_of(number)
    column = getattr(function, "__leaderboard_column__", None)
    return Entry(
        check=name_of(item),
        number=number,
        title=title_of(function),
        points=_points(function),
        edge=question.edge.get(number, "") if question else "",
        visibility=str(getattr(function, "__visibility__", "visible")),
        tags=tuple(str(tag) for tag in getattr(function, "__tags__", ())),
        fixed_text=str(getattr(function, "__hide_errors__", "")),
        leaderboard=(str(column), str(getattr(function, "__leaderboard_sort_order__", "desc"))) if column else None,
    )


def _points(function: Any) -> float:
    points = getattr(function, "__weight__", 0.0)
    return float(points) if isinstance(points, int | float) else float("nan")


def name_of(item: pytest.Item) -> str:
    """Unique name of a check: its file and its function."""
    return f"{item.path.name}::{item.name}"


def name_in(nodeid: str) -> str:
    """The name that :func:`name_of` gives to the check of this node id."""
    path, _, rest = nodeid.partition("::")
    function, bracket, parameters = rest.partition("[")
    return f"{path.rpartition('/')[2]}::{function.rpartition('::')[2]}{bracket}{parameters}"


def title_of(function: Any) -> str:
    """The first paragraph of the docstring, on one line."""
    text = inspect.getdoc(function) or ""
    return " ".join(text.split("\n\n")[0].split())


def wanted(
    entry: Entry,
    question: Question | None,
    data: frozenset[str],
    visible_only: bool,
    questions: tuple[str, ...] = (),
) -> bool:
    """Whether a check belongs to this grading; ``questions`` are those that are asked, all where it is empty."""
    if visible_only and entry.visibility != "visible":
        return False
    if questions and (question is None or question.number not in questions):
        return False
    return question is None or question.asked_with(data)


def _chain(function: Any) -> Iterator[Any]:
    while function is not None:
        yield function
        function = getattr(function, "__wrapped__", None)


def given(item: pytest.Function, name: str) -> Any:
    """What the check gave to ``set_score`` (``__score__``) or ``set_leaderboard_value``; ``None`` if nothing."""
    return next((vars(function)[name] for function in _chain(item.function) if name in vars(function)), None)


def forget(item: pytest.Function) -> None:
    """Forgets what an earlier run of the same check gave."""
    for function in _chain(item.function):
        for name in ("__score__", "__leaderboard_value__"):
            vars(function).pop(name, None)
