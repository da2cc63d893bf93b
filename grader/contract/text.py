"""Text that came from a submission, made fit to be shown: in a terminal, a page, a JSON file or a table."""

from __future__ import annotations

import re

# Escape sequences of terminals (ECMA-48): operating-system and other string commands with their ends, control
# sequences, and two-character escapes. A string command that never ends loses only its introduction: the bound keeps
# one stray escape from swallowing what follows. That no command holds the start of another keeps the search linear.
_ESCAPES = re.compile(
    r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x90\x98\x9c-\x9f\n]{0,1000}(?:\x07|\x1b\\|\x9c)"
    r"|(?:\x1b\[|\x9b)[0-?]{0,100}[ -/]{0,10}[@-~]?"
    r"|\x1b[ -/]{0,10}[0-~]?"
)
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# What no face can show. NUL is marked too, as Gradescope would do.
_BROKEN = re.compile("[\x00\ud800-\udfff\ufffe\uffff]")
# C0 and C1 controls but line feed and tab; zero-width and bidirectional controls, which can make a line read as
# another (Boucher and Anderson, "Trojan Source", 2021); and invisible tags.
_INVISIBLE = re.compile(
    "[\x01-\x08\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_NUMBERS = re.compile("([0-9]+)")


def printable(text: str, cap: int) -> str:
    """``text`` without what disturbs or deceives a reader, at most ``cap`` characters long.

    Terminal escapes, control characters other than line feed and tab, zero-width and bidirectional controls go; NUL and
    lone surrogates become U+FFFD; every kind of line end becomes a line feed. What is too long loses its middle, at the
    ends of lines where possible, and a sentence says how much is left out. Applying it twice changes nothing more.
    """
    text = _ESCAPES.sub("", text)
    text = _LINE_ENDS.sub("\n", text)
    text = _BROKEN.sub("\ufffd", text)
    return _shortened(_INVISIBLE.sub("", text), cap)


def one_line(text: str, cap: int) -> str:
    """``text`` made printable, with every run of white space turned into one space, and cut at ``cap`` characters.

    A label is short: of what is over a hundred times longer than the cap, only the start is looked at.
    """
    start = text[: 100 * (cap + 1)]
    line = " ".join(printable(start, len(start)).split())
    return line if len(line) <= cap else line[: max(cap - 1, 0)] + "…"[:cap]


def natural_key(number: str) -> tuple[tuple[int, int, str], ...]:
    """Key that sorts numbered names as people do: ``"1.2"`` before ``"1.10"``, at any length."""
    return tuple(_part_key(part) for part in _NUMBERS.split(number) if part)


def _part_key(part: str) -> tuple[int, int, str]:
    # Digits are compared by length and then as text: turning thousands of digits into an integer is refused by Python.
    digits = part.lstrip("0")
    return (0, len(digits), digits) if _NUMBERS.fullmatch(part) else (1, 0, part)


def _shortened(text: str, cap: int) -> str:
    if len(text) <= cap:
        return text
    room = cap - len(_left_out(len(text), text.count("\n")))
    if room < 2:
        return text[: max(cap, 0)]
    head, tail = _head(text[: room // 2]), _tail(text[len(text) - (room - room // 2) :])
    left_out = text[len(head) : len(text) - len(tail)]
    return head + _left_out(len(left_out), left_out.count("\n")) + tail


def _left_out(characters: int, lines: int) -> str:
    return f"\n[{characters:,} characters, {lines:,} line ends among them, are left out here.]\n"


def _head(text: str) -> str:
    """``text`` up to its last line end, unless that would give up more than half of it."""
    end = text.rfind("\n")
    return text[:end] if end >= len(text) // 2 else text


def _tail(text: str) -> str:
    """``text`` from behind its first line end, unless that would give up more than half of it."""
    end = text.find("\n")
    return text[end + 1 :] if 0 <= end <= len(text) // 2 else text
