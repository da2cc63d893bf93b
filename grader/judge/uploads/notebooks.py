"""Notebooks: the code cells of an ``.ipynb`` file, without what only IPython understands.

The JSON is read tolerantly (formats 3 and 4) and without nbformat. Nothing is executed.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from grader.judge.uploads.limits import IntakeError, IntakeLimits, human, shown

_TRANSPARENT = frozenset({"time", "timeit", "capture", "prun", "memit", "mprun", "python", "python3"})
_CELL_MAGIC = re.compile(r"\s*%%(\w+)[ \t]*(.*)")
# Matched at the first character that is not blank: with blanks in the pattern, a long line of them takes for ever.
_IPYTHON_LINE = re.compile(
    r"""(?:
        [%!]                                        # %magic, !shell
      | \?{1,2}\s*[\w.%*]                           # ?help
      | %{0,2}[\w.*]+\?{1,2}\s*$                    # help?
      | [,;/]\w                                     # ,f a b: quoting and automatic calls
      | [\w.,\s\[\]'"*()]+=\s*[!%]                  # files = !ls
      | (?:pip3?|conda|cd|ls|mkdir|wget|unzip)\s+[^=\s(.,\[]
    )""",
    re.VERBOSE,
)
# A comment, a string with its prefix, a bracket; whatever is between them does not matter here.
_LEXEME = re.compile(r"#.*|'''|\"\"\"|'(?:\\.|[^'\\])*'?|\"(?:\\.|[^\"\\])*\"?|[()\[\]{}]")
_TRIPLE_END = {quotes: re.compile(rf"(?:\\.|[^\\])*?{quotes}") for quotes in ("'''", '"""')}


@dataclass(frozen=True)
class Cell:
    """One code cell.

    Attributes:
        number: its position among the code cells, from 1.
        text: its text as the notebook holds it, lines ending in a line feed.
    """

    number: int
    text: str


@dataclass(frozen=True)
class WrittenFile:
    """A cell that writes a file.

    Attributes:
        name: the path as the cell spells it: not to be trusted.
        text: the cell without its first line.
        append: whether the text is added to the file's end.
    """

    name: str
    text: str
    append: bool


def read_cells(raw: bytes, label: str, limits: IntakeLimits) -> tuple[Cell, ...]:
    """The code cells of a notebook file, in their order.

    Raises:
        IntakeError: it is not the JSON of a notebook, or its code passes the cap for a source file.
    """
    try:
        found = list(_sources(json.loads(raw)))
    except (ValueError, RecursionError, MemoryError) as error:
        raise IntakeError(
            f"{label} is not a notebook that can be read ({shown(str(error))}). "
            "Open it in Jupyter, save it, and hand it in again."
        ) from error
    texts = [text.replace("\r\n", "\n").replace("\r", "\n") for text in found]
    if sum(map(len, texts)) > limits.source_bytes:
        raise IntakeError(
            f"The code of {label} has more than {human(limits.source_bytes)}. Move data out of its cells."
        )
    return tuple(Cell(number, text) for number, text in enumerate(texts, start=1))


def _sources(document: Any) -> Iterator[str]:
    if not isinstance(document, dict) or not any(isinstance(document.get(k), list) for k in ("cells", "worksheets")):
        raise ValueError("expected a JSON object with a list of cells")
    sheets = [document, *_dicts(document.get("worksheets"))]
    for cell in (cell for sheet in sheets for cell in _dicts(sheet.get("cells"))):
        if cell.get("cell_type") == "code":
            # Format 3 says "input" where format 4 says "source"; both allow a list of lines.
            source = cell.get("source", cell.get("input", ""))
            lines = source if isinstance(source, list) else [source]
            yield "".join(line for line in lines if isinstance(line, str))


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def written_file(cell: Cell) -> WrittenFile | None:
    """The file that the cell writes by ``%%writefile``, if it does."""
    magic, arguments, body = _cell_magic(cell.text)
    if magic not in ("writefile", "file"):
        return None
    words = arguments.strip()
    append = words.startswith(("-a ", "--append "))
    name = words.partition(" ")[2] if append else words
    return WrittenFile(name.strip(" '\""), body, append)


def python_of(cell: Cell) -> str:
    """The cell as Python: lines for IPython and the shell become ``pass``; a cell in another language becomes empty.

    Line numbers stay, but for the first line of a cell with a ``%%magic``.
    """
    name, _, body = _cell_magic(cell.text)
    if name and name not in _TRANSPARENT:
        return ""
    plain = without_ipython(body)
    # Like IPython, forgive a cell that is indented as a whole; and leave strings in other cells as they are.
    return textwrap.dedent(plain) if plain.lstrip("\n").startswith((" ", "\t")) else plain


def _cell_magic(text: str) -> tuple[str, str, str]:
    """Name and arguments of a ``%%magic`` (empty if there is none) and the text below it."""
    first, _, rest = text.lstrip("\n").partition("\n")
    match = _CELL_MAGIC.match(first)
    return (match[1], match[2], rest) if match else ("", "", text)


def without_ipython(text: str) -> str:
    """``text`` with ``pass`` for lines that are meant for IPython or the shell; line numbers stay."""
    return "\n".join(_plain_lines(text))


def _plain_lines(text: str) -> Iterator[str]:
    inside = _Inside()
    replacement = ""
    for line in text.split("\n"):
        bare = line.lstrip()
        if not replacement and inside.nothing and _IPYTHON_LINE.match(bare):
            replacement = line[: len(line) - len(bare)] + "pass"
        if not replacement:
            inside.read(line)
        yield replacement or line
        # A command that goes on in the next line takes that line with it.
        if not line.endswith("\\"):
            replacement = ""


class _Inside:
    """Tells, line by line, whether the next line begins a statement or goes on with one.

    ``%`` and ``!`` at the start of a line are IPython's only where a statement can begin.
    """

    def __init__(self) -> None:
        self._brackets = 0
        self._quotes = ""
        self._continued = False

    @property
    def nothing(self) -> bool:
        return not (self._brackets or self._quotes or self._continued)

    def read(self, line: str) -> None:
        position = 0
        while True:
            if self._quotes:
                end = _TRIPLE_END[self._quotes].match(line, position)
                if end is None:
                    return
                self._quotes, position = "", end.end()
            lexeme = _LEXEME.search(line, position)
            if lexeme is None:
                break
            position = lexeme.end()
            self._take(lexeme[0])
        self._continued = line.endswith("\\")

    def _take(self, lexeme: str) -> None:
        if lexeme in _TRIPLE_END:
            self._quotes = lexeme
        elif lexeme in "([{":
            self._brackets += 1
        elif lexeme in ")]}":
            self._brackets = max(0, self._brackets - 1)
