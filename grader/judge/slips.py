"""Slips: the reference's own function with one small change that people make, such as a wrong sign or a lost term.

No author wrote them down. They are tried where no chaff explains what a submission answered. What is told of one is
what kind of change it is, and which of the names that the template shows is computed there: never the reference's text.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

from grader.contract.assignment import Assignment
from grader.judge.edits import edits_of
from grader.judge.variants import span_of

MOST = 150
"""Of a longer function, whose runs take longest, no more slips are tried."""

LOOK_FOR = {
    "sign": "a wrong sign",
    "negation": "a minus that is missing, or one too many",
    "term": "a term that is missing from a sum",
    "factor": "a missing factor",
    "division": "a missing division",
    "inverse": "a division in the place of a product, or the other way round",
    "power": "a wrong power",
    "overwritten": "a result that is overwritten where it has to be added up",
    "number": "a number that is off",
    "axis": "a wrong axis",
    "comparison": "a wrong comparison",
    "condition": "a condition that is the wrong way round",
    "flag": "True in the place of False, or the other way round",
    "mean": "a sum in the place of a mean, or the other way round",
    "extreme": "the largest in the place of the smallest, or the other way round",
    "start": "zeros in the place of ones, or the other way round",
    "random": "numbers drawn from another distribution",
    "transpose": "a missing transpose",
    "slice": "a slice with another beginning or end",
    "left out": "a step that is left out",
    "order": "two operands in the wrong order",
    "index": "an index that is off",
    "function": "another function in the place of the right one",
}
"""Kind of a change -> what the student is told to look for."""


@dataclass(frozen=True)
class Slip:
    """One small change to a function of the reference.

    Attributes:
        function: the function that is changed, as ``module.function`` or ``module.Class.method``.
        number: which of the changes to it this is.
        kind: a key of ``LOOK_FOR``, or ``missing NAME`` for a call that is left out.
        name: what is computed there, if students know it by this name.
        code: the changed function.
    """

    function: str
    number: int
    kind: str
    name: str
    code: CodeType

    @property
    def hint(self) -> str:
        """The sentence for a student."""
        return sentence(self.kind, self.name)


def sentence(kind: str, name: str) -> str:
    """What a student is told. An empty kind or name is one that is not known."""
    missing = kind.startswith("missing ")
    if not kind:
        return (
            f"Look at how {name} is computed: with one small change there, and nowhere else, the right function answers "
            "as yours does."
        )
    what = f"a {kind}" if missing else LOOK_FOR[kind]
    where = f" where {name} is computed" if name else ""
    return f"Look for {what}{where}: with that as the only change, the right function answers as yours does."


def common_hint(slips: list[Slip]) -> str:
    """The sentence that holds for all of some slips that answer alike; empty where they have nothing in common."""
    kinds, names = {slip.kind for slip in slips}, {slip.name for slip in slips}
    kind = kinds.pop() if len(kinds) == 1 else ""
    name = names.pop() if len(names) == 1 else ""
    return sentence(kind, name) if kind or name else ""


def slips_of(path: str, assignment: Assignment) -> tuple[Slip, ...]:
    """The slips of a function of the reference, and of the private functions of its module that it calls.

    ``path`` is ``module.function`` or ``module.Class.method``; any other path has none.
    """
    module, _, inside = path.partition(".")
    spec = assignment.content.modules.get(module)
    if spec is None:
        return ()
    tree = ast.parse((assignment.reference / spec.file).read_text(encoding="utf-8"))
    names = _names_shown(path, assignment)
    found: list[Slip] = []
    for each in _reached(tree, inside):
        owner, function = each
        place = f"{module}.{owner.name}.{function.name}" if owner else f"{module}.{function.name}"
        for edit in edits_of(function):
            with edit.made():
                code = _compiled(owner, function, module)
            if code is not None:
                name = next((name for name in edit.names if name in names), "")
                found.append(Slip(place, len(found), edit.kind, name, code))
            if len(found) == MOST:
                return tuple(found)
    return tuple(found)


Definition = tuple[ast.ClassDef | None, ast.FunctionDef]


def _reached(tree: ast.Module, path: str) -> Iterator[Definition]:
    """The function of this path, and the private ones that it names."""
    every = dict(_definitions(tree))
    if path not in every:
        return
    yield every[path]
    owner, function = every[path]
    called = {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
    called |= {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    for name in sorted(name for name in called if name.startswith("_") and not name.startswith("__")):
        for place in (f"{owner.name}.{name}" if owner else "", name):
            if place in every:
                yield every[place]


def _definitions(tree: ast.Module) -> Iterator[tuple[str, Definition]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, (None, node)
        elif isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef):
                    yield f"{node.name}.{method.name}", (node, method)


def _compiled(owner: ast.ClassDef | None, function: ast.FunctionDef, module: str) -> CodeType | None:
    """The code of a function as it stands; ``None`` where no Python comes of the change.

    Within the body of its class, so that ``super()`` finds its way.
    """
    bare = ast.FunctionDef(**{**dict(ast.iter_fields(function)), "decorator_list": []})
    ast.copy_location(bare, function)
    body: ast.stmt = bare
    if owner is not None:
        body = ast.ClassDef(name=owner.name, bases=[], keywords=[], body=[bare], decorator_list=[])
        ast.copy_location(body, owner)
    try:
        code = compile(ast.Module([body], []), f"<{module}>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    for name in (*([owner.name] if owner else []), function.name):
        code = next(part for part in code.co_consts if isinstance(part, CodeType) and part.co_name == name)
    return code


def _names_shown(path: str, assignment: Assignment) -> frozenset[str]:
    """The names that the template shows in the definition of a function: all that students can know it by."""
    module, _, inside = path.partition(".")
    text = (assignment.template / assignment.content.modules[module].file).read_text(encoding="utf-8")
    try:
        start, end = span_of(text, inside)
    except ValueError:
        return frozenset()
    return frozenset(re.findall(r"[A-Za-z_]\w*", text[start:end])) - {"self"}
