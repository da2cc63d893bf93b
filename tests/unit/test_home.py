"""Recorded answers of the reference: what was asked is found again, and nothing else."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

import pytest
import torch

from grader.contract.verdict import Blocked
from grader.judge.home import LARGEST, Home, leave_out, left_out

SOURCE = """
import torch
from torch import nn

RATE = 0.5

def both(x, scale=2.0):
    return {"twice": scale * x, "sizes": [x.shape[0], float("inf")]}, None

def large(n):
    return torch.zeros(n)

def applied(function, x):
    return function(x)

class Net:
    def loss(self):
        return 1
"""


@pytest.fixture
def reference():
    module = ModuleType("lesson")
    exec(SOURCE, vars(module))
    return SimpleNamespace(lesson=module)


@pytest.fixture
def ask(reference, tmp_path):
    """``ask(question)``: records while the question is asked, then returns the reference as it is at home."""

    def asked(question):
        file = tmp_path / "answers.safetensors"
        recording = Home(file, recording=True)
        question(recording.seen(reference).lesson)
        recording.close()
        return Home(file, recording=False).seen(reference).lesson

    return asked


def test_an_answer_is_found_again_whole(ask):
    x = torch.tensor([1.0, float("nan"), -0.0])
    at_home = ask(lambda lesson: lesson.both(x, scale=3.0))
    (found, nothing) = at_home.both(x, scale=3.0)
    torch.testing.assert_close(found["twice"], 3 * x, equal_nan=True)
    assert found["sizes"] == [3, float("inf")] and nothing is None
    found["twice"].zero_()
    assert at_home.both(x, scale=3.0)[0]["twice"][0] == 3


def test_the_last_places_do_not_count_and_others_do(ask):
    x = torch.tensor([0.3, 0.7], dtype=torch.float64)
    at_home = ask(lambda lesson: lesson.both(x))
    assert torch.equal(at_home.both(x + 1e-12)[0]["twice"], 2 * x)
    for other in (x + 1e-3, x.float(), x[None], x[:1]):
        with pytest.raises(Blocked, match="made when you hand in"):
            at_home.both(other)
    with pytest.raises(Blocked):
        at_home.both(x, scale=1.0)


def test_what_is_no_plain_data_is_not_asked_at_home(ask):
    at_home = ask(lambda lesson: lesson.applied(torch.relu, torch.ones(2)))
    with pytest.raises(Blocked):
        at_home.applied(torch.relu, torch.ones(2))


def test_large_answers_are_not_kept(ask):
    at_home = ask(lambda lesson: (lesson.large(LARGEST // 4), lesson.large(LARGEST // 4 + 1)))
    assert len(at_home.large(LARGEST // 4)) == LARGEST // 4
    with pytest.raises(Blocked):
        at_home.large(LARGEST // 4 + 1)


def test_classes_are_away_and_what_is_imported_is_not(ask):
    at_home = ask(lambda lesson: lesson.Net().loss())
    with pytest.raises(Blocked):
        at_home.Net()
    with pytest.raises(Blocked):
        at_home.Net.loss(None)
    assert at_home.nn is torch.nn
    assert at_home.RATE == 0.5


def test_checks_can_be_left_out(ask, tmp_path):
    at_home = ask(lambda lesson: lesson.large(2))
    file = tmp_path / "answers.safetensors"
    assert left_out(file) == frozenset()
    leave_out(file, ["test_a.py::test_b"])
    assert left_out(file) == {"test_a.py::test_b"}
    assert len(at_home.large(2)) == 2
    assert left_out(tmp_path / "absent") == frozenset()
