"""What names stand for inside a function: every name and attribute chain of its text, with the scope around it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from grader.judge.syntax import COMPREHENSIONS, Definition, assignments, dotted, import_aliases

# What a name stands for inside a function: a dotted name, or None for a value that only a run can tell.
Scope = Mapping[str, str | None]

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def outermost_names(node: ast.AST, scope: Scope) -> Iterator[tuple[ast.AST, Scope]]:
    """Names and attribute chains, each once and whole, with what names stand for there; annotations are left out."""
    stack = [(node, scope)]
    while stack:
        here, scope = stack.pop()
        if isinstance(here, (*_FUNCTIONS, *COMPREHENSIONS)):
            scope = {**scope, **_bound(here, scope)}
        if isinstance(here, ast.Attribute | ast.Name | ast.Call | ast.Subscript) and dotted(here) is not None:
            yield here, scope
            if isinstance(here, ast.Call):
                stack.extend((argument, scope) for argument in here.args)
            continue
        if isinstance(here, ast.Attribute):
            unnamed = ast.Attribute(ast.Name("_", ast.Load()), here.attr, ast.Load())
            yield ast.copy_location(unnamed, here), {**scope, "_": None}
        stack.extend((part, scope) for part in _parts(here))


def _bound(function: ast.AST, scope: Scope) -> dict[str, str | None]:
    """What a function binds itself: arguments and variables, which stand for a module where one is assigned to them."""
    bound: dict[str, str | None] = {}
    everywhere = {name for node in ast.walk(function) if isinstance(node, ast.Global) for name in node.names}
    for node in _own_nodes(function):
        if isinstance(node, ast.arg):
            bound.setdefault(node.arg, None)
        elif isinstance(node, Definition):
            bound.setdefault(node.name, None)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id not in everywhere:
            bound.setdefault(node.id, None)
        bound.update(import_aliases(node))
        for target, value in [*assignments(node), *_walrus(node)]:
            head, dot, rest = (dotted(value) or "").partition(".")
            meant = bound.get(head) or (scope.get(head) if head not in bound else None)
            if isinstance(target, ast.Name) and meant:
                bound[target.id] = meant + dot + rest
    return bound


def _walrus(node: ast.AST) -> list[tuple[ast.expr, ast.expr]]:
    return [(node.target, node.value)] if isinstance(node, ast.NamedExpr) else []


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function in their order, without those of functions and comprehensions inside it."""
    stack = list(ast.iter_child_nodes(function))[::-1]
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, (*_FUNCTIONS, *COMPREHENSIONS)):
            stack.extend(list(ast.iter_child_nodes(node))[::-1])


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_comment"):
            continue
        yield from (item for item in (value if isinstance(value, list) else [value]) if isinstance(item, ast.AST))
