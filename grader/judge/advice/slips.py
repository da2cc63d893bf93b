"""Slips: the reference's own function with one small change that people make, such as a wrong sign or a lost term.

No author wrote them down. They are tried where no chaff explains what a submission answered. What is told of one is
what kind of change it is, and which of the names that the template shows is computed there: never the reference's text.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from types import CodeType

from grader.contract.assignment import Assignment
from grader.judge.advice.edits import confusions_of, edits_of
from grader.judge.variants import span_of

MOST, MOST_CONFUSIONS = 200, 100
"""Of a longer function, whose runs take longest, no more slips are tried, nor more variables taken for another one."""

LOOK_FOR = {
    "sign": "a wrong sign",
    "term": "a term that is missing from a sum",
    "factor": "a missing factor",
    "division": "a missing division",
    "inverse": "a product and a division that are mixed up",
    "power": "a wrong power",
    "overwritten": "a result that is overwritten where it has to be added up",
    "number": "a number that is off",
    "axis": "a wrong axis",
    "condition": "a wrong condition",
    "flag": "True and False that are mixed up",
    "mean": "a sum and a mean that are mixed up",
    "extreme": "the largest and the smallest that are mixed up",
    "start": "zeros and ones that are mixed up",
    "random": "numbers drawn from another distribution",
    "transpose": "a missing transpose",
    "slice": "a slice with another beginning or end",
    "left out": "a step that is left out",
    "order": "two operands in the wrong order",
    "function": "another function in the place of the right one",
    "name": "a variable in the place of another one",
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
    def key(self) -> str:
        """What tells it from all other variants of its assignment's reference."""
        return f"{self.function} {self.number}"

    @property
    def hint(self) -> str:
        """The sentence for a student."""
        return sentence([self.kind], self.name)


def sentence(kinds: Collection[str], name: str) -> str:
    """What a student is told of slips of these kinds, or of an unknown kind if there is none."""
    if not kinds:
        return f"Look at how {name} is computed: a right function with one small mistake there gives this result, too."
    what = ", or ".join(LOOK_FOR.get(kind, f"a {kind}") for kind in sorted(kinds))
    where = f", where {name} is computed" if name else ""
    return f"Look for {what}{where}: a right function with just that mistake gives this result, too."


MOST_KINDS, MOST_KINDS_AT_ONE_PLACE = 2, 3


def common_hint(slips: Collection[Slip]) -> str:
    """The sentence that holds for all of some slips that answer alike; empty where they have too little in common."""
    kinds, names = {slip.kind for slip in slips}, {slip.name for slip in slips}
    name = names.pop() if len(names) == 1 else ""
    if kinds and len(kinds) <= (MOST_KINDS_AT_ONE_PLACE if name else MOST_KINDS):
        return sentence(kinds, name)
    return sentence((), name) if name else ""


def slips_of(path: str, assignment: Assignment) -> tuple[Slip, ...]:
    """The slips of a function of the reference, and of the private functions of its module that it calls.

    ``path`` is ``module.function`` or ``module.Class.method``; any other path has none.
    """
    module, _, inside = path.partition(".")
    spec = assignment.content.modules.get(module)
    if spec is None:
        return ()
    tree = ast.parse((assignment.reference / spec.file).read_text(encoding="utf-8"))
    every = list(_reached(tree, inside))
    changes = [(*each, edit) for each in every for edit in edits_of(each[1])][:MOST]
    changes += [(*each, edit) for each in every for edit in confusions_of(each[1])][:MOST_CONFUSIONS]
    names = _names_shown(path, assignment)
    found: list[Slip] = []
    for owner, function, edit in changes:
        with edit.made():
            code = _compiled(owner, function, module)
        if code is not None:
            place = ".".join([module, *([owner.name] if owner else []), function.name])
            name = next((name for name in edit.names if name in names), "")
            found.append(Slip(place, len(found), edit.kind, name, code))
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
    """The names that the template shows in the definition of a function: all that students can know it by.

    Words of its text that somewhere in the file stand as code does: before a bracket, a comma or an equals sign, behind
    an arrow or a dot, or in quotes. A mere word, such as "a", is no name.
    """
    module, _, inside = path.partition(".")
    template = assignment.template / assignment.content.modules[module].file
    if not template.is_file():
        return frozenset()
    text = template.read_text(encoding="utf-8")
    try:
        start, end = span_of(text, inside)
    except ValueError:
        return frozenset()
    words = frozenset(re.findall(r"[A-Za-z_]\w*", text[start:end]))
    return words & frozenset(_AS_CODE.findall(text)) - {"self", "a"}


_AS_CODE = re.compile(r"""[A-Za-z_]\w*(?=\s*[(=\[])|(?<=[."'])[A-Za-z_]\w*|(?<=-> )[A-Za-z_]\w*""")
