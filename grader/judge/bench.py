"""The bench: everything one judge process needs to judge one submission."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from grader.contract.assignment import Assignment, Question
from grader.contract.course import PARTS
from grader.contract.layers import Layers, Level
from grader.contract.text import one_line
from grader.contract.users import FIRST_UID, UIDS
from grader.contract.verdict import Explanation, Missing, SubmissionProblem
from grader.judge import reference
from grader.judge.channel import Budget
from grader.judge.checkpoints import checkpoints_among
from grader.judge.data import Data
from grader.judge.home import Home
from grader.judge.loaders import Loader, Stage
from grader.judge.order import Order
from grader.judge.players import Player
from grader.judge.rules.questions import TextOfQuestion
from grader.judge.source import Texts
from grader.judge.zygote import ZygoteError

CANARY = "def sing():\n    return 1\n"


class Bench:
    """One submission before one judge process: its loader, its text, the reference, the data."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.assignment: Assignment = order.open_assignment()
        self.home = Home.of(order, self.assignment)
        loaded = reference.load(self.assignment)
        self.reference: SimpleNamespace = self.home.seen(loaded) if self.home else loaded
        self.texts = Texts.of(order.sources, order.files)
        self.device = torch.device("cuda" if order.device == "cuda" else "cpu")
        self.data = Data(order.data, order.folder / "shared")
        self.slow_questions: set[str] = set()
        self.lost = ""  # why no player can be had any more; empty while they can
        self.slow_when_patched: set[str] = set()
        self.lost_seconds = 0.0
        self._texts_of: dict[str, TextOfQuestion] = {}

    @cached_property
    def loader(self) -> Loader:
        """The submission, loaded; started when the first check asks for it."""
        return Loader(self._stage(self.order.sources), self._require)

    def player(self) -> Player:
        """A fresh player. Raises :class:`ZygoteError`, and from then on at once, when there can be none."""
        if self.lost:
            raise ZygoteError(self.lost)
        try:
            return self.loader.player()
        except ZygoteError as error:
            self.lost = str(error)
            raise

    def _require(self, layers: Layers) -> None:
        """Refuses to run a submission less well confined than was required."""
        wanted = self.order.required
        if wanted and layers.level < Level[wanted.upper()]:
            raise ZygoteError(f"confinement reaches the level {layers.level.name.lower()}, and {wanted} was required")

    @cached_property
    def sound(self) -> bool:
        """Whether players work on this machine at all, tried with two lines of our own in the submission's place."""
        loader = Loader(self._stage({"canary": ("canary.py", CANARY)}))
        try:
            player = loader.player()
            player.begin(0, Budget(10.0, 60.0))
            answer, _ = player.request({"op": "call", "path": "canary.sing"}, [[], {}])
            player.close()
        except SubmissionProblem:
            return False
        finally:
            loader.close()
        return bool(answer == 1)

    def _stage(self, sources: Mapping[str, tuple[str, str]]) -> Stage:
        order = self.order
        scratch = Path(tempfile.mkdtemp(dir=order.folder / "scratch"))
        return Stage(
            address=order.address,
            sources=sources,
            roots=order.roots,
            exports=reference.public_names(self.assignment),
            policy=self._policy(scratch),
            device=self._players_device(),
            scratch=scratch,
            shared=order.folder / "shared",
            load_seconds=self.assignment.content.limits.load_seconds,
        )

    def _players_device(self) -> str:
        """Redirecting CUDA to the CPU slows every operation down, so it is done for files that name CUDA only."""
        if self.order.device == "cuda":
            return "cuda"
        texts = [text for _, text in self.order.sources.values()]
        texts += [Path(file).read_text(errors="replace") for file in self.order.files if file.endswith(".py")]
        return "cpu-for-cuda" if any("cuda" in text for text in texts) else "cpu"

    def _policy(self, scratch: Path) -> dict[str, Any]:
        order = self.order
        # The players' own modules are in memory already, so that nothing of this package need be readable to them.
        package = Path(__file__).resolve().parent.parent
        return {
            "uid": FIRST_UID + os.getpid() % UIDS,
            "readable": [*order.roots, *checkpoints_among(order.files), str(order.folder / "shared")],
            "writable": [str(scratch)],
            "scratch": str(scratch),
            "hidden": [*(str(order.course / part) for part in PARTS), str(package)],
            "memory": self.assignment.content.limits.memory_mb * 2**20,
            "gpu": order.device == "cuda",
            **order.policy,
        }

    @cached_property
    def unavailable(self) -> Mapping[str, SubmissionProblem]:
        """Module -> why none of its functions can be asked."""
        missing = {name: Missing(Explanation(text)) for name, text in self.order.missing.items()}
        return {**missing, **self.loader.failures}

    def lose(self, seconds: float) -> None:
        """Takes down how long a run of a check took that did not pass."""
        self.lost_seconds += seconds

    @property
    def out_of_time(self) -> bool:
        """Whether the submission has lost all the time that it may lose."""
        return self.lost_seconds > self.assignment.content.limits.lost_seconds

    def text_of(self, question: Question) -> TextOfQuestion:
        """What the submission's text says about the question."""
        if question.number not in self._texts_of:
            made = TextOfQuestion(self.texts, self.assignment, question, self.order.sources)
            self._texts_of[question.number] = made
        return self._texts_of[question.number]

    def loading(self) -> dict[str, Any]:
        """What became of the submission when it was loaded, as plain data; empty before that."""
        if "loader" not in self.__dict__:
            return {}
        found = self.loader.layers
        told = [(name, word, text) for word in ("on", "off") for name, text in found.get(word, {}).items()]
        failed = [problem.explanation.message for problem in self.loader.failures.values()]
        notes = [note for module in self.loader.notes.values() for note in module]
        # The number of the user and the exact limits change from run to run: a report of one seed is always the same.
        layers = {name: word if name in ("uid", "limits") else f"{word}: {text}" for name, word, text in told}
        if told:
            layers["level"] = Layers.from_json(found).level.name.lower()
        return {
            "layers": layers,
            "problems": [one_line(text.replace(f"{self.order.folder}/", ""), 1000) for text in [*failed, *notes]],
        }

    def close(self) -> None:
        """Ends the loader, if one was started, and keeps what was recorded."""
        if self.home:
            self.home.close()
        if "loader" in self.__dict__:
            self.loader.close()
