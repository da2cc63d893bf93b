"""Reading a file of an earlier year, in which some things had other names, as if it said today's."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterator, Mapping

from grader.judge.uploads.sourcetext import Fault, definitions, parse


def in_current_names(text: str, older_names: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """``text`` with today's names for what it defines under older ones, and a sentence on each.

    Args:
        text: source that can be parsed.
        older_names: today's name -> the older one. Where a file defines both, or neither, nothing changes.

    Attributes (``net.old``), strings and comments stay, and so do the numbers of lines.
    """
    tree = parse(text) if older_names else None
    if tree is None or isinstance(tree, Fault):
        return text, ()
    defined = definitions(tree).defined
    current = {old: new for new, old in older_names.items() if old in defined and new not in defined}
    if not current:
        return text, ()
    lines = text.split("\n")
    for (row, begin), (_, end), old in reversed(list(_places(text, current))):
        line = lines[row - 1]
        lines[row - 1] = line[:begin] + current[old] + line[end:]
    return "\n".join(lines), tuple(f"{old} was read as {new}, its name here." for old, new in current.items())


def _places(text: str, names: Mapping[str, str]) -> Iterator[tuple[tuple[int, int], tuple[int, int], str]]:
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME and token.string in names and before != ".":
            yield token.start, token.end, token.string
        before = token.string
