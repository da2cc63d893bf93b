"""A variant answers for itself while the check hears the submission; what it was asked can be asked again."""

from __future__ import annotations

import random
from types import ModuleType
from typing import Any

import pytest
import torch

from grader.contract.verdict import StudentError
from grader.judge.advice.actor import Actor
from grader.judge.advice.answers import same
from grader.judge.advice.script import kept
from grader.judge.channel import Budget
from grader.judge.objects import Attribute, Held, StandIn
from grader.judge.players import RAISED, Answered, Enough
from grader.judge.student import RemoteObject

TEXT = """
import random
import torch

def double(x):
    return 2 * x

def pair(x):
    return x, {"x": x}

def add(cache, y):
    return cache["x"] + y

def fail(x):
    raise ValueError(x)

def spoil(x):
    x += 1
    return x

def throw():
    return random.random(), torch.rand(2)

def hang():
    while True:
        pass

class Net:
    def __init__(self):
        self.W = torch.zeros(2)

    def loss(self):
        return self.W.sum()
"""
X = torch.tensor([1.0, 2.5])
REMOTE: Any = RemoteObject(None, Held(7, "dict"))  # type: ignore[arg-type]


def actor(*heard: object, more: bool = False) -> Actor:
    module = ModuleType("m")
    exec(TEXT, vars(module))
    made = Actor({"m": module}, lambda name: pytest.fail(f"{name} is no helper"), Answered(heard, more))
    made.begin(3, Budget(10.0, 10.0))
    return made


def call(path: str, *args: object, **more: object) -> tuple[dict[str, Any], Any]:
    return {"op": "call", "path": f"m.{path}", **more}, [list(args), {}]


def test_the_check_hears_the_submission() -> None:
    one = actor(3 * X)
    answer, _ = one.request(*call("double", X))
    assert same(answer, 3 * X)
    assert same(one.said[0], 2 * X)
    assert one.complete


def test_errors_are_the_submissions() -> None:
    one = actor(RAISED, X)
    with pytest.raises(StudentError):
        one.request(*call("double", X))
    one.request(*call("fail", X))
    assert same(one.said[0], 2 * X)
    assert one.said[1] is RAISED


def test_objects_stay_under_the_numbers_that_they_had() -> None:
    one = actor((X, REMOTE), X)
    _, cache = one.request(*call("pair", X))[0]
    one.request(*call("add", cache, X))
    assert same(one.said[1], 2 * X)


def test_attributes_are_set_before_they_are_used() -> None:
    one = actor(REMOTE, 0.0)
    one.request(*call("Net"))
    one.request({"op": "set", "h": 7, "attribute": "W"}, X)
    one.request({"op": "call", "h": 7, "attribute": "loss"}, [[], {}])
    assert same(one.said[1], 3.5)


def test_it_ends_where_nothing_more_is_known() -> None:
    one = actor(X, more=True)
    one.request(*call("double", X))
    assert not one.complete
    with pytest.raises(Enough):
        one.request(*call("double", X))
    assert one.complete


def test_arguments_are_copies() -> None:
    one, x = actor(X), X.clone()
    one.request(*call("spoil", x))
    assert torch.equal(x, X)
    message, values = call("spoil", x)
    taken = kept(values)
    x.zero_()
    assert torch.equal(taken[0][0], X)
    assert message["path"] == "m.spoil"


def test_a_script_is_asked_again() -> None:
    one = actor((X, REMOTE), X)
    _, cache = one.request(*call("pair", X))[0]
    one.request(*call("add", cache, X))
    again = actor((X, REMOTE), X)
    assert one.script.can_be_read
    assert list(map(str, again.perform(one.script, 1.0)))[1] == str(2 * X)


@pytest.mark.parametrize("value", [lambda: 1, StandIn(X, frozenset())])
def test_what_the_check_lends_cannot_be_asked_again_alone(value: object) -> None:
    one = actor(X)
    one.request(*call("double", value))
    assert not one.script.can_be_read


def test_functions_of_the_submission_are_the_variants() -> None:
    one = actor(X)
    one.request(*call("double", Attribute("m.double")))
    assert one.said == [RAISED]
    assert one.script.can_be_read


def test_a_variant_that_hangs_ends_the_script() -> None:
    one = actor(X, X)
    script = actor(X, X)
    script.request(*call("double", X))
    message, values = call("hang")
    hanging = type(script.script)(3, (*script.script.requests, (message, values)), True)
    assert len(list(one.perform(hanging, 0.05))) == 1


def test_chance_is_its_own_and_the_same_again() -> None:
    state, numbers = torch.get_rng_state(), random.getstate()
    one, other = actor((0.5, X)), actor((0.5, X))
    one.request(*call("throw"))
    other.request(*call("throw"))
    assert same(one.said[0], other.said[0])
    assert torch.equal(state, torch.get_rng_state())
    assert numbers == random.getstate()
