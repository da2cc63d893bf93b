"""Rules: what a solution may not use, and where it may not loop. Several witnesses, each of which is named.

The text is that of the very bytes that run; traces are taken in the player at two sizes, where a loop shows as work
that grows with the data. A trace can be tampered with, so that no *value* rests on it.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grader.contract.assignment import Rules
from grader.contract.verdict import Explanation, RuleBroken
from grader.judge.source import Definition, Reached, Texts, assignments, dotted, import_aliases, meaning
from grader.judge.student import Function

LOOPS = (ast.For, ast.AsyncFor, ast.While)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
HIDDEN_LOOPS = ("map", "filter", "numpy.vectorize", "numpy.apply_along_axis", "numpy.fromiter", "functools.reduce")

# Calls of calls that are followed in the text.
MOST_CALLS = 100

DYNAMIC = ("eval", "exec", "compile", "__import__", "importlib.import_module", "getattr", "globals", "vars")

# Begins the remark for staff on a forbidden function that was seen at work; it costs the whole question.
FORBIDDEN_CALL = "a forbidden function was called:"

# What torch.autograd does behind names of its own.
SAME_THING = {
    "torch.autograd": (
        "Tensor.backward",
        "Tensor.requires_grad_",
        "torch.func",
        "torch.enable_grad",
        "torch.Tensor.backward",
        "torch._C._functorch",
    ),
    "torch.nn": ("torch.conv1d", "torch.conv2d", "torch.conv3d", "torch._C._nn", "torch.ops.aten"),
    "torch.cdist": ("torch.functional.cdist", "torch.pairwise_distance", "torch._C._VariableFunctions.cdist"),
    "torch.norm": ("torch.functional.norm", "torch.Tensor.norm", "torch.linalg.vector_norm"),
}


@dataclass(frozen=True)
class Use:
    """A forbidden name in the text of the submission."""

    name: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.name} ({self.file}, line {self.line})"


def forbidden_uses(texts: Texts, function: str, rules: Rules, stop: frozenset[str] = frozenset()) -> list[Use]:
    """The forbidden names that ``function`` mentions, or what it runs through inside the submission up to ``stop``."""
    uses = [use for reached in texts.reached(function, stop) for use in _uses(texts, reached, rules)]
    return sorted(set(uses), key=lambda use: (use.file, use.line, use.name))


# What a name stands for inside a function: a dotted name, or None for a value that only a run can tell.
_Scope = Mapping[str, str | None]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _uses(texts: Texts, reached: Reached, rules: Rules) -> Iterator[Use]:
    module = reached.module
    scope = {name: target for name, target in module.aliases.items() if name not in module.definitions}
    for node, names in _outermost_names(reached.node, scope):
        found = _forbidden_name(texts, reached, node, names, rules)
        if found:
            yield Use(found, module.file, getattr(node, "lineno", 0))
    for node in ast.walk(reached.node):
        if _asks_for_gradients(node) and forbidden("Tensor.requires_grad_", rules):
            yield Use("requires_grad", module.file, getattr(node, "lineno", 0) or node.value.lineno)  # type: ignore[attr-defined]


def _forbidden_name(texts: Texts, reached: Reached, node: ast.AST, names: _Scope, rules: Rules) -> str | None:
    name = dotted(node) or ""
    head, dot, rest = name.partition(".")
    target = names.get(head, head)
    if target is not None:
        found = forbidden(target + dot + rest, rules)
        if found or head in names:
            return found
        own = texts.named(reached, name)
        if own and (not dot or isinstance(own.node, Definition | ast.Lambda)):
            return None
        starred = (forbidden(f"{star}.{name}", rules) for star in reached.module.stars)
        found = next(filter(None, starred), None)
        if found:
            return found
    if not dot or (head in ("self", "cls") and "." not in rest):
        return None
    # `x.norm` on a value that is no module: the rule's `Tensor.norm`.
    method = name.rpartition(".")[2]
    return None if method in _LIKE_OURS and method in texts.methods else forbidden(f"Tensor.{method}", rules)


# A layer's own `backward` is called as a tensor's is. Autograd is known by the gradients that it was asked for before.
_LIKE_OURS = ("backward",)


def _asks_for_gradients(node: ast.AST) -> bool:
    """``requires_grad=True`` as an argument or an assignment."""
    if isinstance(node, ast.keyword):
        asked = node.arg == "requires_grad"
    else:
        targets = [target for target, _ in assignments(node)]
        asked = any(isinstance(target, ast.Attribute) and target.attr == "requires_grad" for target in targets)
    value = getattr(node, "value", None)
    return asked and not (isinstance(value, ast.Constant) and not value.value)


def _outermost_names(node: ast.AST, scope: _Scope) -> Iterator[tuple[ast.AST, _Scope]]:
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


def _bound(function: ast.AST, scope: _Scope) -> dict[str, str | None]:
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


def forbidden(name: str, rules: Rules) -> str | None:
    """The name of the rule that ``name`` breaks, or ``None``."""
    if any(_covers(allowed, name) for allowed in rules.allowed):
        return None
    for rule in rules.forbidden:
        if any(_covers(covered, name) for covered in (rule, *SAME_THING.get(rule, ()))):
            return name
    return None


def _covers(rule: str, name: str) -> bool:
    return name == rule or name.startswith(rule + ".")


def dynamic_uses(texts: Texts, function: str) -> list[Use]:
    """Look-ups by names that only a run can tell (``eval``, ``getattr`` with a computed name): for staff to look at."""
    found = []
    for reached in texts.reached(function):
        for node in ast.walk(reached.node):
            if isinstance(node, ast.Call) and dotted(node) is None:
                name = meaning(reached.module.aliases, dotted(node.func) or "").removeprefix("builtins.")
                if name in DYNAMIC:
                    found.append(Use(name, reached.module.file, node.lineno))
    return found


def loop_depth(texts: Texts, function: str) -> int:
    """How deeply loops are nested in ``function``, through what it calls inside the submission; recursion counts."""
    start = texts.find(function)
    return _depth_of(texts, start, {}) if start else 0


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


@dataclass(frozen=True)
class Growth:
    """How the work of a call grew between two sizes.

    Attributes:
        operations, lines, calls: exponents of dispatched operations, executed lines, calls (libraries included).
        per_datum: operations, lines or calls that came with each step of the size.
    """

    operations: float
    lines: float
    calls: float
    per_datum: float

    @property
    def order(self) -> int:
        """The larger exponent, rounded: how many nested loops run over the data.

        Much work that does not grow hides a loop from the exponents, so that a step for each datum counts as one.
        """
        return max(round(max(self.operations, self.lines, self.calls)), int(self.per_datum >= 1))


class RuleChecks:
    """``rules``: what a check can ask about the way in which a function does its work.

    Args:
        texts: the submission's text.
        rules_for: the rules that hold for a function, by its path.
        note: takes a remark for the student.
        flag: takes a remark for staff.
    """

    def __init__(
        self, texts: Texts, rules_for: Callable[[str], Rules], note: Callable[[str], None], flag: Callable[[str], None]
    ) -> None:
        self._texts = texts
        self._rules_for = rules_for
        self._note = note
        self._flag = flag

    def vectorised(self, function: Function, small: Sequence[Any], large: Sequence[Any]) -> None:
        """Raises :class:`RuleBroken` when the work of ``function`` is done in a Python loop over the data."""
        self.loops(function, small, large, at_most=0)

    def loops(
        self, function: Function, small: Sequence[Any], large: Sequence[Any], at_least: int = 0, at_most: int = 2
    ) -> None:
        """Raises :class:`RuleBroken` when the number of nested loops over the data is not in the range.

        Args:
            function: a function of the submission.
            small, large: positional arguments of two sizes; every dimension that may be looped over grows by the same
                factor, at least 4.
            at_least, at_most: the range.
        """
        growth = self.growth(function, small, large)
        depth = loop_depth(self._texts, function._path)
        evidence = f"text: {depth} nested loops; {growth}"
        if growth.order > at_most:
            raise RuleBroken(self._too_many(growth.order, at_most, evidence))
        if growth.order < at_least:
            raise RuleBroken(self._too_few(growth.order, at_least, evidence))
        if depth > at_most:
            self._note("There is a loop in the text, but its length does not depend on the size of the data: accepted.")
            self._flag(f"{function._path}: a loop that the trace does not see. {evidence}")

    @staticmethod
    def _too_many(order: int, at_most: int, evidence: str) -> Explanation:
        wanted = {0: "no Python loop over the data", 1: "at most one loop over the data"}.get(
            at_most, f"at most {at_most} loops"
        )
        return Explanation(
            "The work is done step by step in Python: it grows with the size of the data as loops do. "
            "Write it with whole-tensor operations.",
            expected=wanted,
            got=f"the number of steps grows with the power {order} of the size",
            evidence=evidence,
        )

    @staticmethod
    def _too_few(order: int, at_least: int, evidence: str) -> Explanation:
        return Explanation(
            f"This version is meant to show {at_least} explicit loop{'s' * (at_least > 1)} over the data.",
            expected=f"{at_least} nested loop{'s' * (at_least > 1)}",
            got="no loop" if order < 1 else f"{order} loop",
            evidence=evidence,
        )

    def growth(self, function: Function, small: Sequence[Any], large: Sequence[Any]) -> Growth:
        """How operations and lines of ``function`` grow from ``small`` to ``large`` arguments, as exponents."""
        # The first call pays for what is imported and remembered once; it is not counted.
        counts = [function.traced(*arguments)[1] for arguments in (small, small, large)][1:]
        factor = math.log(_factor(small, large))
        totals = [[_total(count, key) for count in counts] for key in ("operations", "lines", "calls")]
        more = max(large_count - small_count for small_count, large_count in totals)
        operations, lines, calls = (_exponent(total, factor) for total in totals)
        return Growth(operations, lines, calls, more / _difference(small, large))

    def traced(self, function: Function, *args: Any) -> Any:
        """Calls ``function`` under the trace; raises :class:`RuleBroken` when it calls a forbidden function."""
        result, trace = function.traced(*args)
        functions = trace.get("functions")
        rules = self._rules_for(function._path)
        for name in functions if isinstance(functions, Mapping) else ():
            if isinstance(name, str) and (forbidden(name, rules) or forbidden(_as_written(name), rules)):
                self._flag(f"{FORBIDDEN_CALL} {name}")
                raise RuleBroken(
                    Explanation(
                        f"The program calls {_as_written(name)}, which this assignment asks you to write yourself."
                    )
                )
        return result


def _as_written(name: str) -> str:
    return name.replace("torch.Tensor.", "Tensor.").replace("torch.functional.", "torch.")


def _total(trace: Mapping[str, Any], key: str) -> float:
    value = trace.get(key, 0)
    values = value.values() if isinstance(value, Mapping) else [value]
    return float(sum(count for count in values if type(count) is int and 0 <= count < 2**53))


def _sizes(small: Sequence[Any], large: Sequence[Any]) -> Iterator[tuple[int, int]]:
    for one, other in zip(small, large, strict=True):
        yield from zip(getattr(one, "shape", ()), getattr(other, "shape", ()), strict=False)


def _factor(small: Sequence[Any], large: Sequence[Any]) -> float:
    return max([2.0, *(big / little for little, big in _sizes(small, large) if little)])


def _difference(small: Sequence[Any], large: Sequence[Any]) -> float:
    """The smallest step by which a dimension grew: a loop over any of them makes at least so many rounds more."""
    return min((big - little for little, big in _sizes(small, large) if big > little), default=math.inf)


def _exponent(counts: Sequence[float], log_factor: float) -> float:
    few, many = counts
    return math.log(max(many, 1.0) / max(few, 1.0)) / log_factor if many > few else 0.0
