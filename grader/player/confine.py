"""Confinement of the processes in which a submission's code runs, in two stages.

A loader calls :func:`enter` before it loads a submission's modules; each check's player, forked from it, calls
:func:`seal` before it runs any of them. Every layer is used where the machine offers it, and :class:`Layers` tells
which are on and why the others are off. Stage 1 must hold alone: the modules run inside the loader before stage 2, so
a malicious one can replace ``seal`` by nothing. Then it can fork, within RLIMIT_NPROC and within the loader's process
group, which :func:`.descendants.reap` ends with the loader.

**A Python that only root can read.** Where Python lives beneath root's 0700 home folder, a player with a user of its
own could import nothing more. If Landlock is on, such a player keeps one capability, CAP_DAC_READ_SEARCH: file modes
no longer bind its reading, but Landlock still opens the granted paths alone, ``open_by_handle_at`` is denied, and
writing, signals and changed attributes need capabilities that are gone. Without Landlock the capability would open
every file, so the player does without, and the layer ``imports`` says which modules it cannot read.

**What stays open.** ``stat`` of any path; without namespaces, a scratch folder can be filled until the judge sees it,
for limits are per file; kernel bugs. GPU players have no limit of address space, only one of private memory, and their
list of files is untested.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from grader.contract.layers import Layers

from . import identity, kernel, landlock, limits, namespaces, roots, seccomp
from .descendants import become_subreaper, end_descendants, reap
from .policy import ConfinementError, Policy

__all__ = [
    "ConfinementError",
    "Layers",
    "Policy",
    "become_subreaper",
    "end_descendants",
    "enter",
    "probe",
    "reap",
    "seal",
]

_SIGKILL = 9


class _Tally:
    """Applies layers one by one and writes down how each went."""

    def __init__(self, without: frozenset[str]) -> None:
        self.without = without
        self.on: dict[str, str] = {}
        self.off: dict[str, str] = {}

    def apply(self, name: str, layer: Callable[[], str]) -> None:
        if name in self.without:
            self.off[name] = "left out by the policy"
            return
        try:
            self.on[name] = layer()
        except (kernel.Unavailable, OSError) as reason:
            self.off[name] = str(reason)

    def layers(self) -> Layers:
        return Layers(self.on, self.off)


def enter(policy: Policy, parent: int | None = None) -> Layers:
    """Confine this process and its future children: stage 1. It takes about 5 ms and cannot be undone.

    Still possible: new processes, reading and writing on open descriptors, a receipt of more of them over a socket.
    ``parent`` is the process whose end must end this one.

    Raises:
        ConfinementError: this process has several threads (layers hold for one only), a path of the policy does not
            exist, ``parent`` is gone already, or capabilities could not be dropped.
    """
    _require_one_thread()
    _require_paths((*policy.readable, *policy.writable))
    tally = _Tally(policy.without)
    os.umask(0o077)
    tally.apply("session", _own_session)
    tally.apply("scheduling", _first_to_die)
    tally.apply("namespaces", namespaces.enter)
    tally.apply("scratch", lambda: _own_scratch(policy, tally))
    ceilings = _loader_ceilings(policy, tally)
    python = roots.granted_paths((*roots.python_folders(), *policy.readable), policy.hidden)
    if "uid" not in policy.without:
        identity.give(policy.writable, policy.uid)
    tally.apply("privileges", _no_new_privileges)
    tally.apply("landlock", lambda: landlock.restrict(_grants(policy, python)))
    tally.apply("limits", lambda: limits.lower(ceilings))
    _drop_rights(policy, tally, [*python, *policy.writable])
    tally.apply("inspection", _no_inspection)
    tally.apply("parent", lambda: _die_with(parent))
    tally.apply("seccomp", lambda: seccomp.install(seccomp.loader_program(threads=policy.threads, gpu=policy.gpu)))
    with suppress(kernel.Unavailable):
        seccomp.check_program(threads=policy.threads)
    return tally.layers()


def seal(policy: Policy, parent: int | None = None) -> Layers:
    """Confine the player of one check further: stage 2. It takes less than 1 ms and cannot be undone.

    No new process from now on, no new thread unless the policy allows threads, and ``policy.cpu_seconds`` for this
    process alone. Returns what this stage added. Raises :class:`ConfinementError` as :func:`enter` does.
    """
    _require_one_thread()
    tally = _Tally(policy.without)
    ceilings = {} if policy.cpu_seconds is None else {"CPU": policy.cpu_seconds}
    if not policy.threads:
        ceilings["NPROC"] = 0
    tally.apply("limits", lambda: limits.lower(ceilings))
    tally.apply("parent", lambda: _die_with(parent))
    if "seccomp" in policy.without:
        tally.off["seal"] = "left out by the policy"
    else:
        tally.apply("seal", lambda: seccomp.install(seccomp.check_program(threads=policy.threads)))
    return tally.layers()


def probe(policy: Policy | None = None) -> Layers:
    """Try both stages in a child process and tell what this machine offers. It takes some 20 ms."""
    if not hasattr(os, "fork"):
        return Layers(off={"all": f"{sys.platform} has no layer of confinement that this grader knows"})
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            os.write(writer, json.dumps(_both_stages(policy or Policy())).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        text = stream.read()
    os.waitpid(pid, 0)
    return Layers.from_json(json.loads(text)) if text else Layers(off={"all": "the process of the trial died"})


def _both_stages(policy: Policy) -> dict[str, dict[str, str]]:
    try:
        first, second = enter(policy), seal(policy)
    except ConfinementError as error:
        return Layers(off={"all": str(error)}).to_json()
    return Layers({**second.on, **first.on}, {**second.off, **first.off}).to_json()


def _require_one_thread() -> None:
    try:
        count = len(os.listdir("/proc/self/task"))
    except OSError:
        count = threading.active_count()
    if count != 1:
        raise ConfinementError(
            f"A process must be confined while it has one thread, and this one has {count}. "
            "Set OMP_NUM_THREADS, MKL_NUM_THREADS and OPENBLAS_NUM_THREADS to 1 before Python starts."
        )


def _require_paths(paths: Iterable[str]) -> None:
    for path in paths:
        if not os.path.exists(path):
            raise ConfinementError(f"The policy grants {path}, which does not exist. Make it before the player enters.")


def _own_session() -> str:
    if not hasattr(os, "setsid"):
        raise kernel.Unavailable(f"{sys.platform} has no sessions")
    if os.getsid(0) != os.getpid():
        os.setsid()
    return "a session and process group of its own"


def _first_to_die() -> str:
    kernel.require_linux()
    Path("/proc/self/oom_score_adj").write_text("1000")
    return "first to go when memory runs out"


def _no_new_privileges() -> str:
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    return "no program can raise them"


def _no_inspection() -> str:
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    return "memory and environment closed to other processes, no core files"


def _die_with(parent: int | None) -> str:
    kernel.prctl(kernel.PR_SET_PDEATHSIG, _SIGKILL)
    # A parent that ended before the call above sends no signal any more.
    if parent is not None and os.getppid() != parent:
        raise ConfinementError(f"The process {parent} has ended, so nobody waits for this player's answer.")
    return "killed when its parent ends"


def _own_scratch(policy: Policy, tally: _Tally) -> str:
    if not policy.scratch:
        raise kernel.Unavailable("no scratch folder was asked for")
    if "namespaces" not in tally.on:
        raise kernel.Unavailable("it needs namespaces; the judge watches the folder's size instead")
    alone = policy.writable == (policy.scratch,)
    return namespaces.own_disk(policy.scratch, policy.uid, policy.scratch_bytes, policy.scratch_files, alone=alone)


def _loader_ceilings(policy: Policy, tally: _Tally) -> dict[str, int]:
    ceilings = {"CORE": 0, "MEMLOCK": 0, "MSGQUEUE": 0, "FSIZE": policy.file_size, "NOFILE": policy.open_files}
    if policy.cpu_seconds is not None:
        ceilings["CPU"] = policy.cpu_seconds
    try:
        space, private = limits.memory_in_use()
        ceilings |= {"DATA": private + policy.memory} if policy.gpu else {"AS": space + policy.memory}
        ceilings["NPROC"] = policy.processes + _tasks_to_come(policy)
    except kernel.Unavailable as reason:
        tally.off["memory"] = str(reason)
    return ceilings


def _tasks_to_come(policy: Policy) -> int:
    """Tasks that share the limit of this player's: none for a user of its own, else all that its user runs."""
    if os.geteuid() == 0 and "uid" not in policy.without:
        return 0
    return limits.tasks_of(os.getuid())


def _grants(policy: Policy, readable: list[str]) -> list[landlock.Grant]:
    grants = [landlock.Grant(path) for path in readable]
    grants += [landlock.Grant(path, landlock.WRITE) for path in policy.writable]
    return grants + roots.system_grants(policy.hidden, gpu=policy.gpu)


def _drop_rights(policy: Policy, tally: _Tally, needed: list[str]) -> None:
    """Become the policy's user, and keep the one capability that the module's docstring explains, or none."""
    tally.apply("uid", lambda: identity.become(policy.uid))
    missing = identity.unreadable(needed)
    search = bool(missing) and {"uid", "landlock"} <= set(tally.on)
    tally.apply("capabilities", lambda: _keep_capability(search))
    missing = identity.unreadable(needed)
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        tally.off["imports"] = (
            f"this user cannot read {missing[0]}{more}: modules from there that are not loaded yet cannot be imported. "
            "Use a Python that every user can read"
        )
    else:
        tally.on["imports"] = "Python, packages and the policy's paths are readable"


def _keep_capability(search: bool) -> str:
    kernel.require_linux()
    if search:
        with suppress(PermissionError):  # a container may lack the capability
            kernel.keep_only_capabilities(kernel.CAP_DAC_READ_SEARCH)
            return "CAP_DAC_READ_SEARCH alone, within the paths that Landlock opens"
    try:
        kernel.keep_only_capabilities(0)
    except OSError as error:
        raise ConfinementError(f"The capabilities of this process could not be dropped: {error}.") from error
    return "none"
