"""The text of a submission as the rules see it: functions by module, names by what they stand for.

Nothing is executed. The trees are those of the very bytes that the players run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass
class ModuleText:
    """One file: its definitions by name, and what its names stand for (``F`` -> ``torch.nn.functional``).

    A method patched onto a class (``Net.loss = loss``) counts as one of its definitions.
    """

    name: str
    file: str
    definitions: dict[str, Definition] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    patched: dict[str, str] = field(default_factory=dict)


def read_module(name: str, file: str, text: str) -> ModuleText:
    """The file as the rules see it; a file that does not parse has no definitions."""
    module = ModuleText(name, file)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return module
    for node in ast.walk(tree):
        module.aliases.update(import_aliases(node))
    for statement in _flat(tree.body):
        if isinstance(statement, Definition):
            module.definitions[statement.name] = statement
        elif isinstance(statement, ast.Assign):
            _note_assignment(module, statement)
    return module


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Top-level statements, those inside ``if``, ``try`` and ``with`` included."""
    for statement in body:
        yield statement
        for name in ("body", "orelse", "finalbody"):
            if not isinstance(statement, Definition | ast.For | ast.While):
                yield from _flat(getattr(statement, name, []))


def _note_assignment(module: ModuleText, statement: ast.Assign) -> None:
    value = dotted(statement.value)
    for target in statement.targets:
        name = dotted(target)
        if value is None or name is None:
            continue
        if "." in name:
            module.patched[name] = value
        else:
            module.aliases.setdefault(name, meaning(module.aliases, value))


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
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names if alias.name != "*"}
    return {}


def dotted(node: ast.AST) -> str | None:
    """``a.b.c`` for such an expression; imports and look-ups by a constant name count (``getattr(a, "b")``)."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return f"{head}.{node.attr}" if head else None
    if isinstance(node, ast.Call):
        return _dotted_call(node)
    return None


def _dotted_call(node: ast.Call) -> str | None:
    called, constants = dotted(node.func), [_constant(argument) for argument in node.args]
    if called == "getattr" and len(node.args) >= 2 and constants[1]:
        head = dotted(node.args[0])
        return f"{head}.{constants[1]}" if head else None
    if called in ("__import__", "importlib.import_module", "import_module") and constants and constants[0]:
        return constants[0] if called != "__import__" else constants[0].partition(".")[0]
    return None


def _constant(node: ast.AST) -> str | None:
    """A text that is known without running anything: a literal, or literals joined by ``+``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _constant(node.left), _constant(node.right)
        return left + right if left is not None and right is not None else None
    return None


@dataclass(frozen=True)
class Reached:
    """A definition that a function runs through, with the module that it stands in."""

    module: ModuleText
    name: str
    node: Definition


class Texts:
    """All files of a submission, and what each function runs through inside them."""

    def __init__(self, modules: Mapping[str, ModuleText]) -> None:
        self.modules = modules

    @staticmethod
    def of(sources: Mapping[str, tuple[str, str]], files: tuple[str, ...]) -> Texts:
        """The texts of ``sources`` (module -> path, text) and of the other ``files``, named by their stems."""
        modules = {name: read_module(name, Path(path).name, text) for name, (path, text) in sources.items()}
        known = {path for path, _ in sources.values()}
        for file in files:
            path = Path(file)
            if file not in known and path.suffix == ".py":
                name = path.parent.name if path.stem == "__init__" else path.stem
                modules.setdefault(name, read_module(name, path.name, path.read_text(errors="replace")))
        return Texts(modules)

    def find(self, path: str) -> Reached | None:
        """The definition that ``module.function`` or ``module.Class.method`` names."""
        module_name, _, rest = path.partition(".")
        module = self.modules.get(module_name)
        return self._in(module, rest) if module else None

    def _in(self, module: ModuleText, path: str) -> Reached | None:
        head, _, rest = path.partition(".")
        if path in module.patched:
            return self._in(module, module.patched[path])
        node = module.definitions.get(head)
        if node is None:
            target = module.aliases.get(head)
            same = target is None or target == head
            return None if same else self._elsewhere(target or "", rest)
        if rest and isinstance(node, ast.ClassDef):
            methods = {child.name: child for child in node.body if isinstance(child, Definition)}
            method = methods.get(rest)
            return Reached(module, path, method) if method else None
        return Reached(module, head, node)

    def _elsewhere(self, target: str, rest: str) -> Reached | None:
        parts = target.split(".")
        for cut in range(len(parts), 0, -1):
            module = self.modules.get(parts[cut - 1])
            if module:
                return self._in(module, ".".join([*parts[cut:], rest] if rest else parts[cut:]))
        return None

    def reached(self, path: str) -> list[Reached]:
        """The definition ``path`` and every definition of the submission that it runs through, itself first."""
        start = self.find(path)
        found: dict[tuple[str, str], Reached] = {}
        queue = [start] if start else []
        while queue:
            here = queue.pop()
            key = (here.module.name, here.name)
            if key not in found:
                found[key] = here
                queue.extend(self.called(here))
        return list(found.values())

    def called(self, here: Reached) -> list[Reached]:
        """The submission's definitions that ``here`` names in its body."""
        owner = here.name.partition(".")[0]
        found = []
        for node in ast.walk(here.node):
            name = dotted(node) if isinstance(node, ast.Name | ast.Attribute) else None
            if name is None:
                continue
            if name.startswith(("self.", "cls.")):
                name = f"{owner}.{name.partition('.')[2]}"
            target = self._in(here.module, name)
            if target is not None and target.node is not here.node:
                found.append(target)
        return found
