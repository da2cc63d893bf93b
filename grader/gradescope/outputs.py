"""The output of a test, in plain text or, where pictures belong to it, in the little HTML that the platform keeps.

What is written here is read back here: for the preview, and where an earlier ``results.json`` is shown again. Whoever
wrote that file, only texts and PNG images come out of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser

from grader.contract.picture import Picture

_PNG = "data:image/png;base64,"


@dataclass(frozen=True)
class Shown:
    """What a person sees of an output: its text, and the addresses of its pictures with their width in pixels."""

    text: str
    pictures: tuple[tuple[str, int], ...] = ()


def html_of(text: str, pictures: Iterable[Picture], most: int) -> str:
    """``text`` and as many of ``pictures`` as fit into ``most`` bytes of UTF-8, as HTML; empty if the text does not."""
    parts = [f'<pre style="white-space: pre-wrap">{escape(text)}</pre>']
    room = most - len(parts[0].encode())
    if room < 0:
        return ""
    for picture in pictures:
        caption = escape(f"{picture.title}: {picture.caption}")
        part = f'<p><img src="{escape(picture.address)}" width="{picture.width}" alt=""><br>{caption}</p>'
        room -= len(part.encode())
        if room >= 0:
            parts.append(part)
    return "".join(parts)


def shown(output: str, output_format: str) -> Shown:
    """What a person sees of an output; HTML is reduced to its text and its PNG images."""
    if output_format != "html":
        return Shown(output)
    reader = _Reader()
    reader.feed(output)
    reader.close()
    return Shown("".join(reader.texts).strip("\n"), tuple(reader.pictures))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self.pictures: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        address, width = given.get("src") or "", given.get("width") or ""
        if tag == "img" and address.startswith(_PNG) and width.isascii() and width.isdigit() and len(width) < 5:
            self.pictures.append((address, int(width)))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("p", "pre"):
            self.texts.append("\n")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
