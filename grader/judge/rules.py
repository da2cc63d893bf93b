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
from grader.judge.source import Definition, Reached, Texts, dotted, meaning
from grader.judge.student import Function

LOOPS = (ast.For, ast.AsyncFor, ast.While)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
HIDDEN_LOOPS = ("map", "filter", "numpy.vectorize", "numpy.apply_along_axis", "numpy.fromiter", "functools.reduce")
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


def forbidden_uses(texts: Texts, function: str, rules: Rules) -> list[Use]:
    """The forbidden names that ``function``, and what it runs through inside the submission, mentions."""
    uses = [use for reached in texts.reached(function) for use in _uses(reached, rules)]
    return sorted(set(uses), key=lambda use: (use.file, use.line, use.name))


def _uses(reached: Reached, rules: Rules) -> Iterator[Use]:
    for node in _outermost_names(reached.node):
        name = dotted(node)
        if name is None:
            continue
        full = meaning(reached.module.aliases, name)
        found = forbidden(full, rules) or _as_method(node, full, reached, rules)
        if found:
            yield Use(found, reached.module.file, getattr(node, "lineno", 0))


def _as_method(node: ast.AST, full: str, reached: Reached, rules: Rules) -> str | None:
    """``x.norm`` on a value that is no module: the rule's ``Tensor.norm``."""
    if isinstance(node, ast.Attribute) and full.partition(".")[0] not in _imported(reached):
        return forbidden(f"Tensor.{node.attr}", rules)
    return None


def _imported(reached: Reached) -> set[str]:
    return {target.partition(".")[0] for target in reached.module.aliases.values()} | {"self", "cls"}


def _outermost_names(node: ast.AST) -> Iterator[ast.AST]:
    """Names and attribute chains, each once and whole; annotations, which do nothing, are left out."""
    stack: list[ast.AST] = [node]
    while stack:
        here = stack.pop()
        if isinstance(here, ast.Attribute | ast.Name | ast.Call) and dotted(here) is not None:
            yield here
            if isinstance(here, ast.Call):
                stack.extend(here.args)
            continue
        if isinstance(here, ast.Attribute):
            yield ast.copy_location(ast.Attribute(ast.Name("_", ast.Load()), here.attr, ast.Load()), here)
        stack.extend(_parts(here))


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
            if isinstance(node, ast.Call) and dotted(node) is None and dotted(node.func) in DYNAMIC:
                found.append(Use(str(dotted(node.func)), reached.module.file, node.lineno))
    return found


def loop_depth(texts: Texts, function: str) -> int:
    """How deeply loops are nested in ``function``, through what it calls inside the submission; recursion counts."""
    start = texts.find(function)
    return _depth_of(texts, start, ()) if start else 0


def _depth_of(texts: Texts, here: Reached, above: tuple[Definition, ...]) -> int:
    if here.node in above:
        return 1
    return _depth(texts, here, here.node, (*above, here.node))


def _depth(texts: Texts, here: Reached, node: ast.AST, above: tuple[Definition, ...]) -> int:
    own = 0
    if isinstance(node, LOOPS):
        own = 1
    elif isinstance(node, COMPREHENSIONS):
        own = len(node.generators)
    called = 0
    name = dotted(node) if isinstance(node, ast.Name | ast.Attribute) else None
    if name is not None:
        own = max(own, int(meaning(here.module.aliases, name) in HIDDEN_LOOPS))
        target = texts._in(here.module, name.replace("self.", here.name.partition(".")[0] + ".", 1))
        called = _depth_of(texts, target, above) if target else 0
    inside = max((_depth(texts, here, child, above) for child in ast.iter_child_nodes(node)), default=0)
    return own + max(inside, called)


@dataclass(frozen=True)
class Growth:
    """How the work of a call grew between two sizes: exponents of dispatched operations and of executed lines."""

    operations: float
    lines: float

    @property
    def order(self) -> int:
        """The larger exponent, rounded: how many nested loops run over the data."""
        return round(max(self.operations, self.lines))


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
        counts = [function.traced(*arguments)[1] for arguments in (small, large)]
        factor = math.log(_factor(small, large))
        operations, lines = ([_total(count, key) for count in counts] for key in ("operations", "lines"))
        return Growth(_exponent(operations, factor), _exponent(lines, factor))

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


def _factor(small: Sequence[Any], large: Sequence[Any]) -> float:
    ratios = [2.0]
    for one, other in zip(small, large, strict=True):
        shapes = zip(getattr(one, "shape", ()), getattr(other, "shape", ()), strict=False)
        ratios.extend(big / little for little, big in shapes if little)
    return max(ratios)


def _exponent(counts: Sequence[float], log_factor: float) -> float:
    few, many = counts
    return math.log(max(many, 1.0) / max(few, 1.0)) / log_factor if many > few else 0.0
