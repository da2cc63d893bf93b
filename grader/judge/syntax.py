"""Python's syntax as the rules read it: assignments, imports, and names by what they stand for. Nothing is executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a block, those inside ``if``, ``for``, ``try``, ``with`` and ``match`` included."""
    stack = body[::-1]
    while stack:
        statement = stack.pop()
        yield statement
        if not isinstance(statement, Definition):
            inner = [statement, *getattr(statement, "handlers", []), *getattr(statement, "cases", [])]
            for holder in inner:
                for name in ("body", "orelse", "finalbody"):
                    stack.extend(getattr(holder, name, [])[::-1])


def assignments(statement: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Pairs of target and value of an assignment; tuples of the same length are taken apart."""
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        yield statement.target, statement.value
    for target in statement.targets if isinstance(statement, ast.Assign) else ():
        value = statement.value  # type: ignore[attr-defined]
        if isinstance(target, ast.Tuple | ast.List):
            apart = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
            yield from zip(target.elts, value.elts if apart else [value] * len(target.elts), strict=True)
        else:
            yield target, value


def meaning(aliases: Mapping[str, str], name: str) -> str:
    """What a dotted name stands for: its first part replaced by what that was imported as."""
    head, dot, rest = name.partition(".")
    return aliases.get(head, head) + dot + rest


def import_aliases(node: ast.AST) -> dict[str, str]:
    """What the names bound by an import statement stand for."""
    if isinstance(node, ast.Import):
        return {
            alias.asname or alias.name.partition(".")[0]: alias.name if alias.asname else alias.name.partition(".")[0]
            for alias in node.names
        }
    if isinstance(node, ast.ImportFrom):
        origin = f"{node.module}." if node.module else ""
        return {alias.asname or alias.name: origin + alias.name for alias in node.names if alias.name != "*"}
    return {}


def dotted(node: ast.AST) -> str | None:
    """``a.b.c`` for such an expression; imports and look-ups by a constant name count (``getattr(a, "b")``)."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        head: str | None = node.id
    elif isinstance(node, ast.Call):
        head = _dotted_call(node)
    else:
        head = _dotted_item(node) if isinstance(node, ast.Subscript) else None
    return ".".join([head, *names[::-1]]) if head else None


def _dotted_call(node: ast.Call) -> str | None:
    if not node.args or not isinstance(node.func, ast.Name | ast.Attribute):
        return None
    called, constants = dotted(node.func), [_constant(argument) for argument in node.args]
    if called == "getattr" and len(constants) >= 2 and constants[1]:
        head = dotted(node.args[0])
        return f"{head}.{constants[1]}" if head else None
    if called in ("__import__", "importlib.import_module", "import_module") and constants[0]:
        return constants[0] if called != "__import__" else constants[0].partition(".")[0]
    return None


def _dotted_item(node: ast.Subscript) -> str | None:
    """``torch.__dict__["add"]``, ``vars(torch)["add"]``, ``sys.modules["torch"]``."""
    key, holder = _constant(node.slice), node.value
    if key is None:
        return None
    if isinstance(holder, ast.Attribute) and holder.attr == "__dict__":
        owner = dotted(holder.value)
    elif isinstance(holder, ast.Call) and holder.args and dotted(holder.func) == "vars":
        owner = dotted(holder.args[0])
    else:
        return key if dotted(holder) == "sys.modules" else None
    return f"{owner}.{key}" if owner else None


def _constant(node: ast.AST) -> str | None:
    """A text that is known without running anything: a literal, or literals joined by ``+``."""
    texts: list[str] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and isinstance(node.right, ast.Constant):
        texts.append(str(node.right.value))
        node = node.left
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value + "".join(texts[::-1])
    return None
