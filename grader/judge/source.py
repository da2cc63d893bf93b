"""The text of a submission as the rules see it: definitions by module, names by what they stand for.

Nothing is executed. The trees are those of the very bytes that the players run.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from grader.judge.syntax import Definition, assignments, dotted, flat, import_aliases, meaning


@dataclass
class ModuleText:
    """One file: what it defines, and what its names stand for.

    Attributes:
        name: its name as a module.
        file: its name as a file.
        definitions: functions and classes, and values that are no mere name (``OPS = {"d": torch.dist}``). What is
            put onto a class from outside has a dotted name (``Net.loss = lambda self: ...``).
        rebound: name -> what it is bound to after it was defined (``f = quick(f)``).
        aliases: name -> the dotted name that it stands for (``F`` -> ``torch.nn.functional``).
        patched: method put onto a class from outside -> the name of the function (``Net.loss = loss``).
        stars: modules of which every name is imported.
    """

    name: str
    file: str
    definitions: dict[str, ast.AST] = field(default_factory=dict)
    rebound: dict[str, list[ast.expr]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    patched: dict[str, str] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)


def read_module(name: str, file: str, text: str) -> ModuleText:
    """The file as the rules see it; a file that does not parse has no definitions."""
    module = ModuleText(name, file)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return module
    for node in ast.walk(tree):
        module.aliases.update(import_aliases(node))
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            module.stars.append(node.module or "")
    for statement in flat(tree.body):
        if isinstance(statement, Definition):
            module.definitions[statement.name] = statement
        for target, value in assignments(statement):
            _note_assignment(module, target, value)
    return module


def _note_assignment(module: ModuleText, target: ast.expr, value: ast.expr) -> None:
    name, meant = dotted(target), dotted(value)
    if name is None:
        return
    if name in module.definitions:
        module.rebound.setdefault(name, []).append(value)
    elif meant is None:
        module.definitions[name] = value
    elif "." in name:
        module.patched[name] = meant
    else:
        module.aliases.setdefault(name, meaning(module.aliases, meant))


@dataclass(frozen=True)
class Reached:
    """A definition that a function runs through, with the module that it stands in."""

    module: ModuleText
    name: str
    node: ast.AST


class Texts:
    """All files of a submission, and what each function runs through inside them."""

    def __init__(self, modules: Mapping[str, ModuleText]) -> None:
        self.modules = modules
        # Questions share most of what they run through, so both are found once.
        self.names: dict[ast.AST, list[tuple[ast.AST, Mapping[str, str | None]]]] = {}  # see rules/text.py
        self._reached: dict[tuple[str, frozenset[str]], list[Reached]] = {}

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

    @cached_property
    def methods(self) -> frozenset[str]:
        """Names of all methods that the submission defines."""
        classes = (
            node
            for module in self.modules.values()
            for node in module.definitions.values()
            if isinstance(node, ast.ClassDef)
        )
        return frozenset(
            statement.name for owner in classes for statement in flat(owner.body) if isinstance(statement, Definition)
        )

    def find(self, path: str) -> Reached | None:
        """The definition that ``module.function`` or ``module.Class.method`` names."""
        module_name, _, rest = path.partition(".")
        module = self.modules.get(module_name)
        return self.resolve(module, rest) if module else None

    def resolve(self, module: ModuleText, path: str, seen: set[tuple[str, str]] | None = None) -> Reached | None:
        """The submission's definition that the name ``path`` means inside ``module``; ``None`` where it is none.

        ``seen`` are the names that were met on the way: files may import from each other in a circle.
        """
        seen = set() if seen is None else seen
        if (module.name, path) in seen:
            return None
        seen.add((module.name, path))
        if path in module.patched:
            found = self.resolve(module, module.patched[path], seen)
            return _seen_as(found, module, path)
        if path in module.definitions:
            return Reached(module, path, module.definitions[path])
        head, _, rest = path.partition(".")
        node = module.definitions.get(head)
        if node is None:
            return self._elsewhere(module, head, rest, seen)
        if isinstance(node, ast.ClassDef):
            return self._method(module, node, rest, seen)
        return Reached(module, head, node)

    def _method(self, module: ModuleText, owner: ast.ClassDef, name: str, seen: set[tuple[str, str]]) -> Reached | None:
        for statement in flat(owner.body):
            if isinstance(statement, Definition) and statement.name == name:
                return Reached(module, f"{owner.name}.{name}", statement)
            for target, value in assignments(statement):
                if dotted(target) == name:
                    meant = dotted(value)
                    found = self.resolve(module, meant, seen) if meant else None
                    return _seen_as(found or Reached(module, name, value), module, f"{owner.name}.{name}")
        for base in owner.bases:
            found = self.resolve(module, f"{dotted(base)}.{name}", seen)
            if found:
                return _seen_as(found, module, f"{owner.name}.{name}")
        return None

    def _elsewhere(self, module: ModuleText, head: str, rest: str, seen: set[tuple[str, str]]) -> Reached | None:
        path = f"{head}.{rest}" if rest else head
        for star in module.stars if head not in module.aliases else ():
            other = self.modules.get(star.rpartition(".")[2])
            found = self.resolve(other, path, seen) if other else None
            if found:
                return found
        target = meaning(module.aliases, path)
        if target != path and target.partition(".")[0] in module.definitions:
            return self.resolve(module, target, seen)
        parts = target.split(".")
        for cut in range(len(parts) - 1, 0, -1):
            other = self.modules.get(parts[cut - 1])
            if other:
                return self.resolve(other, ".".join(parts[cut:]), seen)
        return None

    def reached(self, path: str, stop: frozenset[str] = frozenset()) -> list[Reached]:
        """The definition ``path`` and every definition of the submission that it runs through, itself first.

        The definitions named in ``stop`` are not entered: they answer for themselves.
        """
        if (path, stop) not in self._reached:
            self._reached[path, stop] = self._find_reached(path, stop)
        return self._reached[path, stop]

    def _find_reached(self, path: str, stop: frozenset[str]) -> list[Reached]:
        start = self.find(path)
        found: dict[tuple[str, str, ast.AST], Reached] = {}
        queue = [start] if start else []
        while queue:
            here = queue.pop()
            key = (here.module.name, here.name, here.node)
            if key not in found and (here is start or not _within(f"{here.module.name}.{here.name}", stop)):
                found[key] = here = here if here is start else _without(here, stop)
                queue.extend(self.called(here))
                queue.extend(replace(here, node=node) for node in here.module.rebound.get(here.name, ()))
        return list(found.values())

    def called(self, here: Reached) -> list[Reached]:
        """The submission's definitions that ``here`` names in its body."""
        found, stack = [], [here.node]
        while stack:
            node = stack.pop()
            name = dotted(node) if isinstance(node, ast.Name | ast.Attribute) else None
            target = self.named(here, name) if name else None
            if target is None:
                stack.extend(ast.iter_child_nodes(node))
            elif target.node is not here.node:
                found.append(target)
        return found

    def named(self, here: Reached, name: str) -> Reached | None:
        """The submission's definition that ``name`` means inside ``here``; ``self`` is the class around it."""
        head, dot, rest = name.partition(".")
        owner = here.name.partition(".")[0]
        return self.resolve(here.module, f"{owner}.{rest}" if dot and head in ("self", "cls") else name)


def _within(name: str, stop: frozenset[str]) -> bool:
    """Whether a definition, or the class around it, is named in ``stop``."""
    return name in stop or name.rpartition(".")[0] in stop


def _without(here: Reached, stop: frozenset[str]) -> Reached:
    """A class, such as one that a function makes objects of, without its methods that answer for themselves."""
    if not isinstance(here.node, ast.ClassDef):
        return here
    rest = copy(here.node)
    prefix = f"{here.module.name}.{here.name}"
    rest.body = [node for node in rest.body if f"{prefix}.{getattr(node, 'name', '')}" not in stop]
    return replace(here, node=rest)


def _seen_as(found: Reached | None, module: ModuleText, name: str) -> Reached | None:
    """A method under the name by which it is called, so that its ``self`` is known."""
    return replace(found, name=name) if found and found.module is module else found
