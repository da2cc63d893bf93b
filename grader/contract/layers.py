"""Layers of confinement: which are on around a player, and how much they protect together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class Level(IntEnum):
    """How well a player is confined; each level includes those before it."""

    SEPARATE = 0
    """A process of its own, ended from outside at its time limit. Any system, Windows included."""
    LIMITED = 1
    """Also a session and resource limits of its own. Any Unix, macOS included."""
    ISOLATED = 2
    """Also no access to files of others, network or other processes: hidden checks are safe. Linux, containers too."""
    FULL = 3
    """Also a user and namespaces of its own and a scratch folder that cannot fill the disk. Linux, as full root."""


FULL = frozenset({"landlock", "limits", "namespaces", "privileges", "scratch", "seccomp", "session", "uid"})
"""Layers that :attr:`Level.FULL` asks for."""


@dataclass(frozen=True)
class Layers:
    """Which layers of confinement are on, with a word on each, and which are off, with the reason.

    Names: session, scheduling, namespaces, scratch, limits, privileges, landlock, uid, capabilities, imports,
    inspection, parent, seccomp; and seal, once a player is sealed.
    """

    on: Mapping[str, str] = field(default_factory=dict)
    off: Mapping[str, str] = field(default_factory=dict)

    @property
    def isolated(self) -> bool:
        """Whether hidden tests are safe: files are out of reach (by user or Landlock) and seccomp is on."""
        return "seccomp" in self.on and bool({"uid", "landlock"} & set(self.on))

    @property
    def level(self) -> Level:
        """The highest level that these layers reach."""
        if not {"session", "limits"} <= set(self.on):
            return Level.SEPARATE
        if not self.isolated:
            return Level.LIMITED
        return Level.FULL if set(self.on) >= FULL else Level.ISOLATED

    def to_json(self) -> dict[str, dict[str, str]]:
        """``{"on": {name: text}, "off": {name: reason}}``."""
        return {"on": dict(self.on), "off": dict(self.off)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Mapping[str, str]]) -> Layers:
        """The inverse of :meth:`to_json`."""
        return cls(dict(plain["on"]), dict(plain["off"]))
