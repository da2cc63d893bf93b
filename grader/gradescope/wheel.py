"""This grader as a wheel without the course, byte for byte the same from the same files.

Source of the format: "The Wheel Binary Package Format", PEP 427 and its successor in the packaging specifications.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from grader import __version__
from grader.exits import UsageError

NAME = "scratchgrade"
FILE = f"{NAME}-{__version__}-py3-none-any.whl"

_PACKAGE = Path(__file__).resolve().parent.parent
_INFO = f"{NAME}-{__version__}.dist-info"
# The course that an installed grader brings along holds the solutions of every assignment; what grader assignment new
# begins with holds what an assignment that was begun with it may still be.
_LEFT_OUT = ("__pycache__", "course", "assignment")
# The earliest moment that a zip can express: real times would make every bundle another one.
_WHEN = (1980, 1, 1, 0, 0, 0)


class WheelError(UsageError):
    """No wheel can be made of this installation."""


def entry(name: str, mode: int = 0o644) -> zipfile.ZipInfo:
    """A member of a zip, a regular file, with everything fixed that differs from machine to machine."""
    info = zipfile.ZipInfo(name, _WHEN)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3  # Unix, whose modes these are
    info.external_attr = (0o100000 | mode) << 16
    return info


def files() -> dict[str, bytes]:
    """Path in the wheel -> content, of this package and of what describes it. Raises :class:`WheelError`."""
    found = {
        path.relative_to(_PACKAGE.parent).as_posix(): path.read_bytes()
        for path in sorted(_PACKAGE.rglob("*"))
        if path.is_file() and not set(path.relative_to(_PACKAGE).parts) & set(_LEFT_OUT)
    }
    return {**found, **_description()}


def _description() -> dict[str, bytes]:
    try:
        installed = distribution(NAME)
    except PackageNotFoundError:
        raise WheelError("The grader is not installed here, so that nothing describes it; pip install it.") from None
    about = {name: installed.read_text(name) for name in ("METADATA", "entry_points.txt")}
    missing = [name for name, text in about.items() if text is None]
    if missing:
        raise WheelError(f"The installation of the grader lacks {', '.join(missing)}; install it anew.")
    wheel = f"Wheel-Version: 1.0\nGenerator: {NAME} {__version__}\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    return {f"{_INFO}/{name}": (text or "").encode() for name, text in {**about, "WHEEL": wheel}.items()}


def build(also: Mapping[str, bytes] | None = None, label: str = "") -> bytes:
    """The wheel, with the files ``also`` (path -> content). Raises :class:`WheelError`.

    ``label`` tells it from the usual one: it becomes part of the version, as in ``1.0+label``; see :func:`file_name`.
    """
    content = {**_labelled(files(), label), **(also or {})}
    info = _info(label)
    record = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in content.items()]
    content[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in content.items():
            archive.writestr(entry(name), data, compresslevel=9)
    return packed.getvalue()


def file_name(label: str) -> str:
    """Name of the file of a wheel with this label."""
    return f"{_info(label).removesuffix('.dist-info')}-py3-none-any.whl"


def _info(label: str) -> str:
    return _INFO.replace(__version__, f"{__version__}+{label}") if label else _INFO


def _labelled(content: Mapping[str, bytes], label: str) -> dict[str, bytes]:
    """The files of a wheel under another version."""
    renamed = {name.replace(_INFO, _info(label), 1): data for name, data in content.items()}
    if label:
        about = f"{_info(label)}/METADATA"
        line = f"\nVersion: {__version__}"
        renamed[about] = renamed[about].replace(line.encode(), f"{line}+{label}".encode(), 1)
    return renamed


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
