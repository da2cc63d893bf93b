"""The system calls that a player is denied, as a classic BPF program for Linux's seccomp.

It is a deny-list: a call that a future kernel adds is open until it is listed in :mod:`.syscalls`. Denied calls fail
with EPERM, which Python shows as PermissionError. Interface: the kernel's ``userspace-api/seccomp_filter.rst``.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import signal
import struct
import sys
from dataclasses import dataclass
from functools import lru_cache

from . import kernel, syscalls

_MODE_FILTER = 2
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _FAIL, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NR, _ARCH, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_X32_BIT = 0x40000000

_CLONE_THREAD = 0x00010000
# CLONE_PTRACE, CLONE_PARENT (a child that our parent would have to reap) and every CLONE_NEW* namespace.
_CLONE_NEVER = 0x00002000 | 0x00008000 | 0x00020000 | 0x02000000 | 0x7C000000
# PR_SET_DUMPABLE, PR_SET_MM, PR_SET_CHILD_SUBREAPER, PR_SET_PTRACER
_PRCTL_NEVER = (kernel.PR_SET_DUMPABLE, 35, 36, 0x59616D61)
# FIOSETOWN, SIOCSPGRP, TIOCSTI, TIOCLINUX: signals to others, and keys typed into a terminal
_IOCTL_NEVER = (0x8901, 0x8902, 0x5412, 0x541C)
# F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY
_FCNTL_NEVER = (8, 10, 15, 1024, 1026)

Program = list[tuple[int, int, int, int]]
"""Instructions as ``(code, jump if true, jump if false, operand)``."""


@dataclass(frozen=True)
class _Architecture:
    audit: int
    column: int
    has_x32: bool


_ARCHITECTURES = {
    "x86_64": _Architecture(0xC000003E, 0, True),
    "aarch64": _Architecture(0xC00000B7, 1, False),
}


def _architecture() -> _Architecture:
    kernel.require_linux()
    found = _ARCHITECTURES.get(platform.machine())
    if found is None or sys.maxsize < 2**32 or sys.byteorder != "little":
        raise kernel.Unavailable(f"there is no table of system calls for this Python on {platform.machine()}")
    return found


def _fail(number: int = errno.EPERM) -> Program:
    return [(_RETURN, 0, 0, _FAIL | number)]


_PASS: Program = [(_RETURN, 0, 0, _ALLOW)]


def _argument(index: int) -> Program:
    """Load the low half of an argument: the kernel looks at no more of those that are tested here."""
    return [(_LOAD, 0, 0, _ARGUMENTS + 8 * index)]


def _if(test: int, operand: int, then: Program) -> Program:
    """Run ``then``, which must return, when the test holds; fall through when not."""
    return [(test, 0, len(then), operand), *then]


def _unless_zero(index: int) -> Program:
    return [*_argument(index), *_if(_IF_EQUAL, 0, _PASS), *_fail()]


def _none_of(index: int, values: tuple[int, ...]) -> Program:
    tests = [step for value in values for step in _if(_IF_EQUAL, value, _fail())]
    return [*_argument(index), *tests, *_PASS]


def _prctl() -> Program:
    """Forbid some options; PDEATHSIG may be set to SIGKILL, which the seal does, and to nothing else."""
    death = [*_argument(1), *_if(_IF_EQUAL, int(signal.SIGKILL), _PASS), *_fail()]
    return [*_argument(0), *_if(_IF_EQUAL, kernel.PR_SET_PDEATHSIG, death), *_none_of(0, _PRCTL_NEVER)]


def _clone(processes: bool, threads: bool) -> Program:
    """Allow new processes, new threads, both or neither."""
    as_thread = _PASS if threads else _fail()
    as_process = [*_if(_IF_BITS, _CLONE_NEVER, _fail()), *_PASS] if processes else _fail()
    return [*_argument(0), *_if(_IF_BITS, _CLONE_THREAD, as_thread), *as_process]


class _Filter:
    """A program under construction: the first matching rule decides, and what matches none is allowed."""

    def __init__(self, architecture: _Architecture) -> None:
        self._architecture = architecture
        self._program: Program = [(_LOAD, 0, 0, _ARCH), (_IF_EQUAL, 1, 0, self._architecture.audit)]
        self._program += [(_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NR)]
        if self._architecture.has_x32:
            self._program += _if(_IF_AT_LEAST, _X32_BIT, _fail())

    def rule(self, table: syscalls.Numbers, name: str, body: Program) -> None:
        number = table[name][self._architecture.column]
        if number is not None:
            self._program += _if(_IF_EQUAL, number, body)

    def deny(self, table: syscalls.Numbers) -> None:
        for name in table:
            self.rule(table, name, _fail())

    def finished(self) -> Program:
        return [*self._program, *_PASS]


def _creation(filter_: _Filter, *, processes: bool, threads: bool) -> None:
    filter_.rule(syscalls.ARGUED, "clone", _clone(processes, threads))
    # Its flags lie in memory that a filter cannot see; on ENOSYS the C library takes clone instead.
    filter_.rule(syscalls.ARGUED, "clone3", _fail(errno.ENOSYS))
    if not processes:
        filter_.rule(syscalls.ARGUED, "fork", _fail())
        filter_.rule(syscalls.ARGUED, "vfork", _fail())


def loader_program(*, threads: bool, gpu: bool) -> Program:
    """The filter of stage 1: everything listed is denied but new processes, and new threads if ``threads``."""
    filter_ = _Filter(_architecture())
    _creation(filter_, processes=True, threads=threads)
    filter_.rule(syscalls.ARGUED, "prctl", _prctl())
    filter_.rule(syscalls.ARGUED, "ioctl", _none_of(1, _IOCTL_NEVER))
    filter_.rule(syscalls.ARGUED, "fcntl", _none_of(1, _FCNTL_NEVER))
    filter_.rule(syscalls.ARGUED, "prlimit64", _unless_zero(0))
    filter_.rule(syscalls.ARGUED, "sched_setaffinity", _unless_zero(0))
    shared = {name: numbers for name, numbers in syscalls.IPC.items() if not (gpu and name == "memfd_create")}
    for table in (
        syscalls.NETWORK,
        syscalls.PROGRAMS,
        syscalls.OTHER_PROCESSES,
        syscalls.IDENTITY,
        syscalls.ATTRIBUTES,
        syscalls.WATCHING,
        shared,
        syscalls.KERNEL,
    ):
        filter_.deny(table)
    return filter_.finished()


def check_program(*, threads: bool) -> Program:
    """The filter of stage 2, on top of stage 1: no new process, and no thread unless ``threads``.

    Made once: a loader asks for it ahead of its players, which need it in the milliseconds before their first answer.
    """
    return _check_program(_architecture(), threads)


@lru_cache
def _check_program(architecture: _Architecture, threads: bool) -> Program:
    filter_ = _Filter(architecture)
    _creation(filter_, processes=False, threads=threads)
    return filter_.finished()


class _SockFprog(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def install(program: Program) -> str:
    """Put ``program`` on this thread and all its children for good. Returns a text for a report.

    no_new_privs must be set. The kernel runs all filters that were ever installed and takes the strictest answer.
    Raises :class:`kernel.Unavailable`, or OSError when the kernel refuses.
    """
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    address = _SockFprog(len(program), ctypes.addressof(buffer))
    try:
        kernel.prctl(kernel.PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(address))
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise kernel.Unavailable("the kernel was built without seccomp filters") from error
        raise
    return f"{len(program)} instructions"
