"""A module made of a notebook's cells: definitions stay, everything that would run an experiment goes.

What stays: imports, functions, classes, assignments of plain values, methods put onto classes, and ``if`` or ``try``
around nothing else. A definition that would fail at once, because it needs a name that is not there, is left out too:
it would take all others of the module with it. Nothing is executed here.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from grader.judge.uploads.limits import shown
from grader.judge.uploads.notebooks import Cell, python_of, written_file
from grader.judge.uploads.sourcetext import Definitions, Fault, definitions, parse

_Function = (ast.FunctionDef, ast.AsyncFunctionDef)
_BUILTIN_CALLS = frozenset(
    {"bool", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "range", "set", "slice", "str", "tuple"}
)
_WRAPPERS = frozenset({"property", "staticmethod", "classmethod", "partial", "functools.partial"})
_OTHER_CALLS = frozenset(
    {"namedtuple", "collections.namedtuple", "TypeVar", "typing.TypeVar", "os.path.join", "math.exp", "math.log"}
    | {"math.sqrt", "torch.device", "torch.cuda.is_available"}
)
_HARMLESS_CALLS = _BUILTIN_CALLS | _WRAPPERS | _OTHER_CALLS
_PLAIN = (
    *(ast.Constant, ast.Name, ast.Attribute, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.UnaryOp, ast.BinOp),
    *(ast.BoolOp, ast.Compare, ast.IfExp, ast.JoinedStr, ast.FormattedValue, ast.Starred),
)
_NOTES = 20


@dataclass(frozen=True)
class NotebookModule:
    """What a notebook defines.

    Attributes:
        text: source of the module.
        names: the names at its top level.
        notes: sentences for the student on what was left out.
    """

    text: str
    names: Definitions
    notes: tuple[str, ...]


def module_of(cells: Iterable[Cell]) -> NotebookModule:
    """Collect the definitions of a notebook, in the order of its cells: of two of one name, the later one counts."""
    collector = _Collector()
    for cell in cells:
        if written_file(cell) is None:
            collector.add(cell)
    text = collector.text()
    tree = parse(text)
    names = Definitions() if isinstance(tree, Fault) else definitions(tree)
    return NotebookModule(text, names, collector.notes())


class _Collector:
    def __init__(self) -> None:
        self._known = set(dir(builtins)) | {"__name__", "__file__", "__doc__"}
        self._classes: set[str] = set()
        self._any_name = False
        self._annotations = False
        self._pieces: list[str] = []
        self._notes: list[str] = []

    def text(self) -> str:
        future = ["from __future__ import annotations"] if self._annotations else []
        return "\n".join([*future, *self._pieces, ""])

    def notes(self) -> tuple[str, ...]:
        more = len(self._notes) - _NOTES
        return (*self._notes[:_NOTES], *([f"{more} more remarks of this kind were cut."] if more > 0 else []))

    def add(self, cell: Cell) -> None:
        """Take what is to be kept of one cell; a cell that cannot be read leaves a note and nothing else."""
        text = python_of(cell)
        tree = parse(text)
        if isinstance(tree, Fault):
            self._notes.append(f"Code cell {cell.number} was left out: {tree}.")
            return
        lines = text.encode().split(b"\n")
        kept = []
        try:
            for statement in tree.body:
                if not isinstance(statement, ast.Pass) and self._wanted(statement, cell.number):
                    self._remember(statement)
                    kept.append(_segment(lines, statement))
        except RecursionError:
            self._notes.append(f"Code cell {cell.number} was left out in part: it is nested too deeply to be read.")
        if kept:
            self._pieces += ["", f"# code cell {cell.number}", *kept]

    def _wanted(self, statement: ast.stmt, number: int) -> bool:
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            # It must come first in the module, and only this feature still changes anything.
            self._annotations |= any(alias.name == "annotations" for alias in statement.names)
            return False
        if not _keepable(statement, self._classes):
            return False
        lacking = sorted(_needed_at_once(statement) - self._known)
        if not lacking or self._any_name:
            return True
        if isinstance(statement, (*_Function, ast.ClassDef)):
            self._notes.append(
                f"{shown(statement.name)} in code cell {number} was left out: its definition needs "
                f"{shown(lacking[0])}, which no kept statement above it defines."
            )
        return False

    def _remember(self, statement: ast.stmt) -> None:
        names = definitions(ast.Module(body=[statement], type_ignores=[]))
        self._known |= names.defined | names.imported
        self._any_name |= names.star
        if isinstance(statement, ast.ClassDef):
            self._classes.add(statement.name)


def _segment(lines: list[bytes], statement: ast.stmt) -> str:
    decorators = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
    last = statement.end_lineno or first
    start = 0 if decorators else statement.col_offset
    piece = lines[first - 1 : last]
    piece[-1] = piece[-1][: statement.end_col_offset]
    piece[0] = piece[0][start:]
    return b"\n".join(piece).decode()


def _keepable(statement: ast.stmt, classes: set[str]) -> bool:
    if isinstance(statement, ast.ImportFrom):
        return statement.module != "__future__"
    if isinstance(statement, (ast.Import, *_Function, ast.ClassDef, ast.Pass)):
        return True
    if isinstance(statement, ast.If):
        return _is_plain(statement.test) and _all_keepable([*statement.body, *statement.orelse], classes)
    if isinstance(statement, ast.Try):
        handled = [inner for handler in statement.handlers for inner in handler.body]
        return _all_keepable([*statement.body, *handled, *statement.orelse, *statement.finalbody], classes)
    if isinstance(statement, ast.Expr):
        return _puts_a_method(statement.value, classes)
    return _plain_assignment(statement, classes)


def _all_keepable(statements: list[ast.stmt], classes: set[str]) -> bool:
    return all(_keepable(statement, classes) for statement in statements)


def _puts_a_method(value: ast.expr, classes: set[str]) -> bool:
    """``setattr(Class, "name", function)``"""
    if not (isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "setattr"):
        return False
    match value.args:
        case [ast.Name(id=owner), ast.Constant(), method]:
            return owner in classes and not value.keywords and _is_plain(method)
    return False


def _plain_assignment(statement: ast.stmt, classes: set[str]) -> bool:
    if isinstance(statement, ast.AnnAssign):
        return isinstance(statement.target, ast.Name) and statement.value is not None and _is_plain(statement.value)
    if not isinstance(statement, ast.Assign) or not _is_plain(statement.value):
        return False
    return all(_plain_target(target, statement.value, classes) for target in statement.targets)


def _plain_target(target: ast.expr, value: ast.expr, classes: set[str]) -> bool:
    if isinstance(target, ast.Attribute):
        return isinstance(target.value, ast.Name) and target.value.id in classes
    if isinstance(target, (ast.Tuple, ast.List)):
        return (
            isinstance(value, (ast.Tuple, ast.List))
            and len(target.elts) == len(value.elts)
            and all(isinstance(name, ast.Name) for name in target.elts)
        )
    return isinstance(target, ast.Name)


def _is_plain(value: ast.expr) -> bool:
    """Whether a value can be worked out without running an experiment: no calls but a few harmless ones."""
    if isinstance(value, ast.Lambda):
        return True
    if isinstance(value, ast.Call):
        arguments = [*value.args, *(keyword.value for keyword in value.keywords)]
        return ast.unparse(value.func) in _HARMLESS_CALLS and all(map(_is_plain, arguments))
    if isinstance(value, ast.Subscript) and not _is_generic(value.value):
        return False
    inner = (child for child in ast.iter_child_nodes(value) if isinstance(child, ast.expr))
    return isinstance(value, (*_PLAIN, ast.Subscript)) and all(map(_is_plain, inner))


def _is_generic(value: ast.expr) -> bool:
    """Whether ``value[…]`` is a type, such as ``Optional[int]``, by its spelling."""
    name = value.id if isinstance(value, ast.Name) else value.attr if isinstance(value, ast.Attribute) else ""
    return name[:1].isupper() or name in ("dict", "frozenset", "list", "set", "tuple", "type")


def _needed_at_once(statement: ast.stmt) -> set[str]:
    """Names that are looked up when the statement runs: decorators, defaults, annotations, bases, values.

    Bodies of functions are looked into only when they are called, and so are not counted.
    """
    loaded: set[str] = set()
    bound: set[str] = set()
    for node in _eager_nodes(_evaluated(statement)):
        if isinstance(node, ast.Name):
            (loaded if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, (*_Function, ast.ClassDef)) and node is not statement:
            bound.add(node.name)
        elif isinstance(node, ast.alias):
            bound.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
    return loaded - bound


def _evaluated(statement: ast.stmt) -> list[ast.AST]:
    """The parts of a statement that run before it binds anything."""
    if isinstance(statement, ast.Assign):
        return [statement.value]
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        return [statement.annotation, statement.value]
    return [statement]


def _eager_nodes(pending: list[ast.AST]) -> Iterator[ast.AST]:
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, (*_Function, ast.Lambda)):
            pending += [*node.args.defaults, *(default for default in node.args.kw_defaults if default)]
            if not isinstance(node, ast.Lambda):
                pending += [*node.decorator_list, *_annotations(node)]
        else:
            pending += ast.iter_child_nodes(node)


def _annotations(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    found = [argument.annotation for argument in every if argument is not None]
    return [annotation for annotation in (*found, function.returns) if annotation is not None]
