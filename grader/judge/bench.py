"""The bench: everything one judge process needs to judge one submission, and what a single check works with."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from grader.contract.assignment import Assignment, Question
from grader.contract.course import PARTS
from grader.contract.layers import Layers, Level
from grader.contract.ledger import Entry
from grader.contract.picture import Picture
from grader.contract.text import one_line
from grader.contract.users import FIRST_UID, UIDS
from grader.contract.verdict import CheckFailed, Explanation, Missing, PlayerTimeout, SubmissionProblem
from grader.judge import reference
from grader.judge.channel import Budget
from grader.judge.checkpoints import checkpoints_among
from grader.judge.data import Data
from grader.judge.draw import Draw
from grader.judge.home import Home
from grader.judge.order import DOING, Order
from grader.judge.players import Answered, Loader, Player, Stage
from grader.judge.rules.checks import RuleChecks
from grader.judge.rules.questions import TextOfQuestion
from grader.judge.source import Texts
from grader.judge.student import RemoteObject, Student
from grader.judge.zygote import ZygoteError

CANARY = "def sing():\n    return 1\n"

# After a check of a question ran into its limit, the next ones of that question get this share of it.
SHORTER = 0.25

# What a check gets at most, in seconds, once a submission has lost all the time that it may lose.
LAST = Budget(2.0, 5.0)


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

    def lose(self, play: Play, *, limit: bool) -> None:
        """Takes down a run of a check that did not pass, and whether it ran into a limit."""
        self.lost_seconds += time.monotonic() - play.started
        if limit:
            (self.slow_when_patched if play.patched else self.slow_questions).add(play.question.number)

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


@dataclass(frozen=True)
class Cost:
    """What a call cost, measured from outside the player.

    Attributes:
        result: what the call returned.
        cpu_seconds: computing time of the player.
        wall_seconds: time on the clock.
        peak_bytes: growth of the player's largest resident memory; 0 where the system does not tell.
    """

    result: Any
    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int

    def require_below(self, seconds: float, message: str, expected: str = "") -> None:
        """Raises :class:`CheckFailed` with ``message`` when the call took more than ``seconds`` of computing.

        ``expected`` says what was asked for where that takes more than the number.
        """
        if self.cpu_seconds > seconds:
            limit = expected or f"less than {seconds:.3g} seconds"
            raise CheckFailed(Explanation(message, expected=limit, got=f"{self.cpu_seconds:.3g} seconds"))


class Play:
    """One run of one check: its player, its draws, its remarks.

    Args:
        bench: the submission.
        entry: the check.
        question: the question that it belongs to.
        cpu_seconds: its limit.
        patched: whether the functions that the question relies on are replaced by the reference's.
        draw: added to the name of the check, for other draws than its own; such a run is made for its first answers.
    """

    def __init__(
        self,
        bench: Bench,
        entry: Entry,
        question: Question,
        cpu_seconds: float,
        patched: bool = False,
        draw: str = "",
    ) -> None:
        self.bench = bench
        self.entry = entry
        self.question = question
        self.patched = patched
        self.notes: list[str] = []
        self.flags: list[str] = []
        self.pictures: list[Picture] = []
        own = Draw(bench.order.seed.encode(), bench.order.submission.digest, entry.check + draw)
        self.players_seed = own.players_seed
        self.draw = bench.home.draw(entry.check + draw) if bench.home else own
        share = SHORTER if question.number in bench.slow_questions else 1.0
        limits = bench.assignment.content.limits
        # A check that may compute for longer may take longer on the clock, too.
        longer = max(cpu_seconds / limits.cpu_seconds, 1.0)
        self.budget = Budget(cpu_seconds * share, limits.wall_seconds * longer * share)
        if bench.out_of_time:
            wall = min(self.budget.wall_seconds, LAST.wall_seconds)
            self.budget = Budget(min(self.budget.cpu_seconds, LAST.cpu_seconds), wall)
        self.student = Student(self)
        self._ends_early = bool(draw)
        self._player: Player | None = None
        self.answered = Answered()
        self.started = time.monotonic()
        rules = bench.assignment.rules_of(question)
        self.rules = RuleChecks(bench.texts, rules, bench.text_of(question).outside, self.note, self.flag)

    @property
    def unavailable(self) -> Mapping[str, SubmissionProblem]:
        """Module -> why it cannot be asked."""
        return self.bench.unavailable

    @property
    def player(self) -> Player:
        """The player of this check, begun and patched when first asked for."""
        if self._player is None:
            self._require_time()
            player = self._player = self.bench.player()
            player.ends_early = self._ends_early
            player.objects.wrap = lambda held: RemoteObject(player, held)
            try:
                player.begin(self.players_seed, self.budget)
            except SubmissionProblem as problem:
                # Nothing of the check has run yet. Either the submission meddles with its player, or we are at fault.
                if not self.bench.sound:
                    raise ZygoteError(f"players do not run on this machine: {problem}") from problem
                raise
            if self.patched:
                self._patch(player)
        return self._player

    def _require_time(self) -> None:
        bench = self.bench
        slow = bench.slow_when_patched if self.patched else bench.slow_questions
        if bench.out_of_time and self.question.number in slow:
            raise PlayerTimeout(
                "This check was not made. Other checks of this question ran into their time limit, and the program "
                f"has spent more than {bench.assignment.content.limits.lost_seconds:g} seconds on checks that it did "
                "not pass. Look for a loop that never ends, or for work to be vectorised."
            )

    def _patch(self, player: Player) -> None:
        for path in self.question.relies_on:
            target: Any = self.bench.reference
            for name in path.split("."):
                target = getattr(target, name)
            player.request({"op": "patch", "path": path}, target)

    def cost(self, function: Any, *args: Any, **kwargs: Any) -> Cost:
        """Calls ``function`` and measures the player meanwhile."""
        watched = self.player.watched
        resident, cpu, wall = watched.resident_bytes(), watched.cpu_seconds(), time.monotonic()
        result = function(*args, **kwargs)
        spent = watched.cpu_seconds() - cpu, time.monotonic() - wall
        return Cost(result, *spent, max(watched.peak_bytes() - resident, 0))

    def tell(self, text: str) -> None:
        """What takes long just now, in a few words for whoever waits; empty when it is over."""
        (self.bench.order.folder / DOING).write_text(one_line(text, 100), encoding="utf-8")

    def note(self, text: str) -> None:
        """A remark for the student that costs nothing."""
        if text not in self.notes:
            self.notes.append(text)

    def flag(self, text: str) -> None:
        """A remark for staff."""
        if text not in self.flags:
            self.flags.append(text)

    def output(self) -> str:
        """What the submission printed."""
        return self.without_places(self._player.output()) if self._player is not None else ""

    def without_places(self, text: str) -> str:
        """``text`` without the private folders of this grading, which differ from run to run."""
        if self._player is not None:
            text = text.replace(str(self._player.scratch), "scratch")
        return text.replace(f"{self.bench.order.folder}/", "")

    def watch_text(self) -> None:
        """Flags what the rules cannot follow."""
        for remark in self.bench.text_of(self.question).remarks:
            self.flag(remark)

    def watch_autograd(self) -> None:
        """Flags autograd at work where it is forbidden, traced or not; it may be in a function of another question."""
        if self._player is not None and self._player.recorded and self.rules.forbids("torch.autograd"):
            self.flag("autograd recorded what was computed, although torch.autograd is forbidden here")

    def close(self) -> None:
        """Ends the player; what it answered first stays known."""
        if self._player is not None:
            self.answered = self._player.answered
            self._player.close()
            self._player = None
