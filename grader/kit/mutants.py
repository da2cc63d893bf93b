"""Mutants: the reference with one small change that a machine made, such as ``+`` for ``-`` or ``amin`` for ``amax``.

libcst finds the places and writes the text. Only what students write is changed: the regions that the reference marks
as tasks, in functions that are asked for. Where a mutant behaves like the reference, ``equivalent.toml`` beside the
checks names it and says why; every other one has to fail a check. A mutant is named by its function and by what stands
there before and after: ``knn.predict_labels: largest=False -> largest=True``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

import libcst as cst
from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper
from pydantic import ConfigDict, TypeAdapter, ValidationError

from grader.contract.assignment import EQUIVALENT, Assignment, AssignmentError, read_toml, sentences
from grader.kit.marks import read, regions
from grader.kit.subjects import Kind, Subject, questions_of

_BINARY: dict[type[cst.BaseBinaryOp], cst.BaseBinaryOp] = {
    cst.Add: cst.Subtract(),
    cst.Subtract: cst.Add(),
    cst.Multiply: cst.Divide(),
    cst.Divide: cst.Multiply(),
    cst.FloorDivide: cst.Multiply(),
    cst.Modulo: cst.FloorDivide(),
    cst.Power: cst.Multiply(),
}
_AUGMENTED: dict[type[cst.BaseAugOp], cst.BaseAugOp] = {
    cst.AddAssign: cst.SubtractAssign(),
    cst.SubtractAssign: cst.AddAssign(),
    cst.MultiplyAssign: cst.DivideAssign(),
    cst.DivideAssign: cst.MultiplyAssign(),
}
_COMPARED: dict[type[cst.BaseCompOp], tuple[cst.BaseCompOp, ...]] = {
    cst.LessThan: (cst.LessThanEqual(), cst.GreaterThan()),
    cst.LessThanEqual: (cst.LessThan(), cst.GreaterThan()),
    cst.GreaterThan: (cst.GreaterThanEqual(), cst.LessThan()),
    cst.GreaterThanEqual: (cst.GreaterThan(), cst.LessThan()),
    cst.Equal: (cst.NotEqual(),),
    cst.NotEqual: (cst.Equal(),),
    cst.Is: (cst.IsNot(),),
    cst.IsNot: (cst.Is(),),
}
_NAMES = {
    "sum": "mean",
    "mean": "sum",
    "max": "min",
    "min": "max",
    "amax": "amin",
    "argmax": "argmin",
    "randn": "rand",
    "rand": "randn",
    "zeros": "ones",
    "ones": "zeros",
    "zeros_like": "ones_like",
    "ones_like": "zeros_like",
    "new_zeros": "new_ones",
    "sqrt": "square",
    "rsqrt": "sqrt",
    "exp": "square",
    "clamp": "add",
    "tanh": "sigmoid",
    "sigmoid": "tanh",
}


@dataclass(frozen=True)
class Mutant:
    """One change to the reference.

    Attributes:
        name: its name, unique in its assignment.
        module: the module that is changed.
        function: the function, as ``module.function``.
        text: the text of the whole module.
    """

    name: str
    module: str
    function: str
    text: str


@dataclass(frozen=True)
class _Place:
    function: str
    node: cst.CSTNode
    replacement: cst.CSTNode


def mutants(assignment: Assignment) -> Iterator[Mutant]:
    """All mutants of the functions that students write, in the order of the text; some texts may be equal."""
    for name, spec in assignment.content.modules.items():
        source = (assignment.reference / spec.file).read_bytes()
        wrapper = MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)
        tree, spans = wrapper.module, wrapper.resolve(ByteSpanPositionProvider)
        asked = {question.function for question in assignment.content.questions if question.module == name}
        tasks = _tasks(source, spec.file)
        seen: Counter[str] = Counter()
        for place in _places(tree, name, asked):
            if not any(spans[place.node].start in task for task in tasks):
                continue
            title = f"{place.function}: {_code(tree, place.node)} -> {_code(tree, place.replacement)}"
            seen[title] += 1
            title = title if seen[title] == 1 else f"{title} ({seen[title]})"
            span, new = spans[place.node], tree.code_for_node(_bare(place.replacement)).encode()
            changed = source[: span.start] + new + source[span.start + span.length :]
            yield Mutant(title, name, place.function, changed.decode())


def _tasks(source: bytes, file: str) -> list[range]:
    """Where, in bytes, the regions lie that students write."""
    starts = [0, *accumulate(len(line) for line in source.splitlines(keepends=True))]
    found = regions(read(source.decode(), file))
    return [range(starts[region.first], starts[region.last]) for region in found if region.kind == "task"]


def _code(tree: cst.Module, node: cst.CSTNode) -> str:
    return " ".join(tree.code_for_node(_bare(node)).split())


def _bare(node: cst.CSTNode) -> cst.CSTNode:
    """The node without the parentheses around it, which are no part of its span."""
    return node.with_changes(lpar=[], rpar=[]) if hasattr(node, "lpar") else node


def _places(tree: cst.Module, module: str, asked: set[str]) -> Iterator[_Place]:
    for path, function in _functions(tree.body):
        if f"{module}.{path}" in asked:
            for statement in function.body.body:
                if not _is_docstring(statement):
                    for node, replacement in _changes(statement):
                        yield _Place(f"{module}.{path}", node, replacement)


def _functions(body: object, above: str = "") -> Iterator[tuple[str, cst.FunctionDef]]:
    for node in body if isinstance(body, list | tuple) else ():
        if isinstance(node, cst.FunctionDef):
            yield above + node.name.value, node
        elif isinstance(node, cst.ClassDef):
            yield from _functions(node.body.body, f"{above}{node.name.value}.")


def _is_docstring(statement: cst.CSTNode) -> bool:
    first = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
    return isinstance(first, cst.Expr) and isinstance(first.value, cst.SimpleString | cst.ConcatenatedString)


def _changes(node: cst.CSTNode) -> Iterator[tuple[cst.CSTNode, cst.CSTNode]]:
    """Pairs of a node and what may stand in its place, for everything below ``node``."""
    if isinstance(node, cst.Annotation | cst.Raise | cst.FormattedString):
        return
    if isinstance(node, cst.If | cst.IfExp):
        yield node.test, cst.parse_expression(f"not ({cst.Module([]).code_for_node(node.test)})")
    yield from ((node, replacement) for replacement in _replacements(node))
    for child in node.children:
        yield from _changes(child)


def _replacements(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield from _other_operators(node)
    yield from _other_values(node)


def _other_operators(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    match node:
        case cst.BinaryOperation(operator=binary) if type(binary) in _BINARY:
            yield node.with_changes(operator=_BINARY[type(binary)])
        case cst.AugAssign(operator=augmented) if type(augmented) in _AUGMENTED:
            yield node.with_changes(operator=_AUGMENTED[type(augmented)])
            yield cst.Assign([cst.AssignTarget(node.target)], node.value)
        case cst.Comparison(comparisons=[target]):
            for compared in _COMPARED.get(type(target.operator), ()):
                yield node.with_changes(comparisons=[target.with_changes(operator=compared)])
        case cst.BooleanOperation(operator=boolean):
            yield node.with_changes(operator=cst.Or() if isinstance(boolean, cst.And) else cst.And())
        case cst.UnaryOperation(operator=cst.Minus() | cst.Not()):
            yield node.expression


def _other_values(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    match node:
        case cst.Integer(value=value):
            yield cst.Integer(str(int(value) + 1))
        case cst.Float(value=value):
            yield cst.Float(repr(2 * float(value) or 1.0))
        case cst.Name(value="True" | "False"):
            yield cst.Name("False" if node.value == "True" else "True")
        case cst.Attribute(attr=cst.Name(value="T")):
            yield node.value
        case cst.Call(func=cst.Attribute(attr=cst.Name(value=name))) if name in _NAMES:
            yield node.with_changes(func=node.func.with_changes(attr=cst.Name(_NAMES[name])))
        case cst.Call(func=cst.Name(value=name)) if name in ("min", "max"):
            yield node.with_changes(func=cst.Name(_NAMES[name]))
        case cst.Slice(lower=lower) if lower is not None:
            yield node.with_changes(lower=None)


def mutant_subjects(assignment: Assignment) -> list[Subject]:
    """All mutants of an assignment. Raises :class:`AssignmentError` where ``equivalent.toml`` names one that is not."""
    equivalent = read_equivalent(assignment)
    found = [
        Subject(
            Kind.MUTANT,
            mutant.name,
            {mutant.module: mutant.text},
            questions_of(mutant.function, assignment),
            equivalent=equivalent.get(mutant.name, ""),
        )
        for mutant in mutants(assignment)
    ]
    unknown = equivalent.keys() - {subject.name for subject in found}
    if unknown:
        names = "\n".join(f"{assignment.folder / EQUIVALENT}: there is no mutant {name!r}." for name in sorted(unknown))
        raise AssignmentError(names)
    return found


@dataclass(frozen=True)
class _Equivalent:
    __pydantic_config__ = ConfigDict(extra="forbid")

    reason: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class _File:
    __pydantic_config__ = ConfigDict(extra="forbid")

    mutants: tuple[_Equivalent, ...] = ()


def read_equivalent(assignment: Assignment) -> dict[str, str]:
    """Name of each mutant that behaves like the reference -> why. Raises :class:`AssignmentError`, naming the key."""
    path = assignment.folder / EQUIVALENT
    if not path.is_file():
        return {}
    try:
        found = TypeAdapter(_File).validate_python(read_toml(path)).mutants
    except ValidationError as error:
        raise AssignmentError("\n".join(sentences(path, error))) from None
    return {name: each.reason for each in found for name in each.names}
