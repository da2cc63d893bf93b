"""``grader doctor``: which layers of confinement this machine offers, what each protects, and how to get the others."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

from grader.contract.layers import FULL, Layers, Level
from grader.exits import UsageError

if TYPE_CHECKING:
    from rich.table import Table

ROOT = "run the grader as root, in a container of its own if need be"

# Layer -> what it protects, and how to get it where it is off.
LAYERS = {
    "session": ("Players and what they start can be ended together.", "use Linux or macOS"),
    "limits": ("Memory, computing time, processes, open files and file sizes stay bounded.", "use Linux or macOS"),
    "scheduling": ("The player goes first when memory runs out, not the grader.", "use Linux, with /proc mounted"),
    "privileges": ("No set-uid program can raise a player's rights.", "use Linux"),
    "landlock": (
        "Files outside Python and the submission stay closed, even to a player of your own user, and so do TCP and "
        "signals.",
        "use Linux 5.13 or newer with landlock in the kernel's lsm= list, and Docker 23 or newer",
    ),
    "uid": ("Files, processes and limits of other users are out of reach.", ROOT),
    "capabilities": ("Root's single powers are gone.", "use Linux"),
    "namespaces": (
        "No network, no shared memory of others, no mounts that others see.",
        f"{ROOT}, with CAP_SYS_ADMIN (docker run --cap-add SYS_ADMIN), or allow user namespaces "
        "(sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces)",
    ),
    "scratch": (
        "A player cannot fill the disk: its folder is a small file system of its own. Without it, the judge watches "
        "the folder's size.",
        "as for namespaces",
    ),
    "inspection": ("A player's memory is closed to other processes.", "use Linux"),
    "parent": ("Players end when the grader is killed.", "use Linux"),
    "seccomp": (
        "No network, no other program, no signal, no new namespace, no changed file modes.",
        "use Linux on x86_64 or aarch64, with seccomp filters in the kernel",
    ),
    "seal": ("During a check, no new process.", "as for seccomp"),
    "imports": ("Modules that are not loaded yet can be imported.", "use a Python that every user can read"),
    "memory": ("Memory stays bounded.", "use Linux, with /proc mounted"),
    "all": ("Everything below.", "use Linux; elsewhere grade only what you would run yourself"),
}

ABOUT = {
    Level.SEPARATE: "a process of its own, ended at its time limit: enough for your own work",
    Level.LIMITED: "also resource limits: enough for people whom you trust with your files",
    Level.ISOLATED: "also no files of others, no network, no other processes: enough for hidden checks",
    Level.FULL: "also a user, namespaces and a scratch disk of its own",
}


class TooLow(UsageError):
    """This machine confines players less well than was asked for."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command ``doctor``; its ``run`` is set by the caller."""
    commands.add_parser(
        "doctor",
        help="which layers of confinement this machine offers",
        description="Tries every layer of confinement and tells what it protects, what is missing and how to get it.",
        epilog="exit codes: 0 hidden checks are safe here (level isolated or full); 1 they are not",
    )


def add_option(parser: argparse.ArgumentParser) -> None:
    """Adds ``--require-confinement`` to a command that runs submissions."""
    parser.add_argument(
        "--require-confinement",
        choices=[level.name.lower() for level in Level],
        default="",
        metavar="LEVEL",
        help="refuse to run submissions below this level: separate, limited, isolated, full; see: grader doctor",
    )


def require(wanted: str) -> None:
    """Raises :class:`TooLow` where this machine does not reach the level named ``wanted``; empty for none."""
    if not wanted:
        return
    found = examine()
    if found.level < Level[wanted.upper()]:
        raise TooLow(
            f"this machine confines submissions at the level {found.level.name.lower()}, and {wanted} was required: "
            "nothing was graded; grader doctor says what is missing and how to get it."
        )


def examine() -> Layers:
    """The layers that a player has on this machine, tried in a child process."""
    from grader.player.confine import probe
    from grader.player.policy import Policy

    with tempfile.TemporaryDirectory(prefix="doctor-") as folder:
        return probe(Policy(writable=(folder,), scratch=folder))


def diagnose() -> bool:
    """Prints the layers, and says whether hidden checks are safe on this machine."""
    from rich.console import Console
    from rich.text import Text

    found, console = examine(), Console()
    if console.is_terminal:
        console.print(_table(found))
        console.print(Text.assemble("\nlevel: ", (found.level.name.lower(), "bold"), f" ({ABOUT[found.level]})"))
    else:
        # Another program reads: nothing is framed, folded or cut.
        print("\n".join("\t".join(row) for row in _rows(found)))
        print(f"level\t{found.level.name.lower()}\t{ABOUT[found.level]}")
    if found.level < Level.FULL:
        console.print(f"for the level full: {', '.join(sorted(FULL - set(found.on)))}", soft_wrap=True, highlight=False)
    return found.level >= Level.ISOLATED


def _rows(found: Layers) -> Iterator[tuple[str, str, str, str]]:
    for name in (*found.on, *found.off):
        protects, remedy = LAYERS[name]
        on = name in found.on
        yield name, "on" if on else "off", protects, found.on[name] if on else f"{found.off[name]}; {remedy}"


def _table(found: Layers) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(header_style="bold", title="Confinement of submissions", title_justify="left")
    for heading in ("layer", "", "what it protects", "how it is here, or how to get it"):
        table.add_column(heading)
    for name, state, protects, told in _rows(found):
        table.add_row(name, Text(state, "green" if state == "on" else "yellow"), protects, Text(told))
    return table
