"""Whose rights a player has: a user of its own, and no capabilities but the one that its Python may need."""

from __future__ import annotations

import os
from collections.abc import Iterable

from . import kernel


def become(uid: int) -> str:
    """Turn root into ``uid`` and the group of the same number, for good. Returns a text for a report.

    Permitted capabilities survive, though none is in effect, so :func:`kernel.keep_only_capabilities` must follow.
    Raises :class:`kernel.Unavailable` when this process is not root or may not change its user.
    """
    kernel.require_linux()
    if os.geteuid() != 0:
        raise kernel.Unavailable(f"only root can give a player a user of its own; this one runs as uid {os.geteuid()}")
    kernel.prctl(kernel.PR_SET_KEEPCAPS, 1)
    try:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    except OSError as error:
        raise kernel.Unavailable(f"root of this container may not become uid {uid} ({error.strerror})") from error
    finally:
        kernel.prctl(kernel.PR_SET_KEEPCAPS, 0)
    return str(uid)


def give(paths: Iterable[str], uid: int) -> None:
    """Make ``uid`` and its group the owner of ``paths``, where this process is root; links are not followed."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        for path in paths:
            os.chown(path, uid, uid, follow_symlinks=False)


def unreadable(paths: Iterable[str]) -> list[str]:
    """Those of ``paths`` that this process cannot open for reading."""
    return [path for path in paths if not _opens(path)]


def _opens(path: str) -> bool:
    try:
        # Without O_NONBLOCK a named pipe would make the player wait for a writer.
        os.close(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)))
    except OSError:
        return False
    return True
