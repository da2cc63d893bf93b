"""The fixtures of checks: the submission, the reference, and what a check asks, draws and compares with."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch

from grader.contract.assignment import Goal
from grader.contract.chance import seed_generators
from grader.contract.ledger import Entry
from grader.judge.accuracy import Accuracy, hold_to
from grader.judge.bench import Bench
from grader.judge.checkpoints import Checkpoints
from grader.judge.compare import Expectation, Names
from grader.judge.data import Data
from grader.judge.draw import Draw
from grader.judge.gradients import Gradients
from grader.judge.pictures import Pictures
from grader.judge.play import Cost, Play
from grader.judge.players import Answered
from grader.judge.rules.checks import RuleChecks
from grader.judge.student import Student

ENTRY = pytest.StashKey[Entry]()
PLAY = pytest.StashKey[Play]()
ANSWERED = pytest.StashKey[Answered]()
PART = pytest.StashKey["Part"]()


@dataclass(frozen=True)
class Part:
    """Whose code a run of a check plays, and on which draw.

    Attributes:
        bench: gives the code; asked within the run, so that what goes wrong there is an error of this check.
        patched: whether what the question relies on is replaced by the reference's version.
        trusted: whether the code is the course's own, to which its rules do not apply.
        draw: added to the name of the check, for other draws than its own.
    """

    bench: Callable[[], Bench]
    patched: bool = False
    trusted: bool = False
    draw: str = ""


class Fixtures:
    """A plugin of pytest's.

    Args:
        bench: the submission.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    @pytest.fixture
    def play(self, request: pytest.FixtureRequest) -> Generator[Play, None, None]:
        """One run of this check."""
        item = request.node
        entry: Entry = item.stash[ENTRY]
        question = self.bench.assignment.question_of(entry.number)
        if question is None:
            raise pytest.UsageError(f"{entry.check}: its number {entry.number!r} belongs to no question")
        mark = item.get_closest_marker("time_limit")
        seconds = mark.kwargs["cpu_seconds"] if mark else self.bench.assignment.content.limits.cpu_seconds
        part = item.stash[PART]
        play = item.stash[PLAY] = Play(part.bench(), entry, question, seconds, part.patched, part.draw)
        seed_generators(play.draw.judges_seed)
        yield play
        play.close()
        item.stash[ANSWERED] = play.answered
        del item.stash[PLAY]

    @pytest.fixture
    def lent(self, play: Play) -> tuple[str, ...]:
        """The paths that the question relies on, in a run with right versions of these; otherwise empty."""
        return play.question.relies_on if play.patched else ()

    @pytest.fixture
    def student(self, play: Play) -> Student:
        """The submission: a tree of proxies (see :mod:`grader.judge.student`)."""
        return play.student

    @pytest.fixture
    def reference(self) -> SimpleNamespace:
        """The reference's modules: ordinary Python objects."""
        return self.bench.reference

    @pytest.fixture
    def draw(self, play: Play) -> Draw:
        """Random inputs, fresh for each submission and check, the same at every repetition."""
        return play.draw

    @pytest.fixture
    def expect(self, play: Play) -> Callable[..., Expectation]:
        """``expect(got, names=...)``: a comparison that explains."""

        def expectation(got: object, names: Names = None) -> Expectation:
            return Expectation(got, names, play.note)

        return expectation

    @pytest.fixture
    def gradients(self, play: Play) -> Gradients:
        """Gradient checks in float64."""
        return Gradients(play.draw, play.note)

    @pytest.fixture
    def rules(self, play: Play) -> RuleChecks:
        """Rules on loops and forbidden functions."""
        return play.rules

    @pytest.fixture
    def cost(self, play: Play) -> Callable[..., Cost]:
        """``cost(function, ...)``: the result of a call and what it cost, measured from outside."""
        return play.cost

    @pytest.fixture
    def note(self, play: Play) -> Callable[[str], None]:
        """Takes a remark for the student that costs nothing."""
        return play.note

    @pytest.fixture
    def flag(self, play: Play) -> Callable[[str], None]:
        """Takes a remark for staff."""
        return play.flag

    @pytest.fixture
    def pictures(self, play: Play) -> Pictures:
        """``pictures.curve(title, values)`` and ``.tiles(title, values)``: what the report shows beside the words."""
        return Pictures(play.pictures.append)

    @pytest.fixture
    def tell(self, play: Play) -> Generator[Callable[[str], None], None, None]:
        """Takes a few words on what takes long just now, for the terminal."""
        yield play.tell
        play.tell("")

    @pytest.fixture
    def device(self) -> torch.device:
        """The device on which the submission runs."""
        return self.bench.device

    @pytest.fixture
    def accuracy(self, play: Play) -> Accuracy:
        """A bar for predictions on the test images of the data set that was given."""
        images = self.bench.data.images()
        goal = _goal(play, images.name)
        x, y = torch.from_numpy(images.x_test), torch.from_numpy(images.y_test)
        return Accuracy(goal, x, y, images.title, play.draw, play.note, play.flag)

    @pytest.fixture
    def hold_to(self, play: Play) -> Callable[[str, str, int, int], None]:
        """``hold_to(set, title, right, shown)``: a bar for answers that the check itself has counted."""

        def hold(name: str, title: str, right: int, shown: int) -> None:
            hold_to(_goal(play, name), right, shown, title, play.note)

        return hold

    @pytest.fixture
    def checkpoint(self, play: Play) -> Checkpoints:
        """``checkpoint(name)``: what was handed in under this name beside the code, or ``None``."""
        files = play.bench.order.files
        return Checkpoints(play.student, files, self.bench.data, play.patched, play.note, play.flag)

    @pytest.fixture
    def data(self) -> Data:
        """The data set that was given."""
        return self.bench.data


def _goal(play: Play, name: str) -> Goal:
    """What the check asks for on the data set ``name``."""
    goal = play.question.goals.get(name, {}).get(play.entry.number)
    if goal is None:
        raise pytest.UsageError(
            f"{play.entry.check}: no accuracy is asked for on {name}; write questions.goals.{name}."
            f'"{play.entry.number}" into assignment.toml'
        )
    return goal
