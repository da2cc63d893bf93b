"""Finds text of hidden files in files that a student may see.

Three lines in a row that stand in a hidden file, in nothing that students are given anyway, and then in a readable one,
are a leak. Fewer prove little: programs about the same thing share an import or a padding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

_LINES = 3
_LEAST_CHARACTERS = 80

_Run = tuple[str, ...]


def leaks(hidden: Mapping[str, bytes], given: Mapping[str, bytes], readable: Mapping[str, bytes]) -> list[str]:
    """A sentence for each readable file that holds text of a hidden one; all three map names to contents.

    Args:
        hidden: files that no student may see.
        given: files that students receive anyway, such as the template of a reference.
        readable: files that are searched.
    """
    known = {run for content in given.values() for _, run in _runs(content)}
    secret: dict[_Run, str] = {}
    for name, content in hidden.items():
        for number, run in _runs(content):
            if run not in known:
                secret.setdefault(run, f"{name}, line {number}")
    return list(_found(secret, readable))


def _found(secret: Mapping[_Run, str], readable: Mapping[str, bytes]) -> Iterator[str]:
    for name, content in readable.items():
        place = next(((number, secret[run]) for number, run in _runs(content) if run in secret), None)
        if place is not None:
            yield f"{name}, line {place[0]}, shows a part of {place[1]}, which is hidden."


def _runs(content: bytes) -> Iterator[tuple[int, _Run]]:
    """Lines in a row that say enough, without their layout, each run with the number of its first line."""
    text = content.decode("utf-8", errors="replace")
    lines = [(number, " ".join(line.split())) for number, line in enumerate(text.splitlines(), start=1)]
    full = [(number, line) for number, line in lines if line and not line.startswith(("import ", "from "))]
    for start in range(len(full) - _LINES + 1):
        run = tuple(line for _, line in full[start : start + _LINES])
        if sum(map(len, run)) >= _LEAST_CHARACTERS:
            yield full[start][0], run
