"""Student files, derived from the reference by region marks.

A reference is a complete solution. Comment lines of their own mark what a student does not receive::

    def mean(x):
        \"\"\"Mean of x (N,) over its entries.\"\"\"
        # [task] Add the entries up,
        # and divide by their number.

        return x.sum() / x.shape[0]
        # [end]

``# [task]`` opens a region inside a function, ``# [end]`` at the same indentation closes it. The text behind the mark
and the comment lines directly below it are the sentence that says what to do; a blank line ends it where a comment of
the solution follows. In the student's file the region becomes that sentence, as comments and as the message of a
``NotImplementedError``. ``# [solution]`` ... ``# [end]`` around definitions of a module or class leaves them out.
Everything else, docstrings and signatures included, stays as it is. Marks are looked for among the tokens of the file,
so text in strings is never taken for one.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

from grader.contract.assignment import EXPERIMENTS
from grader.kit.derived import Derived
from grader.kit.marks import Reference, Region, Scope, TemplateError, parse, read, regions, scopes_around, sentence

__all__ = ["TemplateError", "derive", "derive_course", "differences", "write"]

LINE_LENGTH = 120


def derive(source: str, filename: str) -> str:
    """The student's version of a reference module.

    Args:
        source: text of the reference.
        filename: its name, for messages.

    Raises:
        TemplateError: a mark is unknown, misplaced, nested or unclosed, or the file is no valid Python before or after.
    """
    reference = read(source, filename)
    lines = list(reference.lines)
    for region in reversed(list(regions(reference))):
        scopes = scopes_around(region, reference)
        above = region.first - 1
        if region.kind == "task":
            lines[above : region.last] = _stub(region, scopes, reference)
        else:
            while above and not lines[above - 1].strip():
                above -= 1
            lines[above : region.last] = []
    template = "\n".join(lines).strip("\n") + "\n"
    parse(template, filename, "Expected valid Python to remain without the marked regions")
    return template


def derive_course(course: Path) -> dict[Path, str]:
    """The student's version of every module in ``reference/<assignment>/``, by its path below ``student_template/``.

    Raises:
        TemplateError: as :func:`derive`.
        FileNotFoundError: the course has no such file.
    """
    root = course / "reference"
    templates = {
        path.relative_to(root): derive(path.read_text(encoding="utf-8"), str(path.relative_to(course)))
        for path in sorted(root.glob("*/*.py"))
        if path.name not in EXPERIMENTS
    }
    if not templates:
        raise FileNotFoundError(f"Expected {root}/<assignment>/*.py and found no file. Give the folder of a course.")
    return templates


def write(course: Path) -> None:
    """Write ``student_template/*/*.py`` anew; files there that no reference stands behind are removed.

    Raises:
        TemplateError, FileNotFoundError: as :func:`derive_course`, before anything is written.
    """
    _derived(course).write()


def differences(course: Path) -> list[str]:
    """One sentence for every ``student_template/*/*.py`` that is not as :func:`write` would leave it.

    Raises:
        TemplateError, FileNotFoundError: as :func:`derive_course`.
    """
    return _derived(course).differences()


def _derived(course: Path) -> Derived:
    return Derived(course / "student_template", "*/*.py", derive_course(course), "reference")


def _stub(region: Region, scopes: list[Scope], reference: Reference) -> list[str]:
    """What a student finds in place of the region: the sentence, and an error that says it."""
    text = sentence(region, reference)
    indent = " " * region.column
    message = ".".join(scope.name for scope in scopes) + ": " + " ".join(text)
    return [f"{indent}# {line}" for line in text] + [indent + line for line in _raise(message, region.column)]


def _raise(message: str, column: int) -> list[str]:
    """``raise NotImplementedError(message)``, broken into lines where it is long."""
    text = json.dumps(message, ensure_ascii=False)[1:-1]  # a JSON string in quotes is a Python literal as well
    if column + len(f'raise NotImplementedError("{text}")') <= LINE_LENGTH:
        return [f'raise NotImplementedError("{text}")']
    parts = [text]
    room = LINE_LENGTH - column - len('    ""')
    if len(text) > room:
        wrapped = textwrap.wrap(text, room - 1, break_long_words=False, break_on_hyphens=False)
        parts = [f"{line} " for line in wrapped[:-1]] + wrapped[-1:]
    return ["raise NotImplementedError(", *(f'    "{part}"' for part in parts), ")"]
