"""What may stand in the place of a node of a syntax tree after a slip, and what kind of slip that is."""

from __future__ import annotations

import ast
from collections.abc import Iterator

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


def alterations(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Pairs of a kind (see :mod:`grader.judge.advice.slips`) and a node to stand there."""
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
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int())):
            yield "number", node.operand  # an index or an axis
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


def is_axis(node: ast.AST) -> bool:
    """Whether a node is ``dim=...``: which other axes there are is for the call to say."""
    return isinstance(node, ast.keyword) and node.arg in _AXES


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
