"""Checks without the hidden ones: their functions are cut out of the text, and so is what only they used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from grader.judge.variants import lines_of

_WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Cut:
    """Files of checks after hidden ones were cut out.

    Attributes:
        kept: file -> its text.
        hidden: file -> the text that was cut out.
    """

    kept: dict[str, str]
    hidden: dict[str, str]


def without_hidden(files: Mapping[str, str]) -> Cut:
    """``files``, name -> text of Python, without checks of another visibility than ``visible``.

    Helpers, methods and constants go along where a part that is cut out names them, and nothing that is kept does.
    """
    kept = dict(files)
    hidden: dict[str, list[str]] = {name: [] for name in files}
    chosen = _hidden_checks(kept)
    while any(chosen.values()):
        named = set()
        for file, nodes in chosen.items():
            kept[file], cut = _cut(kept[file], nodes)
            hidden[file] += cut
            named |= {word for text in cut for word in _WORD.findall(text)}
        chosen = _orphans(kept, named)
    return Cut(kept, {file: "\n".join(texts) for file, texts in hidden.items() if texts})


def _hidden_checks(files: Mapping[str, str]) -> dict[str, list[ast.stmt]]:
    return {file: [node for node in ast.parse(text).body if _is_hidden(node)] for file, text in files.items()}


def _is_hidden(node: ast.stmt) -> bool:
    for decorator in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
        match decorator:
            case ast.Call(func=ast.Name(id="visibility"), args=[ast.Constant(value=value)]):
                return value != "visible"
    return False


def _orphans(files: Mapping[str, str], named: set[str]) -> dict[str, list[ast.stmt]]:
    """Definitions of these names that no other text names any more."""
    counts: dict[str, int] = {}
    for text in files.values():
        for word in _WORD.findall(text):
            counts[word] = counts.get(word, 0) + 1
    found: dict[str, list[ast.stmt]] = {}
    for file, text in files.items():
        found[file] = [
            node
            for node, name in _defined(ast.parse(text))
            if name in named and not name.startswith("test_") and counts[name] == _count(text, node, name)
        ]
    return found


def _defined(tree: ast.Module) -> Iterator[tuple[ast.stmt, str]]:
    """Functions, classes, methods and constants, with their names; fixtures that work by themselves are no orphans."""
    for node in tree.body:
        inner = node.body if isinstance(node, ast.ClassDef) and len(node.body) > 1 else []
        for statement in (node, *inner):
            match statement:
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    if "autouse" not in "".join(map(ast.unparse, statement.decorator_list)):
                        yield statement, name
                case ast.Assign(targets=[ast.Name(id=name)]):
                    yield statement, name


def _count(text: str, node: ast.stmt, name: str) -> int:
    first, last = lines_of(node)
    return _WORD.findall("\n".join(text.split("\n")[first - 1 : last])).count(name)


def _cut(text: str, nodes: list[ast.stmt]) -> tuple[str, list[str]]:
    lines, cut = text.split("\n"), []
    for first, last in sorted(map(lines_of, nodes), reverse=True):
        cut.append("\n".join(lines[first - 1 : last]))
        above = first - 1
        while above and not lines[above - 1].strip():
            above -= 1
        lines[above:last] = []
    return "\n".join(lines).rstrip("\n") + "\n", cut
