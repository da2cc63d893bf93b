"""The proxies: which request each of them sends, and what they refuse before any player is asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from grader.contract.verdict import Missing, PlayerTimeout, StudentError, SubmissionProblem
from grader.contract.wire import Frame
from grader.judge.objects import Attribute, Held, Objects, SharedTensor, StandIn
from grader.judge.student import RemoteObject, Student


class Spy:
    """A player that notes requests and gives the answers that it was told to give."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, Any], Any]] = []
        self.answer: Any = None
        self.fields: dict[str, Any] = {}
        self.scratch = Path("/scratch/1")
        self.unavailable: Mapping[str, SubmissionProblem] = {}

    @property
    def player(self) -> Any:
        return self

    def request(self, message: dict[str, Any], values: Any = None) -> tuple[Any, dict[str, Any]]:
        self.requests.append((message, values))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer, self.fields


@pytest.fixture
def spy() -> Spy:
    return Spy()


@pytest.fixture
def student(spy: Spy) -> Student:
    return Student(spy)


def test_each_kind_of_call_says_what_it_wants(student: Student, spy: Spy) -> None:
    spy.answer, spy.fields = (1, (2,)), {"trace": {"lines": 3}}
    assert student.m.f(1, x=2) == (1, (2,))
    assert student.m.N.f.observed(1) == (1, (2,))
    assert student.m.f.holding() == (1, (2,))
    assert student.m.f.traced() == ((1, (2,)), {"lines": 3})
    assert spy.requests == [
        ({"op": "call", "path": "m.f"}, [[1], {"x": 2}]),
        ({"op": "call", "path": "m.N.f", "observe": True}, [[1], {}]),
        ({"op": "call", "path": "m.f", "keep": True}, [[], {}]),
        ({"op": "call", "path": "m.f", "trace": {"outside": []}}, [[], {}]),
    ]


@pytest.mark.parametrize("answer", [None, 1, (1,), (1, [2]), (1, (2,), 3), [1, (2,)]], ids=str)
def test_a_forged_answer_to_an_observed_call_is_the_submissions_error(
    student: Student, spy: Spy, answer: object
) -> None:
    spy.answer = answer
    with pytest.raises(StudentError, match="not a result with its arguments"):
        student.m.f.observed(1)


@pytest.mark.parametrize("trace", [None, 5, [], "lines"], ids=str)
def test_a_forged_trace_counts_nothing(student: Student, spy: Spy, trace: object) -> None:
    spy.fields = {"trace": trace}
    assert student.m.f.traced() == (None, {})


def test_remote_objects_are_asked_by_their_number(spy: Spy) -> None:
    net = RemoteObject(cast(Any, spy), Held(7, "Net"))
    spy.answer = 5
    assert net.W == 5 and net(1, y=2) == 5
    net.W = [3]
    assert spy.requests == [
        ({"op": "get", "h": 7, "attribute": "W"}, None),
        ({"op": "call", "h": 7}, [[1], {"y": 2}]),
        ({"op": "set", "h": 7, "attribute": "W"}, [3]),
    ]
    assert repr(net) == "<an object of class Net in the submission>" and net.__wire__() == Held(7, "Net")


def test_looking_at_a_proxy_asks_nothing(student: Student, spy: Spy) -> None:
    net = RemoteObject(cast(Any, spy), Held(7, "Net"))
    for proxy in (student, student.m, student.m.f, net):
        assert not hasattr(proxy, "__array__") and not hasattr(proxy, "__len__")
    assert repr(student.m.f) == "<the submission's m.f>" and spy.requests == []


def test_a_module_that_is_not_there_is_refused_before_it_is_asked(student: Student, spy: Spy) -> None:
    spy.unavailable = {"m": PlayerTimeout("m.py could not be imported.")}
    for ask in (student.m.f, student.m.f.observed, student.m.N.f.holding, student.m.f.traced):
        with pytest.raises(PlayerTimeout, match="could not be imported"):
            ask()
    with pytest.raises(PlayerTimeout):
        student.m.f.__wire__()
    assert spy.requests == [] and student.n.f() is None
    first, second = (pytest.raises(PlayerTimeout), pytest.raises(PlayerTimeout))
    with first as one:
        student.m.f()
    with second as other:
        student.m.f()
    assert one.value is not other.value


def test_missing_is_told_from_broken(student: Student, spy: Spy) -> None:
    assert not student.missing("m.f") and spy.requests == [({"op": "get", "path": "m.f"}, None)]
    spy.answer = Missing("m has no f.")
    assert student.missing("m.f")
    spy.answer = StudentError("It raised.")
    assert not student.missing("m.f")
    spy.unavailable = {"m": Missing("m.py is missing."), "n": StudentError("n.py could not be imported.")}
    assert student.missing("m.f") and not student.missing("n.f")


def test_files_lie_in_the_players_folder(student: Student, spy: Spy) -> None:
    assert student.scratch_path("w.pt") == "/scratch/1/w.pt"
    student.checkpoint("/scratch/1/w.pt")
    assert spy.requests == [({"op": "checkpoint"}, "/scratch/1/w.pt")]


# ---------------------------------------------------------------- what crosses for them


def test_arguments_are_written_by_what_they_are(student: Student, spy: Spy) -> None:
    objects, net = Objects(), RemoteObject(cast(Any, spy), Held(7, "Net"))
    arguments = [
        student.m.f,
        net,
        SharedTensor(Path("/data/x.safetensors"), "x"),
        student.standin(SimpleNamespace(), "b", "a"),
        len,
        Attribute("m.g"),
    ]
    frame = objects.frame({"op": "call"}, arguments)
    assert frame.message["values"] == {
        "l": [
            {"p": "m.f"},
            {"h": 7},
            {"m": "x.safetensors", "k": "x"},
            {"j": 0, "attrs": ["a", "b"]},
            {"j": 1, "attrs": []},
            {"p": "m.g"},
        ]
    }
    assert [lent.target for lent in objects.own][1] is len


def test_held_objects_are_wrapped_and_lent_ones_come_back() -> None:
    objects = Objects()
    objects.wrap = lambda held: ("wrapped", held)
    objects.frame({}, [StandIn(SimpleNamespace(a=5), frozenset({"a"}))])
    frame = Frame({})
    assert objects.decode({"h": 3, "c": "Net"}, frame) == ("wrapped", Held(3, "Net"))
    assert objects.decode({"j": 0, "attribute": "a"}, frame) == 5
    tensor = torch.ones(2)
    assert objects.decode({"x": 0, "dev": "cuda:0"}, Frame({}, [tensor])) is tensor
