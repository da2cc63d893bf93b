"""What an assignment asks of a student, from ``assignment.toml`` and the template: for README and handout."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.contract.assignment import Assignment, Goal, Question, Rules

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Task:
    """One question as a student reads it.

    Attributes:
        question: the question.
        file: the file to write it in.
        name: the function or method, without its module.
        signature: how it is called; empty for a class.
        about: its docstring in the template.
        todo: the sentence that says what to do; empty where the template has none.
        goals: data set -> the accuracies that its checks ask for there.
        rules: what this question forbids beyond the assignment's rules.
    """

    question: Question
    file: str
    name: str
    signature: str
    about: str
    todo: str
    goals: dict[str, list[Goal]]
    rules: Rules


def tasks_of(assignment: Assignment) -> list[Task]:
    """The tasks of ``assignment``, in order. What the template does not define has neither docstring nor sentence."""
    files = {key: assignment.template / spec.file for key, spec in assignment.content.modules.items()}
    known = {key: dict(definitions(path)) for key, path in files.items() if path.is_file()}
    return [_task(assignment, question, known) for question in assignment.content.questions]


def _task(assignment: Assignment, question: Question, known: dict[str, dict[str, Definition]]) -> Task:
    name = question.function.partition(".")[2]
    node = known.get(question.module, {}).get(name)
    return Task(
        question=question,
        file=assignment.content.modules[question.module].file,
        name=name,
        signature=_signature(name, node),
        about=inspect.cleandoc(ast.get_docstring(node) or "") if node else "",
        todo=_sentence(node) if node else "",
        goals={data: list(goals.values()) for data, goals in question.goals.items()},
        rules=question.rules,
    )


def definitions(path: Path) -> Iterator[tuple[str, Definition]]:
    """Functions, classes and methods of a file of Python, by the names that questions give them."""
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, Definition):
            yield node.name, node
            for inner in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(inner, Definition):
                    yield f"{node.name}.{inner.name}", inner


def _signature(name: str, node: Definition | None) -> str:
    if node is None or isinstance(node, ast.ClassDef):
        return ""
    arguments = ast.unparse(node.args)
    arguments = arguments.removeprefix("self, ").removeprefix("self")
    return f"{name.removesuffix('.__init__')}({arguments})"


def is_unwritten(node: Definition) -> bool:
    """Whether a function still raises the NotImplementedError of the template."""
    return bool(_sentence(node))


def _sentence(node: Definition) -> str:
    """The message of the NotImplementedError that stands for the solution, without the name before it."""
    for inner in ast.walk(node):
        match inner:
            case ast.Raise(exc=ast.Call(func=ast.Name(id="NotImplementedError"), args=[ast.Constant(value=str(text))])):
                return text.partition(": ")[2] or text
    return ""
