"""Region marks in a reference: finding them, and telling where in the syntax tree each region lies.

The marks and their meaning are described in :mod:`grader.kit.template`. Everything here raises :class:`TemplateError`
for a reference whose marks make no sense.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from grader.judge.variants import lines_of

MARK = re.compile(r"#\s*\[([a-z]+)\]")
WORDS = ("task", "solution", "end")
LAYOUT = (tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)

Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class TemplateError(Exception):
    """No student file can be derived from a reference. The message says where and why, and what to do.

    Attributes:
        filename: the reference.
        line: the line at fault, counted from 1.
    """

    def __init__(self, filename: str, line: int, message: str) -> None:
        super().__init__(f"{filename}, line {line}: {message}")
        self.filename = filename
        self.line = line


@dataclass(frozen=True)
class Region:
    """Lines ``first`` (the opening mark) to ``last`` (``# [end]``), counted from 1, marks at ``column``."""

    kind: str
    first: int
    last: int
    column: int


@dataclass(frozen=True)
class Reference:
    """A reference module as text, syntax tree and tokens.

    Attributes:
        comments: every comment, by its line.
        code: line and column of the first token of every logical line.
    """

    filename: str
    lines: list[str]
    tree: ast.Module
    comments: dict[int, tokenize.TokenInfo]
    code: list[tuple[int, int]]

    def problem(self, line: int, message: str) -> TemplateError:
        """An error that names this file."""
        return TemplateError(self.filename, line, message)

    def stands_alone(self, line: int) -> bool:
        """Whether the line is a comment and nothing else."""
        return line in self.comments and not self.lines[line - 1][: self.comments[line].start[1]].strip()


def parse(source: str, filename: str, expected: str) -> ast.Module:
    """The syntax tree of a file; ``expected`` opens the message of the error that a file without one raises."""
    try:
        return ast.parse(source, filename)
    except SyntaxError as error:
        message = f"{expected}; Python says: {error.msg}. Mend the line, or put the marks around whole statements."
        raise TemplateError(filename, error.lineno or 1, message) from error


def read(source: str, filename: str) -> Reference:
    """A reference from its text; ``filename`` is for messages."""
    tree = parse(source, filename, "Expected a reference in valid Python")
    comments: dict[int, tokenize.TokenInfo] = {}
    code: list[tuple[int, int]] = []
    at_start = True
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comments[token.start[0]] = token
        elif at_start and token.type not in LAYOUT:
            code.append(token.start)
            at_start = False
        at_start = at_start or token.type == tokenize.NEWLINE
    return Reference(filename, source.split("\n"), tree, comments, code)


def _marks(reference: Reference) -> Iterator[tuple[int, str]]:
    """Line and word of every mark."""
    for line, token in reference.comments.items():
        match = MARK.match(token.string)
        alone = reference.stands_alone(line)
        if match is None or (match[1] not in WORDS and not alone):
            continue
        if match[1] not in WORDS:
            message = f"Expected # [task], # [solution] or # [end] and found # [{match[1]}]. Mend the mark."
            raise reference.problem(line, message)
        if not alone:
            raise reference.problem(line, f"# [{match[1]}] follows code. Put the mark on a line of its own.")
        yield line, match[1]


def regions(reference: Reference) -> Iterator[Region]:
    """All regions from top to bottom, none inside another."""
    opening: tuple[int, str] | None = None
    for line, word in _marks(reference):
        column = reference.comments[line].start[1]
        if opening is None and word == "end":
            raise reference.problem(line, "# [end] closes nothing. Open a region above it, or remove the mark.")
        if opening is None:
            opening = (line, word)
            continue
        first, kind = opening
        if word != "end":
            message = f"# [{word}] opens inside the region of line {first}. Close that one with # [end] first."
            raise reference.problem(line, message)
        if column != reference.comments[first].start[1]:
            message = f"# [end] is not indented as # [{kind}] in line {first} is. Give both the same indentation."
            raise reference.problem(line, message)
        yield Region(kind, first, line, column)
        opening = None
    if opening is not None:
        message = f"# [{opening[1]}] is never closed. Put # [end] below the last line of the region."
        raise reference.problem(opening[0], message)


def scopes_around(region: Region, reference: Reference) -> list[Scope]:
    """The classes and functions that the region lies in, outermost first, once it is known to be well placed."""
    statement = _first_statement(region, reference)
    scopes = [
        node
        for node in ast.walk(reference.tree)
        if isinstance(node, Scope) and lines_of(node)[0] < region.first and statement.lineno <= (node.end_lineno or 0)
    ]
    in_function = bool(scopes) and not isinstance(scopes[-1], ast.ClassDef)
    if region.kind == "task" and not in_function:
        message = "# [task] stands outside a function. Move it into one, or leave the lines out with # [solution]."
        raise reference.problem(region.first, message)
    if region.kind == "solution" and in_function:
        message = "# [solution] stands inside a function. Use # [task] there and say what to do."
        raise reference.problem(region.first, message)
    owner = scopes[-1] if scopes else reference.tree
    if statement is owner.body[0] and ast.get_docstring(owner) is not None:
        message = f"# [{region.kind}] takes the docstring with it. Open the region below the docstring."
        raise reference.problem(region.first, message)
    return scopes


def _first_statement(region: Region, reference: Reference) -> ast.stmt:
    """The first of the region's statements, which have to be whole and of one block.

    They are if the first line of code starts a statement at the marks' column, nothing in the region is indented less,
    and nothing goes on below it at a deeper indentation. An ``else`` torn off its ``if`` shows when the result is read.
    """
    inside = [start for start in reference.code if region.first < start[0] < region.last]
    after = [column for line, column in reference.code if line > region.last]
    statements = [node for node in ast.walk(reference.tree) if isinstance(node, ast.stmt)]
    starts = {lines_of(node)[0]: node for node in reversed(statements)}  # the outermost, where two share a line
    whole = inside and inside[0][0] in starts and not (after and after[0] > region.column)
    if not whole or inside[0][1] != region.column or any(column < region.column for _, column in inside):
        message = (
            f"Expected whole statements of one block, indented as the marks are, between # [{region.kind}] and # [end] "
            f"in line {region.last}. Move the marks around such statements."
        )
        raise reference.problem(region.first, message)
    return starts[inside[0][0]]


def sentence(region: Region, reference: Reference) -> list[str]:
    """The lines of the region's sentence, without comment signs and mark."""
    text = [reference.comments[region.first].string.partition("]")[2].strip()]
    for line in range(region.first + 1, region.last):
        if not reference.stands_alone(line):
            break
        text.append(reference.comments[line].string.lstrip("#").strip())
    if not any(text):
        raise reference.problem(region.first, "# [task] says nothing. Say behind the mark, in a sentence, what to do.")
    return [line for line in text if line]
