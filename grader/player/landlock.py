"""Landlock: a list of the files that this process and its children can still open, and nothing besides.

The rules can only grow stricter, and they hold for root too. Landlock says nothing about ``stat``, ``chdir`` or changed
attributes, so seccomp denies those changes. Interface: the kernel's ``Documentation/userspace-api/landlock.rst``.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from . import kernel

# The three calls have the same numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_RULE_PATH_BENEATH = 1

_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
# What can be allowed on something that is not a folder; EXECUTE is bit 0.
_ON_FILES = 1 | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV

READ = _READ_FILE | _READ_DIR
WRITE = READ | _WRITE_FILE | _TRUNCATE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER
DEVICE = READ | _WRITE_FILE | _IOCTL_DEV

_TCP = 0b11  # bind and connect
_ABSTRACT_SOCKETS, _SIGNALS = 1, 2


@dataclass(frozen=True)
class Grant:
    """``access`` (one of READ, WRITE, DEVICE) to ``path`` and to all that lies beneath it."""

    path: str
    access: int = READ


@dataclass(frozen=True)
class Reach:
    """What one ruleset governs: file accesses, TCP and scopes, as bit masks of the kernel's interface."""

    files: int
    tcp: int = 0
    scopes: int = 0

    def packed(self) -> bytes:
        """``struct landlock_ruleset_attr``, no longer than needed: an older kernel refuses fields it does not know."""
        fields = (self.files, self.tcp, self.scopes)
        known = 3 if self.scopes else 2 if self.tcp else 1
        return struct.pack(f"={known}Q", *fields[:known])

    def words(self) -> str:
        """The governed things, for a report."""
        names = ["files"]
        names += ["TCP"] if self.tcp else []
        names += ["abstract sockets"] if self.scopes & _ABSTRACT_SOCKETS else []
        names += ["signals"] if self.scopes & _SIGNALS else []
        return ", ".join(names)


def abi() -> int:
    """The version of Landlock that this kernel speaks. Raises :class:`kernel.Unavailable` when there is none."""
    kernel.require_linux()
    try:
        return kernel.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)
    except OSError as error:
        reasons = {
            errno.ENOSYS: "the kernel is older than 5.13 or was built without Landlock",
            errno.EOPNOTSUPP: "Landlock is built into the kernel but not switched on at boot",
            errno.EPERM: "the container's seccomp profile refuses Landlock's calls",
        }
        raise kernel.Unavailable(reasons.get(error.errno or 0, str(error))) from error


def reaches(version: int) -> list[Reach]:
    """Rulesets to try on a kernel that claims ``version``, the widest first.

    Some distribution kernels claim a version and lack parts of it, so each later entry asks for less.
    """
    newest = 15 if version >= 5 else 14 if version >= 3 else 13 if version >= 2 else 12
    files = (1 << (newest + 1)) - 1
    wanted = [Reach(files, _TCP, _ABSTRACT_SOCKETS | _SIGNALS), Reach(files, _TCP, _ABSTRACT_SOCKETS)]
    wanted = wanted if version >= 6 else []
    wanted += [Reach(files, _TCP)] if version >= 4 else []
    return [*wanted, Reach(files), Reach((1 << 13) - 1)]


def _create(version: int) -> tuple[int, Reach]:
    for reach in reaches(version):
        packed = reach.packed()
        try:
            return kernel.syscall(_CREATE_RULESET, packed, len(packed), 0), reach
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.E2BIG):
                raise
    raise kernel.Unavailable(f"the kernel claims Landlock ABI {version} and accepts none of its rulesets")


def _allow(ruleset: int, grant: Grant, governed: int) -> None:
    try:
        target = os.open(grant.path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # absent here, or not for this user: nothing to allow
    try:
        access = grant.access & governed
        if not stat.S_ISDIR(os.fstat(target).st_mode):
            access &= _ON_FILES
        kernel.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, struct.pack("=Qi", access, target), 0)
    finally:
        os.close(target)


def restrict(grants: Iterable[Grant]) -> str:
    """Allow this process ``grants`` and no other file. Returns what is governed, for a report.

    The calling thread must have no_new_privs set. Grants of paths that do not exist are passed over.
    Raises :class:`kernel.Unavailable`, or OSError when the kernel refuses.
    """
    version = abi()
    ruleset, reach = _create(version)
    try:
        for grant in grants:
            _allow(ruleset, grant, reach.files)
        kernel.syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return f"ABI {version}: {reach.words()}"


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def carve(root: str, hidden: Iterable[str]) -> tuple[list[str], list[str]]:
    """Cover ``root`` by paths that leave out ``hidden``: rules only add, so a hidden folder must never be beneath one.

    Returns the paths to grant and the folders that were taken apart. The latter are granted piece by piece and cannot
    be listed any more; symbolic links in them are left out, for they may lead into a hidden folder.
    """
    return _carve(os.path.realpath(root), [os.path.realpath(path) for path in hidden])


def _carve(root: str, hidden: list[str]) -> tuple[list[str], list[str]]:
    if any(_inside(root, cover) for cover in hidden):
        return [], []
    within = [cover for cover in hidden if _inside(cover, root)]
    if not within:
        return [root], []
    granted, split = [], [root]
    with os.scandir(root) as entries:
        children = sorted(entry.path for entry in entries if not entry.is_symlink())
    for child in children:
        more, deeper = _carve(child, within)
        granted += more
        split += deeper
    return granted, split
