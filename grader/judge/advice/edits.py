"""Small changes to the syntax tree of a function: at one place each, made, and taken back."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from grader.judge.advice.alterations import alterations, is_axis


@dataclass(frozen=True)
class Edit:
    """One change.

    Attributes:
        kind: what kind of slip it is (see :mod:`grader.judge.advice.slips`).
        names: what is computed there, the likeliest name first.
        holder, field, at: where the changed node hangs: an attribute of a node, and its index where that is a list.
        new: what is put there.
    """

    kind: str
    names: tuple[str, ...]
    holder: ast.AST
    field: str
    at: int | None
    new: Any

    @contextmanager
    def made(self) -> Iterator[None]:
        """The tree has the change while this is entered."""
        before = self._set(self.new)
        try:
            yield
        finally:
            self._set(before)

    def _set(self, new: Any) -> Any:
        value = getattr(self.holder, self.field)
        if self.at is None:
            setattr(self.holder, self.field, new)
            return value
        before, value[self.at] = value[self.at], new
        return before


def edits_of(function: ast.FunctionDef) -> Iterator[Edit]:
    """All changes to the body of a function, in the order of the text."""
    for at, statement in enumerate(function.body):
        if not (at == 0 and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
            yield from _below(function, "body", at, statement, ())


def _below(holder: ast.AST, field: str, at: int | None, node: ast.AST, names: tuple[str, ...]) -> Iterator[Edit]:
    if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr | ast.FunctionDef | ast.Lambda) or is_axis(node):
        return
    names = (*_names_of(node), *names) if isinstance(node, ast.stmt) else names
    for kind, new in alterations(node):
        yield Edit(kind, names, holder, field, at, ast.fix_missing_locations(ast.copy_location(new, node)))
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        opposite = ast.UnaryOp(ast.Not(), node.test)
        yield Edit(
            "condition", names, node, "test", None, ast.fix_missing_locations(ast.copy_location(opposite, node.test))
        )
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            for index, child in enumerate(value):
                if isinstance(child, ast.AST):
                    inner = _key(node, index) if name == "values" else ()
                    yield from _below(node, name, index, child, (*inner, *names))
        elif isinstance(value, ast.AST) and name not in ("annotation", "ctx", "op"):
            yield from _below(node, name, None, value, names)


def _key(node: ast.AST, index: int) -> tuple[str, ...]:
    """The key under which a value of a dict stands, if it is text."""
    key = node.keys[index] if isinstance(node, ast.Dict) else None
    return (key.value,) if isinstance(key, ast.Constant) and isinstance(key.value, str) else ()


def confusions_of(function: ast.FunctionDef) -> list[Edit]:
    """All ways to take one variable for another one in the body of a function, those of like names first."""
    arguments = [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]
    stored = [node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    known = [name for name in dict.fromkeys((*arguments, *stored)) if name not in ("self", "_")]
    found = []
    for statement in ast.walk(function):
        if isinstance(statement, ast.stmt) and statement is not function:
            for holder, field, at, node in _own_nodes(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in known:
                    for other in known:
                        new = ast.copy_location(ast.Name(other, ast.Load()), node)
                        edit = Edit("name", _names_of(statement), holder, field, at, new)
                        found.append((_likeness(node.id, other), edit))
    return [edit for likeness, edit in sorted(found, key=lambda each: -each[0]) if likeness < 1]


def _likeness(one: str, other: str) -> float:
    """How much of two names is the same, from 0 to 1."""
    return SequenceMatcher(None, one, other).ratio()


def _own_nodes(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """What hangs below a node and belongs to no statement within it, and where it hangs."""
    for field, value in ast.iter_fields(node):
        for at, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.stmt):
                yield node, field, at, child
                yield from _own_nodes(child)


def _names_of(statement: ast.stmt) -> tuple[str, ...]:
    """What a statement computes: the names and the keys that it assigns to."""
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AugAssign | ast.AnnAssign):
        targets = [statement.target]
    found: list[str] = []
    for target in targets:
        if isinstance(target, ast.Tuple):
            continue  # which of them is meant cannot be told
        found += _names_in(target)
    return tuple(found)


def _names_in(target: ast.expr) -> Iterator[str]:
    """``grads["W"]`` and ``self.grads["W"]``: W, then grads."""
    while isinstance(target, ast.Subscript | ast.Attribute):
        if isinstance(target, ast.Attribute):
            yield target.attr
        elif isinstance(target.slice, ast.Constant):
            yield str(target.slice.value)
        target = target.value
    if isinstance(target, ast.Name):
        yield target.id
