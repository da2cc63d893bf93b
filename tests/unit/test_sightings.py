"""What a trace shows: forbidden functions and operations, given code, signs of tampering, forged traces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from stages import Stages, playing

from grader.contract.assignment import Rules
from grader.contract.verdict import RuleBroken
from grader.judge.loaders import Loader
from grader.judge.rules.checks import FORBIDDEN_CALL, RuleChecks
from grader.judge.rules.names import forbidden, public
from grader.judge.rules.operations import base, held, unexplained
from grader.judge.rules.sightings import NO_TRACE, Sightings
from grader.judge.rules.text import machinery_uses
from grader.judge.source import Texts

RULES = Rules(
    ("torch.nn", "torch.autograd", "torch.func", "torch.cdist", "Tensor.unfold"),
    ("torch.nn.functional.pad", "torch.nn.functional.one_hot"),
)

# ---------------------------------------------------------------- names and operations


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("torch.Tensor.norm", "Tensor.norm"),
        ("torch._tensor.Tensor.norm", "Tensor.norm"),
        ("Tensor.norm", "Tensor.norm"),
        ("torch._VariableFunctionsClass.conv2d", "torch.conv2d"),
        ("torch._C._VariableFunctions.conv2d", "torch.conv2d"),
        ("torch.functional.cdist", "torch.cdist"),
        ("torch._C._nn.pad", "torch.nn.functional.pad"),
        ("torch._C._linalg.linalg_norm", "torch.linalg.norm"),
        ("torch._C._special.special_softmax", "torch.special.softmax"),
        ("torch.nn.modules.conv.Conv2d.__init__", "torch.nn.Conv2d.__init__"),
        ("torch._functorch.apis.vmap", "torch.vmap"),
        ("torch._functorch.apis.grad", "torch.func.grad"),
        ("torch._functorch.eager_transforms.jacrev", "torch.func.jacrev"),
        ("torch.autograd.grad_mode.no_grad.__enter__", "torch.no_grad.__enter__"),
        ("grad", "torch.autograd.grad"),
        ("aten.conv2d.default", "torch.ops.aten.conv2d.default"),
        ("torch.gradient", "torch.gradient"),
    ],
)
def test_a_name_of_the_trace_is_what_people_write(name: str, known: str) -> None:
    assert public(name) == known


@pytest.mark.parametrize(
    ("name", "rule", "broken"),
    [
        ("torch.conv2d", "torch.nn", True),
        ("torch.ops.aten.lstm_cell", "torch.nn.LSTMCell", True),
        ("aten.lstm_cell.default", "torch.nn.LSTMCell", True),
        ("torch._C._get_operation_overload", "torch.nn.LSTMCell", True),
        ("torch._refs.nn.functional.layer_norm", "torch.nn.LSTMCell", True),
        ("torch.conv_transpose2d", "torch.nn", True),
        ("torch.native_batch_norm", "torch.nn.functional.batch_norm", True),
        ("torch.nn.functional.conv2d", "torch.conv2d", True),
        ("torch.conv2d", "torch.nn.functional.conv2d", True),
        ("torch.conv2d", "torch.nn.functional.conv1d", False),
        ("torch.gru_cell", "torch.nn", True),
        ("torch.gru_cell", "torch.nn.GRUCell", True),
        ("torch.gru_cell", "torch.nn.GRU", False),
        ("torch.softmax", "torch.nn", False),
        ("torch.relu", "torch.nn", False),
        ("torch.converge", "torch.nn", False),
    ],
)
def test_a_layer_below_torch_is_that_of_torch_nn(name: str, rule: str, broken: bool) -> None:
    assert (forbidden(name, Rules((rule,))) is not None) is broken


@pytest.mark.parametrize(
    ("operation", "rules", "is_held"),
    [
        ("aten.convolution", ("torch.nn",), True),
        ("aten._convolution.default", ("torch.nn",), True),
        ("aten.mkldnn_convolution", ("torch.nn",), True),
        ("aten.conv2d", ("torch.nn",), True),
        ("aten.convolution", ("torch.conv2d",), False),
        ("aten.max_pool2d_with_indices", ("torch.nn",), True),
        ("aten.native_batch_norm", ("torch.nn",), True),
        ("aten.im2col", ("torch.nn",), True),
        ("aten.im2col", ("torch.conv2d",), False),
        ("aten.unfold", ("torch.nn",), False),
        ("aten.unfold", ("Tensor.unfold",), True),
        ("aten._cdist_forward", ("torch.cdist",), True),
        ("aten._softmax", ("torch.nn",), False),
        ("aten._softmax", ("torch.nn", "torch.softmax", "torch.special", "Tensor.softmax"), True),
        ("aten.relu", ("torch.nn",), False),
        ("aten.relu", ("torch.nn", "torch.relu", "torch.relu_", "Tensor.relu", "Tensor.relu_"), True),
        ("aten._scaled_dot_product_flash_attention_for_cpu", ("torch.nn",), True),
        ("aten.constant_pad_nd", ("torch.nn",), False),
        ("aten.mm", ("torch.nn",), False),
        ("nonsense", ("torch.nn",), False),
    ],
)
def test_an_operation_is_held_where_all_that_leads_to_it_is_forbidden(
    operation: str, rules: tuple[str, ...], is_held: bool
) -> None:
    assert held(operation, Rules(rules)) is is_held


def test_an_operation_without_an_allowed_function_is_unexplained() -> None:
    rules = Rules(("torch.nn",))
    assert unexplained("aten._softmax", [], rules) and not unexplained("aten._softmax", ["Tensor.softmax"], rules)
    assert unexplained("aten._softmax", ["torch.nn.functional.softmax"], rules)
    assert not unexplained("aten.mm", [], rules) and not unexplained("aten._softmax", [], Rules())
    assert base("aten.mm.default") == "mm" and base("mm") == ""


@pytest.mark.parametrize("trace", [{}, {"functions": 5, "called": [1], "operations": None}, {"functions": {3: 1}}])
def test_a_forged_trace_shows_nothing_and_is_suspect(trace: dict[str, Any]) -> None:
    seen = Sightings.of(trace)
    assert seen == Sightings((), (), (), (NO_TRACE,))
    assert seen.forbidden(RULES) is None and NO_TRACE in next(seen.suspicions(RULES))


def test_signs_are_cut() -> None:
    seen = Sightings.of({"signs": ["\n".join(["x" * 500] * 3), 5, *["y"] * 20]})
    assert len(seen.signs) <= 8 and all(len(sign) <= 200 and "\n" not in sign for sign in seen.signs)


def test_the_evidence_names_each_part_of_the_trace() -> None:
    seen = Sightings.of(
        {"functions": {"torch.nn.functional.conv2d": 1}, "operations": {"aten.convolution": 1}, "signs": []}
    )
    assert seen.evidence(RULES) == (
        "torch was asked for: torch.nn.functional.conv2d; the submission's lines called: nothing; "
        "torch dispatched: aten.convolution; signs of tampering: nothing"
    )


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("torch.jit.script(g)", "torch.jit.script"),
        ("torch._C.DisableTorchFunction()", "torch._C.DisableTorchFunction"),
        ("torch.ops.aten.mm(x, x)", "torch.ops.aten.mm"),
        ("modes._disable_current_modes()", "torch.utils._python_dispatch._disable_current_modes"),
        ("system.settrace(None)", "sys.settrace"),
        ("Thread(target=g).start()", "threading.Thread"),
        ("gc.get_objects()", "gc.get_objects"),
        ("gc.collect()", None),
        ("system.exit()", None),
        ("threading", None),
    ],
)
def test_machinery_is_named(line: str, name: str | None) -> None:
    head = (
        "import torch, gc\nimport sys as system\nfrom threading import Thread\n"
        "import torch.utils._python_dispatch as modes\n"
    )
    text = f"{head}def f(x, threading): {line}\ndef unused(): system.setprofile(None)\n"
    found = machinery_uses(Texts.of({"m": ("/s/m.py", text)}, ()), "m.f")
    assert [use.name for use in found][:1] == ([name] if name else [])


# ---------------------------------------------------------------- in a player

PLAYED = """
import functools
import gc
import sys

import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import _disable_current_modes

GUARDS = torch._C.DisableTorchFunction, torch._C._DisableTorchDispatch
x, w = torch.ones(1, 2, 3, 3), torch.ones(1, 2, 2, 2)

class Given:
    @staticmethod
    def convolve():
        layer = torch.nn.Conv2d(2, 1, 2)
        image = x.clone().requires_grad_()
        layer(image).sum().backward()
        return F.conv2d(image.grad, w)

    def __call__(self): return F.conv2d(x, w)

def answers_elsewhere(): return F.conv2d(x, w)
def with_given():
    Given.convolve()
    Given()()
    return answers_elsewhere() + 1
def after_given():
    Given.convolve()
    return F.conv2d(x, w)
def after_an_error():
    try:
        raises()
    except ValueError:
        return F.conv2d(x, w)
def raises(): raise ValueError

class Net:
    traced = "its own"
    def loss(self): return F.conv2d(x, w)
    def score(self, scale): return scale * x.sum()

def plain(): return x + 1
def vmapped(): return torch.vmap(lambda row: row.sum())(x)
def through_numpy(): return torch.from_numpy(x.numpy() + 1).sum().item()
def padded(): return F.pad(x, (1, 1)), F.one_hot(torch.tensor([1, 0]), 2)
def no_grad():
    with torch.no_grad(): return x + 1
def soft(): return torch.softmax(x, 1), x.softmax(1)

def scripted(): return torch.jit.script(one_convolution)(x, w)
def one_convolution(a: torch.Tensor, b: torch.Tensor): return torch.conv2d(a, b)
def scripted_softmax(): return torch.jit.script(one_softmax)(x)
def one_softmax(a: torch.Tensor): return torch.softmax(a, 1)
def modes_off():
    with _disable_current_modes():
        return F.conv2d(x, w)
def guarded():
    with GUARDS[0](), GUARDS[1]():
        return torch.conv2d(x, w)
def guarded_one_line():
    with GUARDS[0](), GUARDS[1](): return torch.conv2d(x, w)
def guarded_without_a_call():
    with GUARDS[0](), GUARDS[1]():
        return functools.partial(torch.conv2d, x)(w)
def module(): return torch.nn.Conv2d(2, 1, 2)(x)
def cell(): return torch.nn.GRUCell(3, 2)(x[0, 0])
def autograd():
    leaf = x.clone().requires_grad_()
    return torch.autograd.grad((leaf * leaf).sum(), leaf)[0]
def backward():
    leaf = torch.ones(2, requires_grad=True)
    leaf.sum().backward()
    return leaf.grad

def profile_off():
    sys.setprofile(None)
    return x + 1
def trace_replaced():
    sys.settrace(lambda *_: None)
    return x + 1
def popped():
    torch._C._pop_torch_dispatch_stack(None)
    return x + 1
def rewritten():
    y = x + 1
    for mode in gc.get_objects():
        if type(mode).__name__ == "_Operations":
            mode.trace.operations.clear()
    return y
"""


@pytest.fixture(scope="module")
def loader(stages: Stages) -> Loader:
    made = stages.load({"m": PLAYED})
    assert made.notes == {"m": []}
    return made


class Watched:
    """One question to ``rules``, and the remarks for staff that came of it."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader
        self.flags: list[str] = []
        outside = frozenset({"m.Given", "m.answers_elsewhere", "m.nowhere", "m.raises"})
        self.checks = RuleChecks(Texts({}), RULES, outside, self.flags.append, self.flags.append)

    def ask(self, question: Callable[[RuleChecks, Any], Any]) -> Any:
        with playing(self.loader) as begun:
            return question(self.checks, begun.student.m)

    def traced(self, name: str) -> Any:
        return self.ask(lambda checks, m: checks.traced(getattr(m, name)))


@pytest.fixture
def watched(loader: Loader) -> Watched:
    return Watched(loader)


@pytest.mark.parametrize("name", ["plain", "vmapped", "through_numpy", "padded", "no_grad", "soft", "with_given"])
def test_ordinary_work_leaves_no_mark(watched: Watched, name: str) -> None:
    watched.traced(name)
    assert watched.flags == []


FORBIDDEN = {
    "after_given": "torch.nn.functional.conv2d",
    "after_an_error": "torch.nn.functional.conv2d",
    "scripted": "aten.convolution",
    "modes_off": "torch.nn.functional.conv2d",
    "guarded": "torch.conv2d",
    "guarded_one_line": "torch.conv2d",
    "module": "torch.nn",
    "cell": "torch",
    "autograd": "Tensor.requires_grad_",
    "backward": "Tensor.backward",
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_is_forbidden_is_seen_whatever_is_switched_off(watched: Watched, name: str) -> None:
    with pytest.raises(RuleBroken, match="asks you to write yourself") as caught:
        watched.traced(name)
    assert any(flag.startswith(f"{FORBIDDEN_CALL} {FORBIDDEN[name]}") for flag in watched.flags)
    assert "torch dispatched" in caught.value.explanation.evidence


SIGNS = {
    "modes_off": "switched off",
    "guarded": "switched off",
    "guarded_one_line": "switched off",
    "guarded_without_a_call": "switched off",
    "profile_off": "the interpreter were replaced",
    "trace_replaced": "the interpreter were replaced",
    "popped": "was not counted",
    "rewritten": "were rewritten",
    "scripted_softmax": "none of the allowed functions",
}


@pytest.mark.parametrize("name", SIGNS)
def test_tampering_is_flagged(watched: Watched, name: str) -> None:
    try:
        watched.traced(name)
    except RuleBroken:
        assert name in FORBIDDEN
    else:
        assert name not in FORBIDDEN
    assert any(SIGNS[name] in flag for flag in watched.flags), watched.flags


def test_methods_of_remote_objects_are_traced(watched: Watched) -> None:
    def question(checks: RuleChecks, m: Any) -> Any:
        net = m.Net()
        assert net.traced == "its own"
        assert torch.equal(checks.traced(net.score, scale=2.0), torch.tensor(36.0))
        return checks.traced(net.loss)

    with pytest.raises(RuleBroken, match=r"torch\.nn\.functional\.conv2d"):
        watched.ask(question)


def test_a_forbidden_function_is_seen_where_work_is_measured(watched: Watched) -> None:
    with pytest.raises(RuleBroken, match=r"torch\.nn\.functional\.conv2d"):
        watched.ask(lambda checks, m: checks.growth(m.after_given, [], []))
