"""The machine's settings of pip, handed into a container: as variables, with the local files that they name."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

_UNUSED = ("user", "target", "prefix", "root", "python", "proxy-auth", "log", "cache-dir", "require-virtualenv")


@dataclass(frozen=True)
class PipSettings:
    """What pip is told on this machine.

    Attributes:
        variables: as the environment variables that pip reads.
        paths: local files and folders that they name, to be visible at the same place.
    """

    variables: dict[str, str]
    paths: tuple[Path, ...]


@cache
def pip_settings() -> PipSettings:
    """The settings in force here; none where pip is not to be had."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    return parse(listed.stdout) if listed.returncode == 0 else PipSettings({}, ())


def parse(listing: str) -> PipSettings:
    """The settings in what ``pip config list`` prints, lines such as ``global.timeout='60'``; later lines win."""
    found: dict[str, str] = {}
    # What the environment says goes over what files say.
    for line in sorted(listing.splitlines(), key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        key = name.rpartition(".")[2]
        # Settings of one command, or of where and how this machine installs, are of no use elsewhere.
        if name.partition(".")[0] in ("global", "install", ":env:") and key not in _UNUSED:
            found[key] = _literal(value)
    variables = {f"PIP_{key.upper().replace('-', '_')}": value for key, value in found.items() if value}
    words = [word for value in variables.values() for word in value.split()]
    paths = [path for word in words for path in _paths(word)]
    return PipSettings(variables, tuple(dict.fromkeys(paths)))


def _literal(text: str) -> str:
    try:
        return str(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        return text


def _paths(word: str) -> list[Path]:
    """What a word of a setting names on this machine. An index lists files that may lie beside it."""
    if word.startswith("file:"):
        path = Path(unquote(urlsplit(word).path))
        beside = path.parent if path.parent != Path("/") else path
        return [beside] if beside.exists() else []
    path = Path(word)
    return [path] if path.is_absolute() and path.exists() else []
