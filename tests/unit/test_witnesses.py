"""The witnesses of the rules agree: twenty solutions, right and wrong, before the text, the trace and two sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path

import pytest
import torch
from stages import Stages, playing

from grader.contract.assignment import Rules, read
from grader.contract.verdict import RuleBroken
from grader.judge.loaders import Loader
from grader.judge.rules.checks import FORBIDDEN_CALL, RuleChecks
from grader.judge.rules.loops import loop_depth
from grader.judge.rules.text import dynamic_uses, forbidden_uses, machinery_uses
from grader.judge.source import Texts

SOLUTIONS = Path(__file__).parent / "solutions"
ASSIGNMENTS = Path(__file__).parents[2] / "assignments"


class Word(Enum):
    """What a witness says about forbidden functions."""

    FORBIDDEN = "it uses what is forbidden"
    UNSURE = "it does something that this witness cannot follow"
    CLEAN = "it uses nothing that is forbidden"


FORBIDDEN, UNSURE, CLEAN = Word


@dataclass(frozen=True)
class Task:
    """What a solution solves: arguments of any size, the right answer, the question whose rules hold."""

    arguments: Callable[[int], list[torch.Tensor]]
    right: Callable[..., torch.Tensor]
    assignment: str
    question: str

    @property
    def rules(self) -> Rules:
        content = read(ASSIGNMENTS / self.assignment / "assignment.toml")
        question = next(question for question in content.questions if question.number == self.question)
        return content.rules.with_more(question.rules)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


CONV = Task(lambda n: [drawn(n, 3, 6, 7), drawn(4, 3, 3, 2)], torch.nn.functional.conv2d, "a3", "17")
DISTANCES = Task(lambda n: [drawn(n, 3), drawn(n + 1, 3)], lambda x, y: torch.cdist(x, y) ** 2, "a1", "3")
LOSS = Task(
    lambda n: [drawn(n, 5), drawn(5, 4), torch.arange(n) % 4],
    lambda X, W, y: torch.nn.functional.cross_entropy(X @ W, y),
    "a2",
    "4",
)

# Solution -> task, what text and trace say, how many loops over the data the trace at two sizes shows.
EXPECTED = {
    "conv_slices": (CONV, CLEAN, CLEAN, 0),
    "conv_as_strided": (CONV, CLEAN, CLEAN, 0),
    "conv_padded": (CONV, CLEAN, CLEAN, 0),
    "conv_numpy": (CONV, CLEAN, CLEAN, 0),
    "distances_products": (DISTANCES, CLEAN, CLEAN, 0),
    "distances_two_loops": (DISTANCES, CLEAN, CLEAN, 2),
    "distances_mapped": (DISTANCES, CLEAN, CLEAN, 1),
    "distances_recursion": (DISTANCES, CLEAN, CLEAN, 1),
    "distances_vectorize": (DISTANCES, CLEAN, CLEAN, 1),
    "loss_one_hot": (LOSS, CLEAN, CLEAN, 0),
    "loss_loops": (LOSS, CLEAN, CLEAN, 1),
    "wrong_alias": (CONV, FORBIDDEN, FORBIDDEN, None),
    "wrong_helper": (CONV, FORBIDDEN, FORBIDDEN, None),
    "wrong_built_up_name": (CONV, UNSURE, FORBIDDEN, None),
    "wrong_import_by_name": (CONV, UNSURE, FORBIDDEN, None),
    "wrong_operator": (CONV, FORBIDDEN, FORBIDDEN, None),
    "wrong_table": (CONV, FORBIDDEN, FORBIDDEN, None),
    "wrong_unfold": (CONV, FORBIDDEN, FORBIDDEN, None),
    "wrong_cdist": (DISTANCES, FORBIDDEN, FORBIDDEN, None),
    "wrong_gradient": (LOSS, FORBIDDEN, FORBIDDEN, None),
}


def text_of(name: str) -> str:
    return (SOLUTIONS / f"{name}.py").read_text()


def texts_of(name: str) -> Texts:
    return Texts.of({name: (f"/s/{name}.py", text_of(name))}, ())


def word_of_the_text(name: str, rules: Rules) -> Word:
    texts, function = texts_of(name), f"{name}.solve"
    if forbidden_uses(texts, function, rules):
        return FORBIDDEN
    return UNSURE if dynamic_uses(texts, function) or machinery_uses(texts, function) else CLEAN


class Traced:
    """One solution under the trace."""

    def __init__(self, loader: Loader, name: str) -> None:
        self.loader, self.name = loader, name
        self.task, *_ = EXPECTED[name]
        self.flags: list[str] = []
        self.checks = RuleChecks(texts_of(name), self.task.rules, frozenset(), self.flags.append, self.flags.append)

    def ask(self, question: Callable[..., object]) -> object:
        with playing(self.loader) as begun:
            return question(getattr(begun.student, self.name).solve)

    def word(self) -> Word:
        try:
            self.ask(lambda solve: self.checks.traced(solve, *self.task.arguments(2)))
        except RuleBroken:
            assert any(flag.startswith(FORBIDDEN_CALL) for flag in self.flags)
            return FORBIDDEN
        return UNSURE if self.flags else CLEAN

    def loops(self) -> int:
        sizes = self.task.arguments(4), self.task.arguments(16)
        return self.ask(lambda solve: self.checks.growth(solve, *sizes)).order  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def traced(stages: Stages) -> Callable[[str], Traced]:
    """The solution of this name; all of them are loaded once."""
    loader = stages.load({name: text_of(name) for name in EXPECTED})
    assert not any(loader.notes.values()) and not loader.failures
    return partial(Traced, loader)


def test_the_set_is_whole() -> None:
    assert {path.stem for path in SOLUTIONS.glob("*.py")} == set(EXPECTED) and len(EXPECTED) == 20


@pytest.mark.parametrize("name", EXPECTED)
def test_text_and_trace_do_not_disagree(traced: Callable[[str], Traced], name: str) -> None:
    """They disagree where one says *forbidden* and the other says *clean*.

    The text cannot follow a name that only a run can tell, and a trace can be switched off. A witness who is in such a
    place has to say *unsure*, for staff to look at, and may not say *clean*.
    """
    task, by_text, by_trace, _ = EXPECTED[name]
    witness = traced(name)
    said = word_of_the_text(name, task.rules), witness.word()
    assert said == (by_text, by_trace), witness.flags
    assert set(said) != {FORBIDDEN, CLEAN}


@pytest.mark.parametrize("name", [name for name, (*_, loops) in EXPECTED.items() if loops is not None])
def test_text_and_growth_do_not_disagree(traced: Callable[[str], Traced], name: str) -> None:
    """They disagree where the work grows as more loops than the text has, of whatever kind.

    A loop of the text may well run over something that does not grow with the data, as a filter does not.
    """
    loops = traced(name).loops()
    assert loops == EXPECTED[name][3]
    assert loops <= loop_depth(texts_of(name), f"{name}.solve")


@pytest.mark.parametrize("name", EXPECTED)
def test_every_solution_solves_its_task(traced: Callable[[str], Traced], name: str) -> None:
    task = EXPECTED[name][0]
    arguments = task.arguments(3)
    got = traced(name).ask(lambda solve: solve(*arguments))
    assert torch.allclose(torch.as_tensor(got), task.right(*arguments))
