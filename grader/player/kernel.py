"""The few Linux calls that Python has no function for, as thin as they can be."""

from __future__ import annotations

import ctypes
import functools
import os
import struct
import sys

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38

CAP_DAC_READ_SEARCH = 1 << 2
_CAPABILITY_VERSION_3 = 0x20080522


class Unavailable(Exception):
    """This machine does not offer a layer of confinement. The text says what is missing, in words for a report."""


def require_linux() -> None:
    """Raise :class:`Unavailable` on any other system."""
    if not sys.platform.startswith("linux"):
        raise Unavailable(f"needs Linux, and this is {sys.platform}")


@functools.cache
def _libc() -> ctypes.CDLL:
    require_linux()
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, name: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def syscall(number: int, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """Make a system call by its number. Raises OSError; integers are passed as longs, bytes as pointers."""
    longs = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return _checked(_libc().syscall(ctypes.c_long(number), *longs), f"system call {number}")


def prctl(option: int, value: int = 0, pointer: object = None) -> int:
    """Set or get one attribute of this process, with zeros for the arguments not given. Raises OSError."""
    third = ctypes.c_ulong(0) if pointer is None else pointer
    zero = ctypes.c_ulong(0)
    return _checked(_libc().prctl(option, ctypes.c_ulong(value), third, zero, zero), f"prctl {option}")


def keep_only_capabilities(mask: int) -> None:
    """Make ``mask`` this process's permitted and effective capabilities, and nothing inheritable.

    Only the first 32 capabilities can be kept. Raises OSError, EPERM when one in ``mask`` is not permitted now.
    """
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _checked(_libc().capset(header, struct.pack("=6I", mask, mask, 0, 0, 0, 0)), "capset")


def unshare(flags: int) -> None:
    """Move this process into namespaces of its own, as ``CLONE_NEW*`` flags say. Raises OSError."""
    _checked(_libc().unshare(ctypes.c_int(flags)), "unshare")


def mount(kind: str, target: str, flags: int, options: str = "") -> None:
    """Mount a file system of ``kind`` without a device, or, with an empty ``kind``, change how one is shared.

    Raises OSError.
    """
    texts = [text.encode() or None for text in (kind, target, kind, options)]
    source, place, type_, data = texts
    _checked(_libc().mount(source, place, type_, ctypes.c_ulong(flags), data), f"mount {target}")
