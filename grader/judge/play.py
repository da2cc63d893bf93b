"""One run of one check: its player, its limits, what it draws, and what is remarked on it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grader.contract.assignment import Question
from grader.contract.ledger import Entry
from grader.contract.picture import Picture
from grader.contract.text import one_line
from grader.contract.verdict import CheckFailed, Explanation, PlayerTimeout, SubmissionProblem
from grader.judge.bench import Bench
from grader.judge.channel import Budget
from grader.judge.draw import Draw
from grader.judge.order import DOING
from grader.judge.players import Answered, Player
from grader.judge.rules.checks import RuleChecks
from grader.judge.student import RemoteObject, Student
from grader.judge.zygote import ZygoteError

# After a check of a question ran into its limit, the next ones of that question get this share of it.
SHORTER = 0.25

# What a check gets at most, in seconds, once a submission has lost all the time that it may lose.
LAST = Budget(2.0, 5.0)


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

    def lose(self, *, limit: bool) -> None:
        """Takes down that this run did not pass, and whether it ran into a limit."""
        self.bench.lose(time.monotonic() - self.started)
        if limit:
            (self.bench.slow_when_patched if self.patched else self.bench.slow_questions).add(self.question.number)

    def close(self) -> None:
        """Ends the player; what it answered first stays known."""
        if self._player is not None:
            self.answered = self._player.answered
            self._player.close()
            self._player = None
