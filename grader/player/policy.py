"""What a player may use: plain data, and nothing that acts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from grader.contract.users import FIRST_UID, SCRATCH_BYTES


class ConfinementError(Exception):
    """A player cannot be confined as its policy says; it must not run."""


@dataclass(frozen=True)
class Policy:
    """What a player may use.

    Attributes:
        uid: user and group to become where the zygote is root.
        readable: files and folders that can be read, such as the submission's and the data sets'.
        writable: scratch folders or existing files that can be written; root gives them to ``uid``.
        scratch: the one folder of ``writable`` that becomes a file system of its own where that is possible.
        scratch_bytes: room in it.
        scratch_files: files and folders in it.
        hidden: folders that stay closed even where they lie inside Python's or the system's folders.
        memory: bytes beyond those that the loader occupies when it enters.
        file_size: bytes of the largest file that can be written.
        open_files: number of descriptors.
        processes: number of processes and threads of ``uid``; for an ordinary user, beyond those it runs already.
        cpu_seconds: CPU time of the process that enters or seals, or None for no limit.
        threads: whether new threads can be started.
        gpu: whether CUDA is used: opens its devices, limits private memory in place of address space.
        without: names of layers to leave out, for tests of lesser machines.
    """

    uid: int = FIRST_UID
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    scratch: str = ""
    scratch_bytes: int = SCRATCH_BYTES
    scratch_files: int = 10_000
    hidden: tuple[str, ...] = ()
    memory: int = 2 << 30
    file_size: int = 64 << 20
    open_files: int = 64
    processes: int = 64
    cpu_seconds: int | None = None
    threads: bool = False
    gpu: bool = False
    without: frozenset[str] = frozenset()

    def to_json(self) -> dict[str, Any]:
        """Plain data, from which :meth:`from_json` makes an equal policy."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), default=sorted))
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Policy:
        """The policy that ``plain`` describes. Raises :class:`ConfinementError` for a name that no policy has."""
        unknown = set(plain) - {entry.name for entry in fields(cls)}
        if unknown:
            raise ConfinementError(
                f"A policy has no {', '.join(sorted(unknown))}: compare it with the fields of Policy."
            )
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()
        }
        return cls(**(values | {"without": frozenset(plain.get("without", ()))}))
