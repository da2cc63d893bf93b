"""Damaged bytes: what a hostile or a careless program makes of well-formed ones."""

from __future__ import annotations

import random
from collections.abc import Sequence

_NUMBERS = (0, 1, 2, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**48, 2**63 - 1, 2**64 - 1)
_TEXTS = (
    b"{", b"}", b"[", b"]", b'"', b"null", b"NaN", b"-1", b"1e999", b"\\ud800", b"\xff\xfe", b"\0", b"true", b"../",
    b"/", b'"x":0', b'{"h":0}', b'{"j":0}', b'{"big":"+"}', b"\n", b"PK\3\4", b"#", b"%", b"'''", b"[[questions]]",
)  # fmt: skip


def mutated(data: bytes, draw: random.Random, others: Sequence[bytes] = ()) -> bytes:
    """``data`` after one to six changes; some of them put in parts of ``others``."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 6))):
        draw.choice(_CHANGES)(changed, draw, others)
    return bytes(changed)


def _place(data: bytearray, draw: random.Random) -> int:
    return draw.randrange(len(data) + 1)


def _flip(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    if data:
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def _byte(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    if data:
        data[draw.randrange(len(data))] = draw.randrange(256)


def _number(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    width, place = draw.choice((1, 2, 4, 8)), _place(data, draw)
    number = draw.choice(_NUMBERS) % (1 << 8 * width)
    data[place : place + width] = number.to_bytes(width, draw.choice(("little", "big")))  # type: ignore[arg-type]


def _text(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    place = _place(data, draw)
    data[place : place + draw.choice((0, 0, 1, 4))] = draw.choice(_TEXTS) * draw.choice((1, 1, 1, 40))


def _cut(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    start, end = sorted((_place(data, draw), _place(data, draw)))
    del data[start : draw.choice((end, min(end, start + 8), len(data)))]


def _repeat(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    start, end = sorted((_place(data, draw), _place(data, draw)))
    data[start:start] = data[start : min(end, start + 200)] * draw.choice((1, 1, 5))


def _splice(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> None:
    if others:
        other = draw.choice(others)
        start, end = sorted((draw.randrange(len(other) + 1), draw.randrange(len(other) + 1)))
        place = _place(data, draw)
        data[place : place + draw.choice((0, end - start))] = other[start : min(end, start + 4000)]


_CHANGES = (_flip, _byte, _number, _text, _cut, _repeat, _splice)
