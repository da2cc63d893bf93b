"""Right in another way: the functions of the reference, written differently, on which nothing may fail.

Each folder ``right/NAME/`` beside the checks holds files with the names of the reference's, with some of its functions
and methods in another formulation. The rest is the reference's. What the reference does not define is added to it.
"""

from __future__ import annotations

import ast

from grader.contract.assignment import RIGHT, Assignment, AssignmentError
from grader.judge.variants import lines_of, span_of
from grader.kit.subjects import Kind, Subject


def right_subjects(assignment: Assignment) -> list[Subject]:
    """The other formulations of an assignment. Raises :class:`AssignmentError` where a file cannot be merged."""
    modules = {spec.file: name for name, spec in assignment.content.modules.items()}
    subjects = []
    for folder in sorted(path for path in (assignment.folder / RIGHT).glob("*/") if path.is_dir()):
        texts = {}
        for path in sorted(folder.glob("*.py")):
            if path.name not in modules:
                raise AssignmentError(f"{path}: the reference has no such file; it has: {', '.join(sorted(modules))}.")
            before = (assignment.reference / path.name).read_text(encoding="utf-8")
            texts[modules[path.name]] = merged(before, path.read_text(encoding="utf-8"))
        subjects.append(Subject(Kind.RIGHT, folder.name, texts))
    return subjects


def merged(reference: str, other: str) -> str:
    """The text of the reference with the functions and methods of ``other`` in the place of its own."""
    imports, added = [], []
    for node in ast.parse(other).body:
        lines = _lines(other, node)
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports.append(lines)
        elif isinstance(node, ast.ClassDef) and _defines(reference, node.name):
            for method in node.body:
                if isinstance(method, ast.FunctionDef):
                    reference = _replaced(reference, f"{node.name}.{method.name}", _lines(other, method))
        elif isinstance(node, ast.FunctionDef) and _defines(reference, node.name):
            reference = _replaced(reference, node.name, lines)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Assign):
            added.append(lines)
    return "".join([*imports, reference, *added])


def _lines(text: str, node: ast.stmt) -> str:
    first, last = lines_of(node)
    return "\n".join(text.splitlines()[first - 1 : last]) + "\n"


def _defines(text: str, name: str) -> bool:
    return any(getattr(node, "name", None) == name for node in ast.parse(text).body)


def _replaced(text: str, path: str, lines: str) -> str:
    start, end = span_of(text, path)
    return text[:start] + lines + text[end:]
