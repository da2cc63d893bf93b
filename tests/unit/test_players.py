"""Submissions in real players: what a call can do, what it may not do, and what becomes of those who try."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from stages import Playing, Stages, playing

from grader.contract.verdict import (
    BadAnswer,
    Missing,
    PlayerCrashed,
    PlayerOutOfMemory,
    PlayerTimeout,
    StudentError,
    SubmissionProblem,
)
from grader.judge.loaders import Loader
from grader.judge.objects import SharedTensor
from grader.judge.players import problem_of
from grader.judge.process import Watched
from grader.judge.student import RemoteObject, Student

LAB = """
import ctypes, json, os, random, struct, sys, time
import numpy as np
import torch


def echo(*args, **kwargs):
    return args, kwargs


def raises(kind="ValueError"):
    raise {"ValueError": ValueError("seven"), "stub": NotImplementedError("later"), "exit": SystemExit(3),
           "interrupt": KeyboardInterrupt(), "rude": Rude()}[kind]


class Rude(Exception):
    def __str__(self):
        raise RuntimeError("no")


def double_in_place(x, numbers):
    x *= 2
    numbers.append(5)
    return x.sum()


def with_cache(x):
    return 2 * x, {"x": x}, 3, None


def use_cache(d, cache):
    return d * cache["x"]


def swap_inner(cache):
    cache["x"] = -cache["x"]


class Net:
    def __init__(self, size, scale=1.0):
        self.params = {"W": torch.full((size,), scale)}

    def loss(self, x, y=None):
        return (x * self.params["W"]).sum() if y is None else y

    def __call__(self, x):
        return self.loss(x)

    @staticmethod
    def forward(x):
        return x + 1


def apply(function, *args, **kwargs):
    return function(*args, **kwargs)


def train(model):
    model.train()
    model.W = model.W + 1
    return model.loss(2, scale=model.scale), model.W


def ask_for(model, name):
    return getattr(model, name)


def size_of(net):
    return net.params["W"].numel()


def dtype_of(x, dtype=None):
    return x.dtype, x.dtype == dtype


def randoms():
    return torch.rand(2), np.random.rand(2), random.random()


def spin(seconds=1e9):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def sleep():
    time.sleep(1000)


def leave(code):
    os._exit(code)


def segfault():
    ctypes.string_at(0)


def recurse():
    return recurse()


def much_memory(how):
    if how == "torch":
        return torch.zeros(2**31)
    if how == "python":
        return bytearray(2**32)
    kept = []
    while True:
        kept.append(bytearray(2**22))


def flood():
    while True:
        os.write(1, b"x" * 65536)


def say(size):
    print("begin" + "-" * size + "end", flush=True)
    print("to the log", file=sys.stderr)


def write_file(path, text):
    with open(path, "w") as file:
        file.write(text)


def files_here():
    return os.listdir(".")


def save(path):
    torch.save({"W": torch.ones(2), "lr": 0.5}, path)
    net = torch.nn.Linear(2, 1)
    torch.save(net.state_dict(), path + ".state")


def save_code(path):
    torch.save(Net(3), path)


def unsendable(how):
    return {"complex": torch.ones(2, dtype=torch.complex64), "key": {Net(1): 1}, "large": torch.ones(1).expand(2**31),
            "numpy": np.array(["a"])}[how]


def session():
    frame = sys._getframe()
    while "request" not in frame.f_locals or "number" not in frame.f_locals:
        frame = frame.f_back
    return frame.f_locals["self"], frame.f_locals["number"]


def frame(message):
    text = message if isinstance(message, bytes) else json.dumps(message).encode()
    return struct.pack("<4sIQ", b"SGW1", len(text), 0) + text


def forge(message=None, raw=None, step=None, head=None):
    here, number = session()
    data = raw.encode("latin-1") if raw is not None else frame(message)
    if head is not None:
        data = struct.pack("<4sIQ", b"SGW1", *head) + data
    for start in range(0, len(data), step or len(data)):
        os.write(here.channel.answers, data[start : start + (step or len(data))])
        if step:
            time.sleep(0.05)
    sleep()


def forge_right(value):
    here, number = session()
    os.write(here.channel.answers, frame({"id": number, "value": value}))
    sleep()


def forge_error(error):
    here, number = session()
    os.write(here.channel.answers, frame({"id": number, "error": error}))
    sleep()


def hang_up(which):
    here, number = session()
    os.close(here.channel.answers if which == "answers" else here.channel.requests)
    if which == "requests":
        os.write(here.channel.answers, frame({"id": number, "value": None}))
    sleep()
"""


@pytest.fixture(scope="module")
def lab(stages: Stages) -> Loader:
    """The submission above, loaded."""
    loader = stages.load({"lab": LAB})
    assert loader.failures == {} and loader.notes == {"lab": []}
    return loader


@pytest.fixture
def play(lab: Loader) -> Iterator[Playing]:
    with playing(lab) as begun:
        yield begun


@pytest.fixture
def student(play: Playing) -> Student:
    return play.student


def still_plays(loader: Loader) -> bool:
    with playing(loader) as begun:
        return begun.student.lab.Net.forward(1) == 2


# ---------------------------------------------------------------- calls


def test_arguments_arrive_by_position_and_by_name(student: Student) -> None:
    args, kwargs = student.lab.echo(1, "two", x=[3.5], y=None)
    assert (args, kwargs) == ((1, "two"), {"x": [3.5], "y": None})


def test_answers_are_copies_of_the_judges_own(student: Student) -> None:
    x = torch.arange(3.0)
    (back,), _ = student.lab.echo(x)
    back += 1
    (again,), _ = student.lab.echo(x)
    assert x.tolist() == again.tolist() == [0, 1, 2]


def test_numpy_and_dtypes_cross(student: Student) -> None:
    assert student.lab.dtype_of(torch.ones(1, dtype=torch.float16), torch.float16) == (torch.float16, True)
    (array,), _ = student.lab.echo(np.ones((2, 0), np.int16))
    assert type(array) is np.ndarray and array.dtype == np.int16 and array.shape == (2, 0)


def test_an_observed_call_shows_changes_in_place(student: Student) -> None:
    x, numbers = torch.ones(2), [4]
    result, after = student.lab.double_in_place.observed(x, numbers)
    assert result == 4 and after[0].tolist() == [2, 2] and after[1] == [4, 5]
    assert x.tolist() == [1, 1] and numbers == [4]


def test_holding_keeps_caches_in_the_player(student: Student) -> None:
    out, cache, three, none = student.lab.with_cache.holding(torch.tensor([3.0]))
    assert out.tolist() == [6] and three == 3 and none is None and isinstance(cache, RemoteObject)
    student.lab.swap_inner(cache)
    assert student.lab.use_cache(torch.tensor([2.0]), cache).tolist() == [-6]


def test_objects_stay_and_are_asked(student: Student) -> None:
    net = student.lab.Net(3, scale=2.0)
    assert isinstance(net, RemoteObject) and "Net" in repr(net)
    assert net.loss(torch.ones(3)) == net(torch.ones(3)) == 6
    net.params = {"W": torch.zeros(5)}
    assert net.params["W"].shape == (5,) and student.lab.size_of(net) == 5
    assert net.loss(torch.ones(3), y="y") == "y"


def test_static_methods_are_called_by_their_path(student: Student) -> None:
    assert student.lab.Net.forward(torch.ones(1)) == 2


def test_the_submissions_functions_can_be_arguments(student: Student) -> None:
    assert student.lab.apply(student.lab.Net.forward, 4) == 5


def test_what_is_missing_is_named_with_a_suggestion(student: Student) -> None:
    with pytest.raises(Missing, match=r"lab has no ecko\. Did you mean echo\?"):
        student.lab.ecko()
    with pytest.raises(Missing, match=r"lab\.Net has no forwards\. Did you mean forward\?"):
        student.lab.Net.forwards()
    assert student.missing("lab.nothing") and student.missing("lab.Net.nothing") and not student.missing("lab.Net")


# ---------------------------------------------------------------- calls back


def test_a_function_of_the_judge_is_called_back(student: Student) -> None:
    calls: list[Any] = []

    def function(x: torch.Tensor, scale: float = 1.0) -> dict[str, Any]:
        calls.append((x, scale))
        return {"sum": x.sum() * scale}

    got = student.lab.apply(function, torch.ones(3), scale=2.0)
    assert got == {"sum": torch.tensor(6.0)} and calls[0][0].tolist() == [1, 1, 1] and calls[0][1] == 2.0


def test_calls_nest_both_ways(student: Student) -> None:
    def outer(depth: int) -> int:
        return depth if depth == 4 else 1 + int(student.lab.apply(outer, depth + 1))

    assert student.lab.apply(outer, 0) == 8


def test_an_error_of_a_function_of_the_judge_is_told_to_its_caller(student: Student) -> None:
    for error in (ValueError("odd"), KeyError("odd"), RuntimeError("odd"), ZeroDivisionError("odd")):

        def fails(error: Exception = error) -> None:
            raise error

        with pytest.raises(StudentError, match=f"{type(error).__name__}: .*odd"):
            student.lab.apply(fails)


def test_an_assertion_in_a_function_of_the_judge_cannot_be_caught_by_its_caller(student: Student) -> None:
    def asserts() -> None:
        raise AssertionError("wrong")

    with pytest.raises(AssertionError, match="wrong"):
        student.lab.apply(asserts)


def test_a_problem_of_the_submission_passes_through_a_function_of_the_judge(student: Student) -> None:
    with pytest.raises(StudentError, match="seven"):
        student.lab.apply(lambda: student.lab.raises())


class Model:
    def __init__(self) -> None:
        self.W = torch.zeros(2)
        self.scale = 3
        self.secret = "answer"
        self.trained = 0

    def train(self) -> None:
        self.trained += 1

    def loss(self, x: float, scale: float) -> float:
        return x * scale


def test_a_stand_in_shows_its_attributes_and_no_other(student: Student) -> None:
    model = Model()
    stand_in = student.standin(model, "train", "loss", "W", "scale")
    loss, W = student.lab.train(stand_in)
    assert loss == 6 and W.tolist() == model.W.tolist() == [1, 1] and model.trained == 1
    with pytest.raises(StudentError, match="no attribute 'secret'"):
        student.lab.ask_for(stand_in, "secret")


def test_a_function_of_the_judge_comes_back_as_itself(student: Student) -> None:
    def function() -> None: ...

    (back,), _ = student.lab.echo(function)
    assert back is function


@pytest.mark.parametrize(
    "question",
    [
        {"ask": "get", "j": 0, "attribute": "secret", "value": None},
        {"ask": "get", "j": 0, "attribute": [], "value": None},
        {"ask": "get", "j": 0, "attribute": "__class__", "value": None},
        {"ask": "set", "j": 0, "attribute": "secret", "value": 1},
        {"ask": "set", "j": 0, "attribute": None, "value": 1},
        {"ask": "call", "j": 1, "attribute": None, "value": {"l": [{"l": []}, {"d": []}]}},
        {"ask": "call", "j": -1, "attribute": None, "value": {"l": [{"l": []}, {"d": []}]}},
        {"ask": "call", "j": True, "attribute": None, "value": {"l": [{"l": []}, {"d": []}]}},
        {"ask": "call", "j": "0", "attribute": None, "value": {"l": [{"l": []}, {"d": []}]}},
        {"ask": "call", "j": 0, "attribute": "W", "value": {"l": []}},
        {"ask": "call", "j": 0, "attribute": "W", "value": {"q": 1}},
        {"ask": [], "j": 0, "attribute": "W", "value": None},
        {"ask": "del", "j": 0, "attribute": "W", "value": None},
        {"ask": "get"},
        {"ask": "get", "j": 0, "attribute": "W", "value": {"j": 0, "attribute": "secret"}},
        {"ask": "get", "j": 0, "attribute": "W", "value": {"j": 0, "attribute": []}},
    ],
    ids=str,
)
def test_forged_questions_reach_nothing(student: Student, question: dict[str, Any]) -> None:
    model = Model()
    student.lab.echo(student.standin(model, "W"))
    with pytest.raises(BadAnswer):
        student.lab.forge(question)
    assert model.secret == "answer"


def test_what_a_function_of_the_judge_is_called_with_is_checked_like_an_answer(student: Student) -> None:
    called: list[object] = []
    student.lab.echo(called.append)
    with pytest.raises(BadAnswer, match="tag"):
        student.lab.forge({"ask": "call", "j": 0, "value": {"l": [{"l": [{"p": "lab.echo"}]}, {"d": []}]}})
    assert called == []


# ---------------------------------------------------------------- patches


PATCHES = {
    "base": "import nowhere_at_all\ndef f(x): return -x\nclass Net:\n    def step(self, x): return -x\n",
    "user": "from base import f\nimport base\ndef g(x): return f(x), base.f(x)\ndef h(x): return base.Net().step(x)\n",
}


def test_a_patch_reaches_every_name_of_a_function(load: Callable[..., Loader]) -> None:
    with playing(load(PATCHES)) as begun:
        assert begun.student.user.g(1) == (-1, -1)
        begun.player.request({"op": "patch", "path": "base.f"}, lambda x: x + 1)
        begun.player.request({"op": "patch", "path": "base.Net.step"}, lambda self, x: x + 2)
        assert begun.student.user.g(1) == (2, 2) and begun.student.user.h(1) == 3 and begun.student.base.f(1) == 2


@pytest.mark.parametrize("broken", ["this is no Python", "raise SystemExit", "import os; os._exit(1)", "def f2(): ..."])
def test_a_broken_dependency_is_replaced_by_a_patch(load: Callable[..., Loader], broken: str) -> None:
    star = "from base import *\ndef s(x): return f(x)\n"
    loader = load({"base": broken, "user": PATCHES["user"], "star": star}, exports={"base": ["f"]})
    assert set(loader.failures) <= {"base"}
    with playing(loader) as begun:
        with pytest.raises(SubmissionProblem):
            begun.student.user.g(1)
        begun.player.request({"op": "patch", "path": "base.f"}, lambda x: x + 1)
        assert begun.student.user.g(1) == (2, 2)
        if broken != "def f2(): ...":
            assert begun.student.star.s(1) == 2


# ---------------------------------------------------------------- errors of the submission


def test_an_exception_is_told_with_its_line(student: Student) -> None:
    with pytest.raises(StudentError, match="ValueError: seven") as caught:
        student.lab.raises()
    assert caught.value.error_types == ("ValueError", "Exception", "BaseException")
    assert "lab.py, line" in str(caught.value) and "in raises" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "problem", "said"),
    [
        ("stub", Missing, "not written yet"),
        ("exit", StudentError, "calls exit"),
        ("interrupt", StudentError, "KeyboardInterrupt"),
        ("rude", StudentError, "could not be read"),
    ],
)
def test_special_exceptions_have_words_of_their_own(
    student: Student, kind: str, problem: type[SubmissionProblem], said: str
) -> None:
    with pytest.raises(problem, match=said):
        student.lab.raises(kind)
    assert student.lab.echo(1) == ((1,), {})


def test_endless_recursion_is_an_error(student: Student) -> None:
    with pytest.raises(StudentError, match="RecursionError"):
        student.lab.recurse()


@pytest.mark.parametrize(
    "argument", [torch.zeros(2**27), [0] * 400_001, {"a": {object()}}], ids=["large", "many", "odd"]
)
def test_an_argument_that_cannot_cross_is_a_fault_of_the_check(student: Student, argument: object) -> None:
    with pytest.raises(TypeError, match="cannot be sent to the player"):
        student.lab.echo(argument)
    assert student.lab.echo(1) == ((1,), {})


@pytest.mark.parametrize("how", ["complex", "key", "large", "numpy"])
def test_an_answer_that_is_no_plain_data_is_named(student: Student, how: str) -> None:
    with pytest.raises((BadAnswer, PlayerOutOfMemory), match="plain data"):
        student.lab.unsendable(how)
    assert student.lab.echo(1) == ((1,), {})


@pytest.mark.parametrize("how", ["torch", "python", "bit by bit"])
def test_memory_has_a_limit(student: Student, how: str) -> None:
    with pytest.raises(PlayerOutOfMemory):
        student.lab.much_memory(how)
    assert student.lab.echo(1) == ((1,), {})


@pytest.mark.parametrize(("code", "said"), [(0, "code 0"), (7, "code 7")])
def test_an_exit_is_a_crash(lab: Loader, student: Student, code: int, said: str) -> None:
    with pytest.raises(PlayerCrashed, match=said):
        student.lab.leave(code)
    with pytest.raises(PlayerCrashed):
        student.lab.echo(1)
    assert still_plays(lab)


def test_a_segmentation_fault_costs_its_check_alone(lab: Loader, student: Student) -> None:
    with pytest.raises(PlayerCrashed, match="SIGSEGV"):
        student.lab.segfault()
    assert still_plays(lab)


# ---------------------------------------------------------------- limits


def ends_within(seconds: float, call: Callable[[], object], said: str) -> None:
    started = time.monotonic()
    with pytest.raises(PlayerTimeout, match=said):
        call()
    assert time.monotonic() - started < seconds


def test_computing_time_has_a_limit(lab: Loader) -> None:
    with playing(lab, cpu=0.3) as begun:
        ends_within(10, begun.student.lab.spin, "0.3 seconds of computing")
        with pytest.raises(SubmissionProblem):
            begun.student.lab.echo(1)
    assert still_plays(lab)


def test_the_limit_is_that_of_the_whole_check(lab: Loader) -> None:
    with playing(lab, cpu=0.5) as begun, pytest.raises(PlayerTimeout):
        for _ in range(20):
            begun.student.lab.spin(0.1)


def test_waiting_has_a_limit(lab: Loader) -> None:
    with playing(lab, wall=0.3) as begun:
        ends_within(10, begun.student.lab.sleep, "after 0.3 seconds")


def test_a_flood_of_output_has_a_limit(lab: Loader, student: Student) -> None:
    ends_within(20, student.lab.flood, "printing 64 MiB")


def test_the_first_and_the_last_words_are_kept(play: Playing) -> None:
    play.student.lab.say(200_000)
    text = play.player.output()
    assert text.startswith("begin---") and text.endswith("---end\nto the log\n") and "bytes were left out" in text
    assert len(text) < 70_000


def test_a_player_that_never_reads_is_ended(lab: Loader) -> None:
    with playing(lab, wall=0.5) as begun:
        assert begun.student.lab.forge_right(5) == 5
        ends_within(10, lambda: begun.student.lab.echo(torch.zeros(2**20)), "after 0.5 seconds")


# ---------------------------------------------------------------- forged answers


@pytest.mark.parametrize(
    ("forged", "said"),
    [
        ({"message": {"id": -1, "value": 1}}, "nobody asked"),
        ({"message": {"value": 1}}, "nobody asked"),
        ({"message": {}}, "nobody asked"),
        ({"raw": "garbage, and more of it"}, "does not begin"),
        ({"raw": "SGW1" + "\xff" * 12}, "announces"),
        ({"head": [8 * 2**20 + 1, 0], "raw": "{"}, "announces"),
        ({"head": [2, 512 * 2**20], "raw": "{}"}, "announces"),
        ({"head": [2, 0], "raw": "[]"}, "no JSON object"),
        ({"head": [2, 8], "raw": "{}12345678"}, "header"),
    ],
    ids=str,
)
def test_forged_frames_are_bad_answers(student: Student, forged: dict[str, Any], said: str) -> None:
    with pytest.raises(BadAnswer, match=said):
        student.lab.forge(**forged)


@pytest.mark.parametrize(
    "value", [{"q": 1}, {"x": 0}, {"j": 0}, {"p": "lab.echo"}, {"h": "0"}, {"h": True}, [], {"method": 1}, {"m": "a"}]
)
def test_forged_values_are_bad_answers(student: Student, value: object) -> None:
    with pytest.raises(BadAnswer):
        student.lab.forge_right({"d": [["a", 1]]} if value is None else {"l": [value]})


def test_a_frame_that_trickles_in_runs_into_the_limit(lab: Loader) -> None:
    with playing(lab, wall=0.4) as begun:
        ends_within(10, lambda: begun.student.lab.forge(raw="SGW1" + 200 * "\0", step=1), "after 0.4 seconds")


@pytest.mark.parametrize("error", [None, 5, [], {"types": 5}, {"types": [[]], "message": {}}, {"where": 5}], ids=str)
def test_forged_errors_are_errors_of_the_submission(student: Student, error: object) -> None:
    with pytest.raises(StudentError):
        student.lab.forge_error(error)


def test_a_long_message_is_cut() -> None:
    problem = problem_of({"types": ["E" * 5000] * 50, "message": "m" * 10**6, "where": "w" * 10**6, "kind": "error"})
    assert isinstance(problem, StudentError)
    assert len(problem.explanation.message) < 5000 and len(problem.error_types) == 20


@pytest.mark.parametrize("which", ["answers", "requests"])
def test_a_player_that_hangs_up_and_lives_costs_no_time(lab: Loader, student: Student, which: str) -> None:
    loader, started = lab.watched.pid, time.monotonic()
    with pytest.raises(PlayerCrashed):
        student.lab.hang_up(which)
        student.lab.echo(torch.zeros(2**20))
    assert time.monotonic() - started < 4 and still_plays(lab) and lab.watched.pid == loader


# ---------------------------------------------------------------- state


def test_the_same_check_draws_the_same_randoms_and_another_seed_others(lab: Loader) -> None:
    def drawn(seed: int) -> str:
        with playing(lab, seed=seed) as begun:
            return str(begun.student.lab.randoms())

    assert drawn(1) == drawn(1) != drawn(2)


def test_every_check_has_a_fresh_folder_to_write_to(lab: Loader) -> None:
    with playing(lab) as begun:
        path = Path(begun.student.scratch_path("w.txt"))
        begun.student.lab.write_file(str(path), "hello")
        begun.student.lab.write_file("beside.txt", "relative")
        assert path.read_text() == "hello" and set(begun.student.lab.files_here()) == {"w.txt", "beside.txt"}
    assert not path.parent.exists()
    with playing(lab) as begun:
        assert begun.student.lab.files_here() == []


def test_checkpoints_come_back_as_plain_data(student: Student) -> None:
    path = student.scratch_path("w.pt")
    student.lab.save(path)
    got = student.checkpoint(path)
    assert got["W"].tolist() == [1, 1] and got["lr"] == 0.5
    state = student.checkpoint(path + ".state")
    assert type(state) is dict and state["weight"].shape == (1, 2)


def test_a_checkpoint_that_holds_code_is_refused(student: Student) -> None:
    path = student.scratch_path("w.pt")
    student.lab.save_code(path)
    with pytest.raises(StudentError, match="UnpicklingError"):
        student.checkpoint(path)


def test_shared_tensors_are_read_from_their_file(lab: Loader, student: Student) -> None:
    assert lab.stage.shared is not None
    file = lab.stage.shared / "set.safetensors"
    save_file({"x": torch.arange(4)}, file)
    file.chmod(0o644)
    (got,), _ = student.lab.echo(SharedTensor(file, "x"))
    assert got.tolist() == [0, 1, 2, 3]


def test_a_player_forked_ahead_is_the_next_one(lab: Loader) -> None:
    lab.prepare_next()
    lab.prepare_next()
    assert still_plays(lab) and still_plays(lab)


def test_how_a_player_ended_is_known_while_the_next_one_is_on_its_way(lab: Loader, student: Student) -> None:
    lab.prepare_next()
    with pytest.raises(PlayerCrashed, match="code 9"):
        student.lab.leave(9)
    assert still_plays(lab)


def test_a_lost_loader_is_started_again(load: Callable[..., Loader]) -> None:
    loader = load({"lab": LAB})
    loader.watched.kill()
    assert still_plays(loader)


def test_players_and_pipes_are_given_back(lab: Loader) -> None:
    still_plays(lab)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        still_plays(lab)
    assert len(os.listdir("/proc/self/fd")) == before


# ---------------------------------------------------------------- imports


def failure(loader: Loader, module: str) -> str:
    return loader.failures[module].explanation.message


GOOD = "def f(): return 1\n"


@pytest.mark.parametrize(
    ("bad", "problem", "said"),
    [
        ("while True: pass", PlayerTimeout, "0.5 seconds of computing"),
        ("import time; time.sleep(1000)", PlayerTimeout, "2 seconds"),
        ("import os; os._exit(3)", PlayerCrashed, "exited"),
        ("import ctypes; ctypes.string_at(0)", PlayerCrashed, "exited"),
        ("import sys; sys.exit('bye')", StudentError, "calls exit"),
        ("x = = 1", StudentError, "SyntaxError"),
        ("raise KeyboardInterrupt", StudentError, "KeyboardInterrupt"),
    ],
)
def test_a_module_that_cannot_be_imported_takes_no_other_with_it(
    load: Callable[..., Loader], bad: str, problem: type[SubmissionProblem], said: str
) -> None:
    loader = load({"bad": bad, "good": f"import bad\n{GOOD}"}, load_seconds=0.5)
    assert set(loader.failures) == {"bad"} and type(loader.failures["bad"]) is problem
    assert failure(loader, "bad").startswith("bad.py could not be imported") and said in failure(loader, "bad")
    with playing(loader) as begun:
        assert begun.student.good.f() == 1
        with pytest.raises(problem, match="could not be imported"):
            begun.student.bad.f()


def test_a_module_that_starts_cuda_while_it_is_imported_takes_no_other_with_it(load: Callable[..., Loader]) -> None:
    # As after a call of .cuda(), on a machine that has none.
    starts = "import torch\ntorch.cuda.is_initialized = lambda: True\n"
    loader = load({"eager": starts, "fine": "def two():\n    return 2\n"})
    assert "uses a CUDA device while it is imported" in loader.failures["eager"].explanation.message
    with playing(loader) as begun:
        assert begun.student.fine.two() == 2


def test_modules_import_each_other_once(load: Callable[..., Loader]) -> None:
    loader = load(
        {
            "a": "import b\nloaded = []\nfrom helper import twice\ndef f(x): return twice(b.g(x))\n",
            "b": "import a\ndef g(x): a.loaded.append(x); return x + 1\ndef seen(): return a.loaded\n",
        },
        files={"helper.py": "def twice(x): return 2 * x\n", "sub/__init__.py": "", "sub/leaf.py": GOOD},
    )
    assert loader.failures == {} and loader.notes == {"a": [], "b": []}
    with playing(loader) as begun:
        assert begun.student.a.f(1) == 4 and begun.student.b.seen() == [1]


def test_the_courses_helpers_come_before_the_students_copies(load: Callable[..., Loader]) -> None:
    loader = load(
        {
            "a": "import helper, only_mine\nfrom pack.leaf import who\n"
            "def f(): return helper.who(), only_mine.who(), who()\n"
        },
        files={
            "helper.py": "def who(): return 'student'",
            "only_mine.py": "def who(): return 'student'",
            "pack/leaf.py": "def who(): return 'student'",
        },
        provided={"helper.py": "def who(): return 'course'", "pack/leaf.py": "def who(): return 'course'"},
    )
    with playing(loader) as begun:
        assert begun.student.a.f() == ("course", "student", "course")


def test_a_check_calls_the_courses_helpers(load: Callable[..., Loader]) -> None:
    loader = load(
        {"a": "class Net:\n    def run(self, x): return x + 1\n"},
        files={"helper.py": "def twice(f, x): return None\n", "only_mine.py": "def twice(f, x): return None\n"},
        provided={"helper.py": "def twice(f, x): return f(f(x))\n"},
    )
    with playing(loader) as begun:
        assert begun.student.helper.twice(begun.student.a.Net().run, 1) == 3
        for module in ("only_mine", "os"):
            with pytest.raises(Missing):
                getattr(begun.student, module).twice(None, 1)


def test_a_submissions_file_shadows_no_package(load: Callable[..., Loader]) -> None:
    names = ["torch", "numpy", "json", "transformers"]
    check = "import torch, numpy, json\ndef f(): return torch.ones(1), numpy.ones(1).sum(), json.loads('1')\n"
    loader = load({name: f"{check}def mine(): return {name!r}\n" for name in names})
    assert loader.failures == {}
    with playing(loader) as begun:
        for name in names:
            module = getattr(begun.student, name)
            assert module.mine() == name and module.f()[0] == 1 and module.f()[2] == 1


STRAY = """
from __future__ import annotations
from curses import has_key
from tkinter import N, W
import tkinter.filedialog as dialog
import google.colab
from google.colab import drive
from numpy.core import nonsense
from missing import *
import matplotlib_of_mars.pyplot as plt, math
import torch
import torch.utils.tensorboard_of_mars
drive.mount("/content/drive", force_remount=True)
plt.rcParams["figure.figsize"] = (10.0, 8.0)
%s
data = open("/content/drive/data.txt").read()


@nonsense.jit(nopython=True)
def f(x, how: plt.Figure | None = None) -> drive.Thing:
    return torch.relu(x) * math.floor(1.5)


def g(x):
    return plt.plot(x)
"""


def test_stray_imports_cost_nothing_until_they_are_used(load: Callable[..., Loader]) -> None:
    loader = load({"a": STRAY % "", "b": STRAY.replace("from __future__ import annotations", "") % "x = 1 / 0"})
    assert loader.failures == {}
    assert any("matplotlib_of_mars.pyplot failed" in note for note in loader.notes["a"])
    assert any("line 15: this statement was left out: ZeroDivisionError" in note for note in loader.notes["b"])
    with playing(loader) as begun:
        for module in (begun.student.a, begun.student.b):
            assert module.f(torch.tensor([-1.0, 2.0])).tolist() == [0, 2]
            with pytest.raises(StudentError, match=r"matplotlib_of_mars\.pyplot.* is used here, but"):
                module.g(1)


CUDA = """
import torch
device = "cuda" if torch.cuda.is_available() else "cuda:0"
W = torch.ones(2, device=device)
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1).cuda()
def f(x, device="cuda"):
    torch.cuda.synchronize()
    y = x.cuda() + torch.zeros(2, device=torch.device("cuda")) + x.to("cuda") + x.to(device=device) + W
    with torch.cuda.device(0):
        y = y + torch.zeros(2, device=0) + 0 * x.to(0) + 0 * x.pin_memory()
    return Net().to("cuda").cuda().layer(y).numel(), y, y.type(torch.float64).cuda(0).device.type
"""


def test_cuda_is_answered_by_the_cpu(load: Callable[..., Loader]) -> None:
    loader = load({"a": CUDA}, device="cpu-for-cuda")
    assert loader.notes == {"a": []}
    with playing(loader) as begun:
        assert begun.student.a.f(torch.ones(2))[1].tolist() == [4, 4]
        count, _, kind = begun.student.a.f(torch.ones(2), device=torch.device("cuda:0"))
        assert count == 1 and kind == "cpu"


# ---------------------------------------------------------------- loaders that were tampered with


@pytest.mark.parametrize("pid", ["os.getppid()", "1", "-1", "'x'", "2**70", "None"])
def test_a_forged_number_of_a_player_is_the_submissions_problem(
    load: Callable[..., Loader], lab: Loader, pid: str
) -> None:
    loader = load({"a": f"import os\nforged = {pid}\nos.fork = lambda: forged\n{GOOD}"})
    with pytest.raises(SubmissionProblem, match="interfere"):
        loader.player()
    assert still_plays(lab)


def test_a_stranger_is_never_ended() -> None:
    with pytest.raises(Exception, match="no child"):
        Watched(os.getppid(), parent=os.getpid())


TAMPER = """
import json, os, stat, struct
def send(message):
    text = json.dumps(message).encode()
    for number in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                os.write(number, struct.pack("<4sIQ", b"SGW1", len(text), 0) + text)
        except OSError:
            pass
"""


@pytest.mark.parametrize(
    "act",
    [
        "send({'value': 5})",
        "send({'value': [{'a': 1}]})",
        "send({})",
        "send({'error': 5})",
        "send({'pid': 1})",
        "send({'pid': os.getppid()}); send({'pid': os.getppid()})",
        "os.closerange(3, 64)",
        "os.closerange(3, 64); import time; time.sleep(1000)",
        "os.fork = None",
        "os.fork = lambda: 1 / 0",
    ],
)
def test_a_loader_that_is_tampered_with_harms_its_own_submission_alone(
    load: Callable[..., Loader], lab: Loader, act: str
) -> None:
    loader = load({"a": f"{TAMPER}{act}\n{GOOD}", "b": GOOD}, load_seconds=1.0)
    try:
        with playing(loader) as begun:
            begun.student.b.f()
    except SubmissionProblem:
        pass
    assert still_plays(lab)


BORROWER = """
import torch
from torch import nn


def square(x):
    raise ValueError("this one is wrong")


def both(x):
    raise ValueError("this one is wrong, too")


def twice(x):
    y, (size,) = square(x)
    return 2 * y


def slope(x):
    x = x.clone().requires_grad_()
    twice(x).sum().backward()
    return x.grad


def raised(x):
    x = x.clone().requires_grad_()
    result, ones = both(x)
    result += 1
    ones *= 2
    (result * ones).sum().backward()
    return result.detach(), x.grad


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.own_name = nn.Parameter(torch.full((2,), 3.0))

    def forward(self, x):
        raise ValueError("this one is wrong")


def slope_of_layer(x):
    net = Layer()
    net(x).sum().backward()
    return net.own_name.grad
"""


def test_autograd_goes_back_through_a_function_that_the_judge_lends(stages: Stages) -> None:
    with playing(stages.load({"lab": BORROWER})) as here:
        here.student.replace("lab.square", lambda x: (x**2, (len(x),)))
        x = torch.tensor([1.0, -2.0])
        assert torch.equal(here.student.lab.twice(x), 2 * x**2)
        assert torch.equal(here.student.lab.slope(x), 4 * x)


def test_results_of_a_lent_function_may_be_changed_in_place_under_autograd(stages: Stages) -> None:
    with playing(stages.load({"lab": BORROWER})) as here:
        here.student.replace("lab.both", lambda x: (x**2, torch.ones_like(x)))
        x = torch.tensor([1.0, -2.0])
        result, slope = here.student.lab.raised(x)
        assert torch.equal(result, x**2 + 1) and torch.equal(slope, 4 * x)


def test_autograd_reaches_the_parameters_of_a_module_whose_method_is_lent(stages: Stages) -> None:
    with playing(stages.load({"lab": BORROWER})) as here:
        here.student.replace("lab.Layer.forward", lambda own, x: own["own_name"] * x, parameters=True)
        x = torch.tensor([1.0, -2.0])
        assert torch.equal(here.student.lab.slope_of_layer(x), x)
