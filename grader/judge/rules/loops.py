"""Loops in the text of a function, through what it calls inside the submission; recursion is a loop, too."""

from __future__ import annotations

import ast

from grader.judge.source import Reached, Texts
from grader.judge.syntax import COMPREHENSIONS, dotted, meaning

LOOPS = (ast.For, ast.AsyncFor, ast.While)
HIDDEN_LOOPS = ("map", "filter", "numpy.vectorize", "numpy.apply_along_axis", "numpy.fromiter", "functools.reduce")

# Calls of calls that are followed in the text.
MOST_CALLS = 100


def loop_depth(texts: Texts, function: str) -> int:
    """How deeply loops are nested in ``function``, through what it calls inside the submission; recursion counts."""
    start = texts.find(function)
    return _depth_of(texts, start, {}) if start else 0


def loop_count(texts: Texts, function: str) -> int:
    """How many loops there are in ``function`` and in what it calls inside the submission, nested or not."""
    start = texts.find(function)
    return _count_of(texts, start, set()) if start else 0


def _count_of(texts: Texts, here: Reached, known: set[ast.AST]) -> int:
    """``known``: definitions whose loops were counted."""
    if here.node in known or len(known) >= MOST_CALLS:
        return 0
    known.add(here.node)
    count = 0
    for node in ast.walk(here.node):
        name = dotted(node) if isinstance(node, ast.Name | ast.Attribute) else None
        target = texts.named(here, name) if name else None
        count += _own_loops(here, node) + (_count_of(texts, target, known) if target else 0)
    return count


def _depth_of(texts: Texts, here: Reached, known: dict[ast.AST, int], calls: int = 0) -> int:
    """``known``: depths found so far. A definition that is met again while it is looked at calls itself: a loop."""
    if here.node not in known and calls < MOST_CALLS:
        known[here.node] = 1
        known[here.node] = _deepest(texts, here, known, calls)
    return known.get(here.node, 0)


def _deepest(texts: Texts, here: Reached, known: dict[ast.AST, int], calls: int) -> int:
    deepest, stack = 0, [(here.node, 0)]
    while stack:
        node, depth = stack.pop()
        depth += _own_loops(here, node)
        name = dotted(node) if isinstance(node, ast.Name | ast.Attribute) else None
        target = texts.named(here, name) if name else None
        deepest = max(deepest, depth + (_depth_of(texts, target, known, calls + 1) if target else 0))
        stack.extend((child, depth) for child in ast.iter_child_nodes(node))
    return deepest


def _own_loops(here: Reached, node: ast.AST) -> int:
    if isinstance(node, COMPREHENSIONS):
        return len(node.generators)
    hidden = isinstance(node, ast.Call) and meaning(here.module.aliases, dotted(node.func) or "") in HIDDEN_LOOPS
    return int(hidden or isinstance(node, LOOPS))
