"""Attacks on a confined player. Each system call is tried unconfined too: one that is refused to all proves nothing."""

from __future__ import annotations

import array
import ctypes
import fcntl
import importlib
import json
import mmap
import os
import platform
import re
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from grader.contract import layers as layers_of_contract
from grader.contract import users
from grader.player import confine, descendants, kernel, landlock, limits, seccomp, syscalls
from grader.player.confine import ConfinementError, Layers, Policy

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="these layers exist on Linux only")

ORDINARY_UID = 12345
SPARE_MODULES = ("wave", "colorsys", "sched", "chunk", "nntplib", "mailcap", "rlcompleter", "turtledemo")
AS_ROOT = os.geteuid() == 0


@dataclass(frozen=True)
class World:
    name: str
    root: bool
    without: frozenset[str] = frozenset()

    @property
    def uid(self) -> int:
        """Whom a player is in the end."""
        if self.root:
            return users.FIRST_UID + os.getpid() % 4000
        return ORDINARY_UID if AS_ROOT else os.geteuid()


NO_LANDLOCK = frozenset({"landlock"})
ROOT, USER = World("root", True), World("user", False)
ROOT_WITHOUT_LANDLOCK = World("root without landlock", True, NO_LANDLOCK)
# The strongest world and the weakest: what holds in both holds in those between them.
WORLDS = [ROOT, World("user without landlock", False, NO_LANDLOCK)]


def need(world: World) -> World:
    if world.root and not AS_ROOT:
        pytest.skip("only root can give a player a user of its own")
    return world


@pytest.fixture(params=WORLDS, ids=lambda world: world.name, scope="module")
def world(request: pytest.FixtureRequest) -> World:
    return need(request.param)


@pytest.fixture(params=[ROOT, USER], ids=lambda world: world.name, scope="module")
def world_with_landlock(request: pytest.FixtureRequest) -> World:
    try:
        landlock.abi()
    except kernel.Unavailable as reason:
        pytest.skip(str(reason))
    return need(request.param)


@dataclass(frozen=True)
class Outcome:
    value: Any = None
    error: str = ""
    layers: Layers = field(default_factory=Layers)
    status: int = 0

    def needs(self, *names: str) -> Outcome:
        for name in names:
            if name in self.layers.off:
                pytest.skip(f"{name} is off here: {self.layers.off[name]}")
        return self


def attempt(attack: Callable[[], Any]) -> tuple[Any, str]:
    try:
        return attack(), ""
    except BaseException as error:
        return None, type(error).__name__


def in_child(work: Callable[[], tuple[Any, str, Layers]]) -> Outcome:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            value, error, layers = work()
            os.write(writer, json.dumps([value, error, layers.to_json()]).encode() + b"\n")
        except BaseException as error:
            os.write(writer, json.dumps([None, f"outside the attack: {error!r}", Layers().to_json()]).encode() + b"\n")
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        text = stream.readline()  # not to its end: a fork of the child may hold the pipe open
    _, status = os.waitpid(pid, 0)
    value, error, layers = json.loads(text) if text else (None, "the process ended", Layers().to_json())
    return Outcome(value, error, Layers.from_json(layers), status)


def idle() -> None:
    """Wait to be killed, and not for ever where a test fails."""
    signal.alarm(10)
    signal.pause()


def become_ordinary(world: World) -> None:
    if AS_ROOT and not world.root:
        os.setgroups([])
        os.setresgid(ORDINARY_UID, ORDINARY_UID, ORDINARY_UID)
        os.setresuid(ORDINARY_UID, ORDINARY_UID, ORDINARY_UID)
        kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # or else this user's other processes could not inspect it anyway


def in_world(world: World, work: Callable[[], tuple[Any, str, Layers]]) -> Outcome:
    """Run ``work`` in a child of a process that stands for the judge: of the ordinary user, or root."""
    if world.root or not AS_ROOT:
        return in_child(work)

    def judge() -> tuple[Any, str, Layers]:
        become_ordinary(world)
        outcome = in_child(work)
        return outcome.value, outcome.error, outcome.layers

    return in_child(judge)


def play(attack: Callable[[], Any], world: World, policy: Policy | None = None, *, seal: bool = False) -> Outcome:
    """Run ``attack`` in a player of ``world``, after stage 1 or after both stages."""
    policy = replace(policy or Policy(), uid=world.uid)
    policy = replace(policy, without=policy.without | world.without)

    def work() -> tuple[Any, str, Layers]:
        layers = confine.enter(policy)
        if seal:
            second = confine.seal(policy)
            layers = Layers({**second.on, **layers.on}, {**second.off, **layers.off})
        return (*attempt(attack), layers)

    return in_world(world, work)


def unconfined(attack: Callable[[], Any], world: World) -> Outcome:
    return in_world(world, lambda: (*attempt(attack), Layers()))


@pytest.fixture(scope="module")
def room() -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="confine-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def secrets(room: Path) -> Path:
    """``public`` (0644), ``private`` (0600, root's), ``own`` (0600, the ordinary user's) and ``open/`` (0777)."""
    folder = room / "secrets"
    folder.mkdir(mode=0o755)
    for name, mode in (("public", 0o644), ("private", 0o600), ("own", 0o600)):
        (folder / name).write_text("42")
        (folder / name).chmod(mode)
    (folder / "open").mkdir()
    (folder / "open").chmod(0o777)
    if AS_ROOT:
        os.chown(folder / "own", ORDINARY_UID, ORDINARY_UID)
    return folder


@pytest.fixture
def scratch(room: Path) -> Path:
    folder = Path(tempfile.mkdtemp(dir=room))
    folder.chmod(0o755)
    if AS_ROOT:
        os.chown(folder, ORDINARY_UID, ORDINARY_UID)
    return folder


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["public", "private", "own", "open"])
def test_nothing_outside_the_granted_paths_can_be_read(name: str, secrets: Path, world_with_landlock: World) -> None:
    path = secrets / name
    read = (lambda: os.listdir(path)) if name == "open" else (lambda: path.read_text())
    assert play(read, world_with_landlock).needs("landlock").error == "PermissionError"


def test_private_files_stay_private_without_landlock(secrets: Path) -> None:
    world = need(ROOT_WITHOUT_LANDLOCK)
    assert play((secrets / "private").read_text, world).needs("uid").error == "PermissionError"
    assert play((secrets / "public").read_text, world).value == "42", "if this fails, the docstring claims too little"


def test_root_folders_granted_by_the_policy_are_read_through_one_capability(room: Path, secrets: Path) -> None:
    world, granted = need(ROOT), Path(tempfile.mkdtemp(dir=room))
    (granted / "data").write_text("7")
    (granted / "data").chmod(0o600)

    def look() -> list[Any]:
        status = Path("/proc/self/status")
        return [attempt(path.read_text) for path in (granted / "data", secrets / "private", status)]

    outcome = play(look, world, Policy(readable=(str(granted),))).needs("landlock", "uid")
    if outcome.layers.on["capabilities"] == "none":
        pytest.skip("root of this container lacks CAP_DAC_READ_SEARCH")
    assert outcome.layers.on["capabilities"].startswith("CAP_DAC_READ_SEARCH")
    assert outcome.value == [["7", ""], [None, "PermissionError"], [None, "PermissionError"]]


def test_without_landlock_that_capability_is_not_kept_and_the_report_says_what_is_lost(room: Path) -> None:
    world, granted = need(ROOT_WITHOUT_LANDLOCK), Path(tempfile.mkdtemp(dir=room))

    def capabilities() -> list[str]:
        return re.findall(r"Cap(?:Prm|Eff|Inh|Amb):\s*(\w+)", Path("/proc/self/status").read_text())

    outcome = play(capabilities, world, Policy(readable=(str(granted),))).needs("uid")
    assert outcome.layers.on["capabilities"] == "none" and set(outcome.value) == {"0" * 16}
    assert "cannot read" in outcome.layers.off["imports"]


def test_hidden_folders_inside_a_granted_one(room: Path, world_with_landlock: World) -> None:
    packages = Path(tempfile.mkdtemp(dir=room))
    for name in ("numpy_like/core.py", "harness/course/answers.py", "harness/tool.py"):
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text(name)
    subprocess.run(["chmod", "-R", "a+rX", str(packages)], check=True)
    policy = Policy(readable=(str(packages),), hidden=(str(packages / "harness/course"),))

    def look() -> list[Any]:
        files = ("numpy_like/core.py", "harness/tool.py", "harness/course/answers.py")
        listing = attempt(lambda: os.listdir(packages / "harness/course"))
        return [*(attempt((packages / name).read_text)[1] for name in files), listing[1]]

    outcome = play(look, world_with_landlock, policy).needs("landlock")
    assert outcome.value == ["", "", "PermissionError", "PermissionError"]


def test_modules_beside_a_hidden_one_can_still_be_imported(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = Path(tempfile.mkdtemp(dir=room)) / "site-packages"
    for name in ("neighbour_of_hidden", "hidden_package"):
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").write_text("ANSWER = 42")
    subprocess.run(["chmod", "-R", "a+rX", str(packages.parent)], check=True)
    monkeypatch.setattr(sys, "path", [*sys.path, str(packages)])

    def work() -> list[Any]:
        return [
            attempt(lambda name=name: importlib.import_module(name).ANSWER)
            for name in ("neighbour_of_hidden", "hidden_package")
        ]

    outcome = play(work, ROOT if AS_ROOT else USER, Policy(hidden=(str(packages / "hidden_package"),)))
    assert outcome.needs("landlock").value[0] == [42, ""]
    assert outcome.value[1][1] in ("ModuleNotFoundError", "PermissionError")


@pytest.mark.parametrize("path", ["/proc", "/proc/{parent}/environ", "/proc/{parent}/cmdline", "/proc/self/environ"])
def test_other_processes_cannot_be_looked_at(path: str, world_with_landlock: World) -> None:
    target = path.format(parent=os.getpid())
    look = (lambda: os.listdir(target)) if target == "/proc" else (lambda: len(Path(target).read_bytes()))
    assert play(look, world_with_landlock).needs("landlock").error in ("PermissionError", "FileNotFoundError")


@pytest.mark.parametrize("path", ["/proc/{parent}/environ", "/proc/{parent}/mem"])
def test_the_parent_is_closed_by_its_user_where_landlock_is_missing(path: str) -> None:
    target = path.format(parent=os.getpid())
    outcome = play(lambda: open(target, "rb").close(), need(ROOT_WITHOUT_LANDLOCK)).needs("uid")
    assert outcome.error == "PermissionError"


def test_nothing_outside_scratch_can_be_written(secrets: Path, world_with_landlock: World) -> None:
    target = secrets / "open" / "new"
    assert unconfined(lambda: target.write_text("x"), world_with_landlock).error == ""
    target.unlink()
    assert play(lambda: target.write_text("x"), world_with_landlock).needs("landlock").error == "PermissionError"
    assert not target.exists()


def test_scratch_can_be_written_up_to_the_size_of_a_file(scratch: Path, world: World) -> None:
    policy = Policy(writable=(str(scratch),), file_size=100_000)

    def write(size: int) -> int:
        return (scratch / f"{size}").write_bytes(bytes(size))

    outcome = play(lambda: [attempt(lambda size=size: write(size)) for size in (100_000, 100_001)], world, policy)
    assert outcome.value == [[100_000, ""], [None, "OSError"]]
    assert (scratch / "100000").stat().st_uid == world.uid


def test_a_scratch_disk_of_its_own_is_bounded_and_the_only_thing_to_be_written(
    scratch: Path, secrets: Path, world: World
) -> None:
    """In a world without Landlock, too, where only the mounts keep a folder that all may write to as it is."""
    policy = Policy(writable=(str(scratch),), scratch=str(scratch), scratch_bytes=1 << 20, scratch_files=20)

    def fill() -> list[Any]:
        tries: list[Callable[[], Any]] = [
            lambda: (scratch / "some").write_bytes(bytes(500_000)),
            lambda: (scratch / "more").write_bytes(bytes(700_000)),
            lambda: [(scratch / f"file-{number}").touch() for number in range(30)],
            lambda: (secrets / "open" / "left").write_text("x"),
        ]
        return [list(attempt(each)) for each in tries]

    outcome = play(fill, replace(world, without=frozenset({"landlock"})), policy).needs("scratch")
    assert [error for _, error in outcome.value] == ["", "OSError", "OSError", "OSError"]
    assert list(scratch.iterdir()) == [] and not (secrets / "open" / "left").exists()


def test_without_namespaces_the_report_says_who_watches_the_scratch_folder(scratch: Path, world: World) -> None:
    policy = Policy(writable=(str(scratch),), scratch=str(scratch), without=frozenset({"namespaces"}))
    outcome = play(lambda: (scratch / "file").write_text("x"), world, policy)
    assert outcome.value == 1 and "the judge watches" in outcome.layers.off["scratch"]
    assert (scratch / "file").exists()


def test_a_player_has_no_network_but_an_empty_one(world: World) -> None:
    free = replace(world, without=world.without | {"seccomp", "landlock"})
    outcome = play(lambda: socket.socket().connect((b"192.0.2.1", 9)), free).needs("namespaces")
    assert outcome.error == "OSError"
    assert play(lambda: socket.if_nameindex(), free).value == [[1, "lo"]]


def test_a_rename_between_folders_of_scratch_works(scratch: Path, world_with_landlock: World) -> None:
    def rename() -> str:
        (scratch / "a").mkdir()
        (scratch / "x").write_text("1")
        os.replace(scratch / "x", scratch / "a" / "y")
        return (scratch / "a" / "y").read_text()

    outcome = play(rename, world_with_landlock, Policy(writable=(str(scratch),)))
    if outcome.layers.on.get("landlock", "").startswith("ABI 1:"):
        pytest.skip("Landlock's first version allows no such rename")
    assert outcome.value == "1"


def test_a_single_writable_file_gives_no_room_for_others(scratch: Path, world_with_landlock: World) -> None:
    (scratch / "answer").touch()
    if AS_ROOT:
        os.chown(scratch / "answer", ORDINARY_UID, ORDINARY_UID)

    def writes() -> list[str]:
        return [attempt(lambda n=n: (scratch / n).write_text("1"))[1] for n in ("answer", "other")]

    outcome = play(writes, world_with_landlock, Policy(writable=(str(scratch / "answer"),))).needs("landlock")
    assert outcome.value == ["", "PermissionError"]


# --- system calls ----------------------------------------------------------------------------------------------------


def number(name: str) -> int:
    tables = {name: value for table in ALL_TABLES for name, value in table.items()}
    found = tables[name][0 if platform.machine() == "x86_64" else 1]
    assert found is not None
    return found


ALL_TABLES = [table for name, table in sorted(vars(syscalls).items()) if name.isupper()]


def call(name: str, *arguments: int | bytes) -> Callable[[], int]:
    return lambda: kernel.syscall(number(name), *arguments)


def attacks(folder: Path) -> dict[str, Callable[[], Any]]:
    own = folder / "own"
    page = mmap.PAGESIZE
    buffer = ctypes.create_string_buffer(8)
    vector = struct.pack("=QQ", ctypes.addressof(buffer), 8)
    return {
        "TCP socket": lambda: socket.socket().close(),
        "UDP socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(),
        "Unix socket": lambda: socket.socket(socket.AF_UNIX).close(),
        "netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close(),
        "kill": lambda: os.kill(os.getppid(), 0),
        "kill self": lambda: os.kill(os.getpid(), 0),
        "killpg": lambda: os.killpg(0, 0),
        "tgkill": lambda: call("tgkill", os.getppid(), os.getppid(), 0)(),
        "pidfd": lambda: os.close(os.pidfd_open(os.getppid())),
        "ptrace": lambda: call("ptrace", 0x4206, os.getppid(), 0, 0)(),
        "read memory": lambda: call("process_vm_readv", os.getppid(), vector, 1, vector, 1, 0)(),
        "limit another": lambda: resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE),
        "priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, 5),
        "affinity of another": lambda: os.sched_setaffinity(os.getppid(), os.sched_getaffinity(0)),
        "change user": lambda: os.setuid(os.getuid()),
        "change group": lambda: os.setresgid(os.getgid(), os.getgid(), os.getgid()),
        "chmod": lambda: own.chmod(0o600),
        "utime": lambda: os.utime(own),
        "chown": lambda: os.chown(own, own.stat().st_uid, -1),
        "truncate": lambda: os.truncate(own, 2),
        "symlink": lambda: os.symlink("/etc/shadow", folder / "open" / "link"),
        "hard link": lambda: os.link(own, folder / "open" / "hard"),
        "fifo": lambda: os.mkfifo(folder / "open" / "fifo"),
        "memfd": lambda: os.close(os.memfd_create("x")),
        "shared memory": call("shmget", 0, page, 0o1600),
        "io_uring": call("io_uring_setup", 1, bytes(120)),
        "inotify": call("inotify_init1", 0),
        "keyring": call("keyctl", 0, -3, 0),
        "user namespace": call("unshare", 0x10000000),
        "fork into a namespace": lambda: call("clone", 0x10000000 | 17, 0, 0, 0, 0)() or os._exit(0),
        "fork for our parent": lambda: call("clone", 0x8000 | 17, 0, 0, 0, 0)() or os._exit(0),
        "outlive the parent": lambda: kernel.prctl(kernel.PR_SET_PDEATHSIG, 0),
        "be inspected": lambda: kernel.prctl(kernel.PR_SET_DUMPABLE, 1),
        "adopt orphans": confine_subreaper,
        "new group": in_fork(lambda: os.setpgid(0, 0)),
        "new session": in_fork(os.setsid),
        "signals by fcntl": signals_by_fcntl,
        "exec": lambda: os.execv("/bin/true", ["true"]),
    }


def confine_subreaper() -> None:
    kernel.prctl(36, 1)


def signals_by_fcntl() -> None:
    reader, _ = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETOWN, os.getpid())


def in_fork(work: Callable[[], Any]) -> Callable[[], None]:
    def forked() -> None:
        pid = os.fork()
        if pid == 0:
            os._exit(1 if attempt(work)[1] == "PermissionError" else 0)
        if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
            raise PermissionError

    return forked


NAMES = list(attacks(Path("/")))


@pytest.fixture(scope="module")
def tried(world: World, secrets: Path) -> Outcome:
    """The outcome of every attack, all tried by one player in stage 1."""
    todo = attacks(secrets)
    return play(lambda: {name: attempt(attack)[1] for name, attack in todo.items()}, world)


@pytest.mark.parametrize("name", NAMES)
def test_denied_from_stage_1_on(name: str, tried: Outcome, world: World, secrets: Path) -> None:
    tried.needs("seccomp")
    free = unconfined(attacks(secrets)[name], world)
    for left in (secrets / "open").iterdir():
        left.unlink()
    if free.error and name != "exec":
        pytest.skip(f"this machine refuses it to an unconfined process too ({free.error})")
    assert tried.error == "" and tried.value[name] == "PermissionError"


def test_the_loader_can_fork_and_wait(world: World) -> None:
    assert play(in_fork(lambda: None), world).error == ""


def test_a_sealed_player_cannot_fork(world: World) -> None:
    outcome = play(os.fork, world, seal=True).needs("seal")
    assert outcome.error == "PermissionError"


def test_without_seccomp_a_sealed_player_of_its_own_user_still_cannot_fork() -> None:
    outcome = play(os.fork, need(ROOT), Policy(without=frozenset({"seccomp"})), seal=True).needs("uid")
    assert outcome.error == "BlockingIOError"


def start_thread() -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()


@pytest.mark.parametrize("seal", [False, True], ids=["stage 1", "stage 2"])
def test_threads_need_permission(seal: bool, world: World) -> None:
    denied = play(start_thread, world, Policy(threads=False), seal=seal).needs("seccomp")
    assert denied.error == "RuntimeError"
    assert play(start_thread, world, Policy(threads=True), seal=seal).error == ""


def test_open_sockets_keep_working_and_bring_descriptors(world: World) -> None:
    here, there = socket.socketpair()
    reader, writer = os.pipe()
    os.write(writer, b"through the pipe")
    here.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [reader]))])

    def receive() -> str:
        _, ancillary, _, _ = there.recvmsg(1, socket.CMSG_SPACE(4))
        there.sendall(b"thanks")
        return os.read(array.array("i", ancillary[0][2])[0], 100).decode()

    outcome = play(receive, world, seal=True)
    assert (outcome.value, here.recv(10)) == ("through the pipe", b"thanks")
    for end in (here, there):
        end.close()
    os.close(reader), os.close(writer)


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [64 << 30, 300 << 20])
def test_memory_beyond_the_budget_is_a_memory_error(size: int, world: World) -> None:
    assert play(lambda: len(bytearray(size)), world, Policy(memory=256 << 20)).error == "MemoryError"


def test_memory_within_the_budget_is_there(world: World) -> None:
    assert play(lambda: len(bytearray(128 << 20)), world, Policy(memory=256 << 20)).value == 128 << 20


def test_a_gpu_player_has_a_limit_of_private_memory_instead(world: World) -> None:
    def look() -> list[int]:
        return [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]

    space, private = play(look, world, Policy(gpu=True, memory=1 << 30)).value
    assert space == resource.getrlimit(resource.RLIMIT_AS)[0] and 1 << 30 < private < 3 << 30


def test_limits_only_go_down_and_cpu_time_warns_first(world: World) -> None:
    def look() -> list[Any]:
        confine.seal(Policy(cpu_seconds=50, without=world.without))
        names = ("CPU", "CORE", "NOFILE", "MEMLOCK", "MSGQUEUE", "NPROC")
        return [resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in names]

    outcome = play(look, world, Policy(cpu_seconds=20, open_files=40))
    assert outcome.value == [[20, 21], [0, 0], [40, 40], [0, 0], [0, 0], [0, 0]]


def test_a_fork_bomb_in_the_loader_is_bounded() -> None:
    def bomb() -> int:
        for born in range(100):
            try:
                if os.fork() == 0:
                    idle()
            except BlockingIOError:
                return born
        return 100

    def zygote() -> tuple[Any, str, Layers]:
        confine.become_subreaper()
        outcome = play(bomb, world, Policy(processes=12))
        confine.end_descendants()
        return outcome.value, outcome.error, outcome.layers

    world = need(ROOT)
    assert in_child(zygote).needs("uid").value == 11


def test_tasks_of_a_user_are_counted() -> None:
    assert 1 <= len(os.listdir("/proc/self/task")) <= limits.tasks_of(os.getuid())


# --- life and death --------------------------------------------------------------------------------------------------


def test_a_player_dies_with_its_parent(world: World) -> None:
    alive, alive_writer = os.pipe()
    hold, hold_writer = os.pipe()
    policy = Policy(uid=world.uid, without=world.without)
    middle = os.fork()
    if middle == 0:
        os.close(hold_writer)
        become_ordinary(world)
        ready, ready_writer = os.pipe()
        if os.fork() == 0:
            confine.enter(policy)
            confine.seal(policy)
            os.write(ready_writer, b"x")
            os.read(hold, 1)
        os.read(ready, 1)
        os._exit(0)
    os.close(alive_writer)
    os.waitpid(middle, 0)
    ended, _, _ = select.select([alive], [], [], 5)
    for descriptor in (alive, hold, hold_writer):
        os.close(descriptor)
    assert ended


def test_a_player_whose_parent_has_gone_does_not_start() -> None:
    outcome = in_child(lambda: (confine.enter(Policy(), parent=1).to_json(), "", Layers()))
    assert "nobody waits" in outcome.error


def test_an_abandoned_family_is_ended_and_reaped() -> None:
    def family() -> tuple[Any, str, Layers]:
        assert confine.become_subreaper()
        ready, writer = os.pipe()
        if os.fork() == 0:
            os.setsid()
            for _ in range(3):
                os.fork()
            for number_ in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number_, signal.SIG_IGN)
            os.write(writer, b"x")
            idle()
        for _ in range(8):
            os.read(ready, 1)
        before = len(descendants.living_descendants())
        confine.end_descendants()
        return [before, len(descendants.living_descendants())], "", Layers()

    assert in_child(family).value == [8, 0]


def test_reaping_a_loader_ends_what_it_left_in_its_group() -> None:
    def zygote() -> tuple[Any, str, Layers]:
        confine.become_subreaper()
        alive, alive_writer = os.pipe()
        loader = os.fork()
        if loader == 0:
            os.setsid()
            if os.fork() == 0:
                idle()
            os._exit(0)
        os.close(alive_writer)
        os.waitid(os.P_PID, loader, os.WEXITED | os.WNOWAIT)
        reaped = confine.reap()
        gone, _, _ = select.select([alive], [], [], 5)
        confine.end_descendants()
        return [loader in reaped, bool(gone)], "", Layers()

    assert in_child(zygote).value == [True, True]


# --- what keeps working ----------------------------------------------------------------------------------------------


def test_modules_that_are_not_loaded_yet_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    spare = next(name for name in SPARE_MODULES if name not in sys.modules)
    world = ROOT if AS_ROOT else USER
    outcome = play(lambda: [importlib.import_module(name).__name__ for name in (spare, "numpy.polynomial")], world)
    assert outcome.needs("imports").value == [spare, "numpy.polynomial"]


def test_an_ordinary_user_with_the_systems_python(room: Path) -> None:
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if python is None:
        pytest.skip("there is no Python here that every user can read")
    if json.loads(subprocess.check_output([python, "-c", "import sys; print(sys.version_info[1])"])) < 10:
        pytest.skip("the system's Python is older than 3.10")
    package = room / "system" / "grader"
    shutil.copytree(Path(confine.__file__).parent, package / "player")
    (package / "contract").mkdir()
    for module in (users, layers_of_contract):
        shutil.copy(module.__file__, package / "contract")
    for folder in (package, package / "contract"):
        (folder / "__init__.py").touch()
    subprocess.run(["chmod", "-R", "a+rX", str(room / "system")], check=True)
    script = (
        f"import sys; sys.path.append({str(room / 'system')!r})\n"
        "from grader.player import confine\n"
        "layers = confine.enter(confine.Policy())\n"
        "import json, wave, statistics\n"
        "print(json.dumps(layers.to_json()))\n"
    )
    who = {"user": ORDINARY_UID, "group": ORDINARY_UID, "extra_groups": []} if AS_ROOT else {}
    done = subprocess.run([python, "-I", "-B", "-c", script], capture_output=True, check=False, cwd="/", **who)
    assert done.returncode == 0, done.stderr.decode()
    layers = Layers.from_json(json.loads(done.stdout))
    assert "only root" in layers.off["uid"] and layers.on["capabilities"] == "none" and "imports" in layers.on


# --- reports and refusals --------------------------------------------------------------------------------------------

EVERY_LAYER = {"session", "scheduling", "limits", "privileges", "landlock", "uid", "capabilities", "imports"}
EVERY_LAYER |= {"namespaces", "scratch", "inspection", "parent", "seccomp"}


def test_every_layer_is_reported_as_on_or_off(world: World) -> None:
    layers = play(lambda: None, world).layers
    assert set(layers.on) | set(layers.off) == EVERY_LAYER and not set(layers.on) & set(layers.off)
    assert all(layers.on.values()) and all(layers.off.values())
    assert not world.without - set(layers.off)


def test_isolated_means_files_out_of_reach_and_seccomp() -> None:
    assert Layers(on={"seccomp": "x", "uid": "1"}).isolated and Layers(on={"seccomp": "x", "landlock": "1"}).isolated
    assert not Layers(on={"uid": "1", "landlock": "1"}).isolated and not Layers(on={"seccomp": "x"}).isolated


def test_a_probe_changes_nothing_here_and_reports_both_stages() -> None:
    before = os.getuid(), os.getsid(0), resource.getrlimit(resource.RLIMIT_AS)
    layers = confine.probe()
    assert before == (os.getuid(), os.getsid(0), resource.getrlimit(resource.RLIMIT_AS))
    assert set(layers.on) | set(layers.off) == EVERY_LAYER | {"seal"}


def test_a_policy_survives_json() -> None:
    policy = Policy(uid=60007, readable=("/a", "/b"), writable=("/c",), cpu_seconds=3, without=frozenset({"uid"}))
    assert Policy.from_json(json.loads(json.dumps(policy.to_json()))) == policy
    with pytest.raises(ConfinementError, match="no readible"):
        Policy.from_json({"readible": []})


def test_a_path_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    policy = Policy(readable=(str(tmp_path / "absent"),))
    assert "does not exist" in in_child(lambda: (confine.enter(policy).to_json(), "", Layers())).error


def test_a_process_with_two_threads_is_refused() -> None:
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    try:
        with pytest.raises(ConfinementError, match="OMP_NUM_THREADS"):
            confine.enter(Policy())
    finally:
        release.set()
        thread.join()


def test_another_system_keeps_what_every_unix_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    kernel._libc.cache_clear()
    layers = in_child(lambda: (None, "", confine.enter(Policy()))).layers
    assert {"session", "limits"} <= set(layers.on) <= {"session", "limits", "imports"}
    assert "needs Linux" in layers.off["landlock"] and "needs Linux" in layers.off["seccomp"]
    assert not layers.isolated


def test_an_unknown_architecture_has_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    layers = play(lambda: None, USER, seal=True).layers
    assert "riscv64" in layers.off["seccomp"] and "riscv64" in layers.off["seal"] and not layers.isolated


# --- Landlock's parts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("longest", "words"), [(16, "files, TCP"), (8, "files")])
def test_a_kernel_that_lacks_parts_of_its_version(
    longest: int, words: str, secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = kernel.syscall

    def picky(number_: int, *arguments: Any) -> int:
        if number_ == 444 and arguments[0] is not None and len(arguments[0]) > longest:
            raise OSError(22, "EINVAL")
        return real(number_, *arguments)

    monkeypatch.setattr(kernel, "syscall", picky)
    outcome = play((secrets / "public").read_text, USER).needs("landlock")
    assert outcome.layers.on["landlock"].split(": ")[1] == words if landlock.abi() >= 4 else True
    assert outcome.error == "PermissionError"


@pytest.mark.parametrize(("version", "bits"), [(1, 13), (2, 14), (3, 15), (4, 15), (5, 16), (6, 16), (9, 16)])
def test_each_version_is_asked_for_what_it_has(version: int, bits: int) -> None:
    widest = landlock.reaches(version)[0]
    assert widest.files == 2**bits - 1
    assert len(widest.packed()) == (8 if version < 4 else 16 if version < 6 else 24)


def test_carving_covers_all_but_the_hidden(tmp_path: Path) -> None:
    for name in ("a/b/c", "a/d", "e"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a" / "link").symlink_to(tmp_path)
    root = os.path.realpath(tmp_path)
    assert landlock.carve(root, [f"{root}/a/b"]) == ([f"{root}/a/d", f"{root}/e"], [root, f"{root}/a"])
    assert landlock.carve(f"{root}/a/d", [f"{root}/a/dd", f"{root}/a/b"]) == ([f"{root}/a/d"], [])
    assert landlock.carve(f"{root}/a/b/c", [f"{root}/a"]) == ([], [])
    assert landlock.carve(root, ["/elsewhere"]) == ([root], [])


# --- seccomp's parts -------------------------------------------------------------------------------------------------

ALLOW, DENY, NO_SYSTEM_CALL, KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def decide(program: seccomp.Program, audit: int, call_number: int, *arguments: int) -> int:
    """What the kernel's interpreter would answer."""
    data = struct.pack("=IIQ6Q", call_number, audit, 0, *arguments, *[0] * (6 - len(arguments)))
    accumulator = position = 0
    while True:
        code, yes, no, operand = program[position]
        position += 1
        if code == 0x06:
            return operand
        if code == 0x20:
            accumulator = struct.unpack_from("=I", data, operand)[0]
        else:
            truth = {0x15: accumulator == operand, 0x35: accumulator >= operand, 0x45: bool(accumulator & operand)}
            position += yes if truth[code] else no


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(platform, "machine", lambda: request.param)
    return str(request.param)


def test_the_filters_decide_alike_on_both_architectures(machine: str) -> None:
    audit, column = MACHINES[machine], list(MACHINES).index(machine)
    stage_1, stage_2 = seccomp.loader_program(threads=True, gpu=False), seccomp.check_program(threads=True)
    clone, clone3 = syscalls.ARGUED["clone"][column], syscalls.ARGUED["clone3"][column]
    prctl = syscalls.ARGUED["prctl"][column]
    assert clone is not None and clone3 is not None and prctl is not None
    for table in ALL_TABLES:
        for name, numbers in table.items():
            if table is not syscalls.ARGUED and numbers[column] is not None:
                assert decide(stage_1, audit, numbers[column]) == DENY, name
    assert [decide(stage_1, audit, clone, flags) for flags in (17, 0x3D0F00, 17 | 0x8000)] == [ALLOW, ALLOW, DENY]
    assert [decide(stage_2, audit, clone, flags) for flags in (17, 0x3D0F00)] == [DENY, ALLOW]
    assert decide(stage_1, audit, clone3) == decide(stage_2, audit, clone3) == NO_SYSTEM_CALL
    assert [decide(stage_1, audit, prctl, 1, number_) for number_ in (9, 0, 15)] == [ALLOW, DENY, DENY]
    assert decide(stage_1, audit, prctl, kernel.PR_SET_SECCOMP, 2) == ALLOW
    assert decide(stage_1, 0x40000003, 1) == KILL, "a 32-bit call"


def test_no_thread_without_permission(machine: str) -> None:
    audit, clone = MACHINES[machine], syscalls.ARGUED["clone"][list(MACHINES).index(machine)]
    assert clone is not None
    assert decide(seccomp.loader_program(threads=False, gpu=False), audit, clone, 0x3D0F00) == DENY
    assert decide(seccomp.loader_program(threads=False, gpu=False), audit, clone, 17) == ALLOW
    assert decide(seccomp.check_program(threads=False), audit, clone, 0x3D0F00) == DENY


def test_x32_calls_are_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    program = seccomp.loader_program(threads=False, gpu=False)
    assert [decide(program, MACHINES["x86_64"], number_) for number_ in (39, 0x40000000 + 39)] == [ALLOW, DENY]


HEADERS = ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm-generic/unistd.h")


@pytest.mark.parametrize(("column", "header"), list(enumerate(HEADERS)))
def test_numbers_agree_with_the_kernels_headers(column: int, header: str) -> None:
    if not Path(header).exists():
        pytest.skip(f"{header} is not installed")
    pairs = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", Path(header).read_text())
    known = {name: int(value) for name, value in pairs}
    listed = {name: numbers[column] for table in ALL_TABLES for name, numbers in table.items()}
    assert not {name: value for name, value in listed.items() if name in known and known[name] != value}
    assert not {name for name, value in listed.items() if value is None and name in known and column == 0}
