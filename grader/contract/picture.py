"""A small picture that belongs to a verdict: what a training went through, or what a network has learned."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

MAX_CHARACTERS = 60_000
"""Longest PNG of one picture, in base64: it has to fit into one output of Gradescope's, beside a text."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Picture:
    """A PNG that the judge has drawn from numbers; nothing in it was drawn by a submission.

    Attributes:
        title: what is shown, in a few words.
        caption: what to see in it, such as the range of the numbers.
        png: the file, in base64.
        width: pixels across when it is shown, which may be more than there are in the file.
    """

    title: str
    caption: str
    png: str
    width: int

    @property
    def address(self) -> str:
        """The picture as the source of an ``img``."""
        return f"data:image/png;base64,{self.png}"

    @property
    def problem(self) -> str:
        """What is wrong with it, as a sentence; empty if nothing is."""
        try:
            data = base64.b64decode(self.png, validate=True)
        except (binascii.Error, ValueError):
            data = b""
        if len(self.png) > MAX_CHARACTERS or not data.startswith(_SIGNATURE):
            return f"The picture {self.title!r} is no PNG in base64 of at most {MAX_CHARACTERS:,} characters."
        return (
            "" if 0 < self.width <= 2000 else f"The picture {self.title!r} is {self.width} pixels wide, not 1 to 2000."
        )
