"""Python source of a submission: bytes as they are executed, a guarded parse, and the names it defines."""

from __future__ import annotations

import ast
import codecs
import io
import re
import symtable
import tokenize
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from grader.judge.uploads.notebooks import without_ipython

_COOKIE = re.compile(r"^([ \t\f]*#.*?coding[:=][ \t]*)([-\w.]+)")
_BLANK = re.compile(r"^[ \t\f]*(?:#.*)?$")
_SHELL_LINE = re.compile(r"^[ \t]*[!%]", re.MULTILINE)
_FORMATTED = re.compile(r"(?i)\b(?:f|fr|rf)['\"]")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# The escape at the end tells encodings that read code out of what looks like a comment.
_ASCII = bytes(range(32, 127)) + b"\t\n\\u0041"
# What Python up to 3.8 read as f(*x): an argument in brackets of its own.
_BRACKETED = re.compile(r"(?<=\()\((\*[A-Za-z_][\w.]*)\)")
_MOST_BRACKETED = 50
# Python before 3.12 spends, on every field of an f-string, time in proportion to the length of the string.
_FIELD_WORK = 3_000_000_000


@dataclass(frozen=True)
class Fault:
    """What keeps a source file from being run.

    Attributes:
        message: a sentence without its full stop.
        line: line number from 1; 0 where no line is to blame.
        text: that line, cut to 200 characters.
    """

    message: str
    line: int = 0
    text: str = ""

    def __str__(self) -> str:
        where = f" in line {self.line}" if self.line else ""
        shows = f": {self.text.strip()}" if self.text.strip() else ""
        return f"{self.message}{where}{shows}"


@dataclass(frozen=True)
class SourceText:
    """Source as it is executed.

    Attributes:
        data: UTF-8 without a byte order mark, lines ending in a line feed; the original bytes where there is a fault.
        fault: why the bytes are not text; ``None`` when they are.
        shortened: whether lines that only IPython understands were taken out.
    """

    data: bytes
    fault: Fault | None = None
    shortened: bool = False


@dataclass(frozen=True)
class Definitions:
    """The names at the top level of a module.

    Attributes:
        defined: functions, classes and variables.
        imported: names that an import binds.
        star: whether it holds ``from … import *``, so that it may have any name.
    """

    defined: frozenset[str] = frozenset()
    imported: frozenset[str] = frozenset()
    star: bool = False


def normalised(raw: bytes) -> SourceText:
    """Decode source as Python does (byte order mark, coding cookie) and encode it as plain UTF-8.

    What is executed, parsed and shown is then one and the same text, whatever encoding and line ends it came in. A call
    such as ``f((*x))``, which Python up to 3.8 took for ``f(*x)``, becomes that. Line numbers stay. Normalising twice
    changes nothing.
    """
    if raw.startswith(_UTF16):
        return SourceText(raw, Fault("The file is saved as UTF-16. Save it as UTF-8"))
    if b"\0" in raw:
        return SourceText(
            raw, Fault("The file holds a NUL byte, so it is not Python source", _line_of(raw, raw.index(b"\0")))
        )
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        if not _keeps_ascii(encoding):
            return SourceText(raw, Fault(f"The file is in {encoding}, which is not accepted. Save it as UTF-8"))
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        return SourceText(raw, _undecodable(raw, error))
    except (SyntaxError, LookupError, ValueError):
        return SourceText(raw, _undecodable(raw, None))
    lines = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    plain = _with_plain_stars("\n".join(_with_utf8_cookie(lines)))
    python = _without_shell(plain)
    return SourceText(python.encode(), shortened=python != plain)


def _without_shell(text: str) -> str:
    """``text`` without lines for IPython, where Python refuses it for one of them and takes the rest."""
    if not _SHELL_LINE.search(text):
        return text
    fault = parse(text)
    if not isinstance(fault, Fault) or not fault.text.lstrip().startswith(("!", "%")):
        return text
    python = without_ipython(text)
    return text if isinstance(parse(python), Fault) else python


def _with_plain_stars(text: str) -> str:
    """``text`` without the brackets around starred arguments, in the lines that Python refuses for them."""
    for _ in range(min(text.count("((*"), _MOST_BRACKETED)):
        fault = parse(text)
        if not isinstance(fault, Fault) or "starred expression" not in fault.message:
            break
        lines = text.split("\n")
        lines[fault.line - 1] = _BRACKETED.sub(r"\1", lines[fault.line - 1])
        if text == (text := "\n".join(lines)):
            break
    return text


def _keeps_ascii(encoding: str) -> bool:
    try:
        return _ASCII.decode(encoding) == _ASCII.decode("ascii")
    except (LookupError, ValueError):
        return False


def _undecodable(raw: bytes, error: UnicodeDecodeError | None) -> Fault:
    if error is None:
        try:
            raw.decode()
        except UnicodeDecodeError as found:
            error = found
        else:
            return Fault(
                "The file names an encoding that Python does not know. Save it as UTF-8", 1, _shown_line(raw, 1)
            )
    line = _line_of(raw, error.start)
    message = f"The file is not {error.encoding} text (byte 0x{raw[error.start]:02x}). Save it as UTF-8"
    return Fault(message, line, _shown_line(raw, line))


def _line_of(raw: bytes, position: int) -> int:
    return raw.count(b"\n", 0, position) + 1


def _shown_line(raw: bytes, line: int) -> str:
    return raw.split(b"\n")[line - 1].decode("ascii", "backslashreplace")[:200]


def _with_utf8_cookie(lines: list[str]) -> list[str]:
    # A cookie counts in the second line only if the first is blank or a comment.
    for index in range(min(2, len(lines))):
        lines[index] = _COOKIE.sub(r"\1utf-8", lines[index])
        if not _BLANK.match(lines[index]):
            break
    return lines


def parse(text: str) -> ast.Module | Fault:
    """Parse source without running it, as far as Python's own checks of names and scopes go.

    Hostile source costs a bounded time, given that the caller caps its length: it comes back as a fault.
    """
    if _FORMATTED.search(text) and text.count("{") * len(text) > _FIELD_WORK:
        return Fault("The file holds more braces than can be read in reasonable time. Move data out of the code")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
            symtable.symtable(text, "submission", "exec")
    except SyntaxError as error:
        line = error.lineno or 0
        return Fault(f"{type(error).__name__}: {error.msg}", line, _line_text(text, line))
    except (RecursionError, MemoryError):
        return Fault("The code is nested too deeply to be read")
    except (ValueError, OverflowError) as error:
        return Fault(f"The code cannot be read: {error}")
    return tree


def _line_text(text: str, line: int) -> str:
    lines = text.split("\n")
    return lines[line - 1][:200] if 0 < line <= len(lines) else ""


def definitions(tree: ast.Module) -> Definitions:
    """The names that a module binds at its top level, in the branches of ``if``, ``try`` and ``with`` too."""
    defined: set[str] = set()
    imported: set[str] = set()
    for statement in _statements(tree.body):
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            imported.update(alias.asname or alias.name.partition(".")[0] for alias in statement.names)
        else:
            defined.update(bound_names(statement))
    return Definitions(frozenset(defined), frozenset(imported - {"*"}), "*" in imported)


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    pending = list(body)
    while pending:
        statement = pending.pop()
        if isinstance(statement, (ast.If, ast.Try, ast.With)):
            for field in ("body", "orelse", "finalbody"):
                pending.extend(getattr(statement, field, []))
            for handler in getattr(statement, "handlers", []):
                pending.extend(handler.body)
        else:
            yield statement


def bound_names(statement: ast.stmt) -> frozenset[str]:
    """The names that a definition or an assignment binds; none for other statements."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return frozenset({statement.name})
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets = [statement.target]
    names = (node for target in targets for node in ast.walk(target))
    return frozenset(node.id for node in names if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
