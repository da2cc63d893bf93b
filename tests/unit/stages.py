"""Submissions of a few lines, laid out, loaded and played in a real zygote."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader.contract.verdict import SubmissionProblem
from grader.judge.channel import Budget
from grader.judge.loaders import Loader, Stage
from grader.judge.players import Player
from grader.judge.student import RemoteObject, Student


@dataclass
class Playing:
    """One check's conversation, as much of it as the proxies need."""

    player: Player
    unavailable: Mapping[str, SubmissionProblem] = field(default_factory=dict)

    @property
    def student(self) -> Student:
        return Student(self)


@contextmanager
def playing(loader: Loader, cpu: float = 10.0, wall: float = 30.0, seed: int = 1) -> Iterator[Playing]:
    """A fresh player of ``loader``, begun as a check begins it."""
    player = loader.player()
    player.objects.wrap = lambda held: RemoteObject(player, held)
    try:
        player.begin(seed, Budget(cpu, wall))
        yield Playing(player, loader.failures)
    finally:
        player.close()


class Stages:
    """Lays out submissions below one folder and loads them.

    The folder does not lie below pytest's own, which no other user can enter.
    """

    def __init__(self, address: Path, folder: Path) -> None:
        self.address = address
        self.folder = folder
        self.loaders: list[Loader] = []
        self._numbers = itertools.count()

    def stage(
        self,
        sources: Mapping[str, str],
        files: Mapping[str, str] | None = None,
        provided: Mapping[str, str] | None = None,
        exports: Mapping[str, Sequence[str]] | None = None,
        device: str = "cpu",
        memory: int = 512 * 2**20,
        load_seconds: float = 20.0,
    ) -> Stage:
        """A submission with the modules ``sources``, the other ``files``, and the course's helpers ``provided``."""
        root = self.folder / str(next(self._numbers))
        written = {f"submission/{name}.py": text for name, text in sources.items()}
        written |= {f"submission/{name}": text for name, text in (files or {}).items()}
        written |= {f"provided/{name}": text for name, text in (provided or {}).items()}
        for name, text in written.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        for name in ("provided", "submission", "scratch", "shared"):
            (root / name).mkdir(parents=True, exist_ok=True)
        roots = [str(root / "provided"), str(root / "submission")]
        return Stage(
            address=self.address,
            sources={name: (str(root / f"submission/{name}.py"), text) for name, text in sources.items()},
            roots=roots,
            exports=exports or {},
            policy={"readable": [*roots, str(root / "shared")], "writable": [str(root / "scratch")], "memory": memory},
            device=device,
            scratch=root / "scratch",
            shared=root / "shared",
            load_seconds=load_seconds,
        )

    def load(self, sources: Mapping[str, str], **options: Any) -> Loader:
        """The loader of :meth:`stage`'s submission."""
        loader = Loader(self.stage(sources, **options))
        self.loaders.append(loader)
        return loader

    def close(self) -> None:
        while self.loaders:
            with suppress(OSError):
                self.loaders.pop().close()
