"""Small changes to the syntax tree of a function: at one place each, made, and taken back."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

_SIGN: dict[type, ast.operator] = {ast.Add: ast.Sub(), ast.Sub: ast.Add()}
_INVERSE: dict[type, ast.operator] = {ast.Mult: ast.Div(), ast.Div: ast.Mult(), ast.FloorDiv: ast.Mult()}
_COMPARED: dict[type, tuple[ast.cmpop, ...]] = {
    ast.Lt: (ast.LtE(), ast.Gt(), ast.GtE()),
    ast.LtE: (ast.Lt(), ast.GtE(), ast.Gt()),
    ast.Gt: (ast.GtE(), ast.Lt(), ast.LtE()),
    ast.GtE: (ast.Gt(), ast.LtE(), ast.Lt()),
    ast.Eq: (ast.NotEq(),),
    ast.NotEq: (ast.Eq(),),
    ast.Is: (ast.IsNot(),),
    ast.IsNot: (ast.Is(),),
}
_OTHERS = {
    "mean": ("sum", "mean"),
    "extreme": ("max", "min"),
    "start": ("zeros", "ones"),
    "random": ("rand", "randn"),
}
_ENDINGS = {"start": ("", "_like"), "extreme": ("", "imum"), "mean": ("",), "random": ("", "_like")}
_PREFIXES = {"start": ("", "new_"), "extreme": ("", "a", "arg"), "mean": ("",), "random": ("",)}
OTHER_NAMES = {
    prefix + here + ending: (kind, prefix + there + ending)
    for kind, pair in _OTHERS.items()
    for prefix in _PREFIXES[kind]
    for ending in _ENDINGS[kind]
    for here, there in (pair, pair[::-1])
}
"""Name of a function -> the kind of the slip that takes another one, and that one's name."""

LEFT_OUT = frozenset(
    {"exp", "log", "sqrt", "abs", "square", "tanh", "sigmoid", "relu", "clamp", "softmax", "contiguous"}
)
"""Functions that are forgotten; their argument stays."""

INSTEAD = {"sqrt": "square", "square": "sqrt", "exp": "log", "log": "exp", "tanh": "sigmoid", "sigmoid": "tanh"}
_AXES = frozenset({"dim", "axis"})


@dataclass(frozen=True)
class Edit:
    """One change.

    Attributes:
        kind: what kind of slip it is (see :mod:`grader.judge.slips`).
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
    if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr | ast.FunctionDef | ast.Lambda):
        return
    names = (*_names_of(node), *names) if isinstance(node, ast.stmt) else names
    for kind, new in _changes(node):
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


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.BinOp():
            yield from _of_operation(node)
        case ast.AugAssign():
            yield from _of_augmented(node)
        case ast.Compare(ops=[operator]):
            yield from (("condition", ast.Compare(node.left, [o], node.comparators)) for o in _others(operator))
        case ast.BoolOp():
            yield "condition", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
            if len(node.values) == 2:
                yield from (("condition", value) for value in node.values)
        case ast.UnaryOp(op=ast.USub() | ast.Not()):
            yield "sign" if isinstance(node.op, ast.USub) else "condition", node.operand
        case ast.Constant():
            yield from _of_constant(node)
        case ast.Attribute(attr="T" | "mT"):
            yield "transpose", node.value
        case ast.Call():
            yield from _of_call(node)
        case ast.Slice():
            yield from _of_slice(node)
        case ast.Assign(targets=[target]):
            yield from _of_assignment(node, target)


def _others(operator: ast.cmpop) -> tuple[ast.cmpop, ...]:
    return _COMPARED.get(type(operator), ())


def _of_assignment(node: ast.Assign, target: ast.expr) -> Iterator[tuple[str, ast.AST]]:
    """What is written into a container can be left out, and a name that is computed from itself can stay as it was."""
    parts = ast.walk(node.value)
    own = isinstance(target, ast.Name) and any(isinstance(part, ast.Name) and part.id == target.id for part in parts)
    if own or isinstance(target, ast.Subscript):
        yield "left out", ast.Pass()


def _of_operation(node: ast.BinOp) -> Iterator[tuple[str, ast.AST]]:
    operator = type(node.op)
    if operator in _SIGN:
        yield "sign", ast.BinOp(node.left, _SIGN[operator], node.right)
        yield "term", node.left
        if operator is ast.Add:
            yield "term", node.right
        else:
            yield "term", ast.UnaryOp(ast.USub(), node.right)
            yield "order", ast.BinOp(node.right, node.op, node.left)
    elif operator in _INVERSE:
        yield "inverse", ast.BinOp(node.left, _INVERSE[operator], node.right)
        if operator is ast.Mult:
            yield "factor", node.left
            yield "factor", node.right
        else:
            yield "division", node.left
    elif operator is ast.Pow:
        yield "power", ast.BinOp(node.left, ast.Mult(), node.right)
        yield "power", node.left
    elif operator is ast.MatMult:
        yield "order", ast.BinOp(node.right, node.op, node.left)
    elif operator is ast.Mod:
        yield "inverse", ast.BinOp(node.left, ast.FloorDiv(), node.right)


def _of_augmented(node: ast.AugAssign) -> Iterator[tuple[str, ast.AST]]:
    operator = type(node.op)
    assigned = ast.Assign([node.target], node.value)
    if operator in _SIGN:
        yield "sign", ast.AugAssign(node.target, _SIGN[operator], node.value)
        yield "overwritten", assigned
        yield "term", ast.Pass()
    elif operator in _INVERSE:
        yield "inverse", ast.AugAssign(node.target, _INVERSE[operator], node.value)
        yield "division" if operator is ast.Div else "factor", ast.Pass()
        yield "overwritten", assigned


def _of_constant(node: ast.Constant) -> Iterator[tuple[str, ast.AST]]:
    value = node.value
    if isinstance(value, bool):
        yield "flag", ast.Constant(not value)
    elif isinstance(value, int):
        yield from (("number", ast.Constant(value + step)) for step in (1, -1))
    elif isinstance(value, float):
        yield from (("number", ast.Constant(factor * value)) for factor in (2.0, 0.5))


def _of_call(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    method = isinstance(node.func, ast.Attribute)
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")

    def named(other: str) -> ast.Call:
        func = ast.Attribute(node.func.value, other, ast.Load()) if method else ast.Name(other, ast.Load())  # type: ignore[attr-defined]
        return ast.Call(func, node.args, node.keywords)

    if name in OTHER_NAMES:
        kind, other = OTHER_NAMES[name]
        yield kind, named(other)
    if name in INSTEAD:
        yield "function", named(INSTEAD[name])
    inner = _inner(node)
    if name in LEFT_OUT and inner is not None:
        yield f"missing {name}", inner
    if name in ("t", "transpose", "permute") and method and inner is not None:
        yield "transpose", inner
    for index, keyword in enumerate(node.keywords):
        for other_axis in _other_axes(keyword):
            keywords = [*node.keywords[:index], ast.keyword(keyword.arg, other_axis), *node.keywords[index + 1 :]]
            yield "axis", ast.Call(node.func, node.args, keywords)


def _other_axes(keyword: ast.keyword) -> Iterator[ast.expr]:
    if keyword.arg not in _AXES:
        return
    value = keyword.value
    if isinstance(value, ast.Tuple):
        yield from (ast.Tuple([e for e in value.elts if e is not left], ast.Load()) for left in value.elts)
    elif isinstance(value, ast.UnaryOp):  # dim=-1
        yield from (ast.Constant(axis) for axis in (0, 1, -2))
    elif isinstance(value, ast.Constant) and type(value.value) is int:
        yield from (ast.Constant(axis) for axis in (0, 1, 2) if axis != value.value)


def _inner(node: ast.Call) -> ast.expr | None:
    """What a call works on: ``x`` of ``x.exp()`` and of ``torch.exp(x)``."""
    if not isinstance(node.func, ast.Attribute):
        return node.args[0] if node.args else None
    if isinstance(node.func.value, ast.Name) and node.func.value.id in ("torch", "math", "np", "F"):
        return node.args[0] if node.args else None
    return node.func.value


def _of_slice(node: ast.Slice) -> Iterator[tuple[str, ast.AST]]:
    if node.lower is not None:
        yield "slice", ast.Slice(None, node.upper, node.step)
    if node.upper is not None:
        yield "slice", ast.Slice(node.lower, None, node.step)
