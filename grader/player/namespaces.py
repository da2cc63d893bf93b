"""Namespaces of a loader's own: no network, no shared memory of others, and a scratch folder that is its own disk."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from . import kernel

_NEWNS, _NEWIPC, _NEWUSER, _NEWNET = 0x00020000, 0x08000000, 0x10000000, 0x40000000
_OWN = _NEWNS | _NEWIPC | _NEWNET
_NOSUID, _NODEV, _NOEXEC, _RECURSIVE, _PRIVATE = 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 18
_MOUNT_SETATTR, _HERE, _ALL_BELOW, _ATTRIBUTE_READ_ONLY = 442, -100, 0x8000, 1


def enter() -> str:
    """Leave the machine's network, IPC objects and mounts for empty or private ones. Returns a text for a report.

    An ordinary user needs a user namespace for that, which many containers and some distributions refuse. Raises
    :class:`kernel.Unavailable` with the reason; the process is then where it was.
    """
    kernel.require_linux()
    if os.geteuid() == 0:
        try:
            _separate(_OWN)
        except OSError as error:
            raise kernel.Unavailable(f"root of this container may not make namespaces ({error.strerror})") from error
        return "network, IPC and mounts of its own"
    _try_in_a_child()
    _separate_as_user()
    return "user, network, IPC and mounts of its own"


def _separate(flags: int) -> None:
    kernel.unshare(flags)
    # Nothing that is mounted from now on may reach the machine.
    kernel.mount("", "/", _RECURSIVE | _PRIVATE)


def _separate_as_user() -> None:
    uid, gid = os.geteuid(), os.getegid()
    kernel.unshare(_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    _separate(_OWN)


def _try_in_a_child() -> None:
    """Half a user namespace cannot be left again, so a process that is thrown away goes first."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _separate_as_user()
        except OSError as error:
            os.write(writer, (error.strerror or "refused").encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        reason = stream.read().decode()
    os.waitpid(pid, 0)
    if reason:
        raise kernel.Unavailable(f"this machine lets no ordinary user make namespaces ({reason})")


def own_disk(folder: str, uid: int, most_bytes: int, most_files: int, *, alone: bool) -> str:
    """Make ``folder`` an empty file system in memory that ``uid`` owns. Returns a text for a report.

    Where it is the only folder to be written, ``alone``, everything else becomes read-only, on Linux 5.12 or newer.

    It ends with the last process of the namespace. Needs :func:`enter`. Raises :class:`kernel.Unavailable`.
    """
    options = f"size={most_bytes},nr_inodes={most_files},mode=700"
    if os.geteuid() == 0:
        options += f",uid={uid},gid={uid}"
    rest = ", and nothing else to be written" if alone and _read_only() else ""
    try:
        kernel.mount("tmpfs", folder, _NOSUID | _NODEV | _NOEXEC, options)
    except OSError as error:
        raise kernel.Unavailable(f"no file system can be mounted here ({error.strerror})") from error
    return f"a file system of its own, {most_bytes >> 20} MiB and {most_files} files at most{rest}"


def _read_only() -> bool:
    """Make every mount of this namespace read-only, those below others included; False where it cannot be done."""
    attributes = struct.pack("=4Q", _ATTRIBUTE_READ_ONLY, 0, 0, 0)
    try:
        kernel.syscall(_MOUNT_SETATTR, _HERE, b"/", _ALL_BELOW, attributes, len(attributes))
    except OSError:
        return False
    return True
