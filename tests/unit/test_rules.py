"""Rules: forbidden names in small programs, right and wrong; loops in the text; growth of work in a real player."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from stages import Stages, playing

from grader.contract.assignment import Rules
from grader.contract.verdict import RuleBroken
from grader.judge.loaders import Loader
from grader.judge.rules.checks import FORBIDDEN_CALL, RuleChecks
from grader.judge.rules.loops import loop_count, loop_depth
from grader.judge.rules.names import forbidden
from grader.judge.rules.text import dynamic_uses, forbidden_uses
from grader.judge.source import Texts

RULES = Rules(
    ("torch.nn", "torch.cdist", "torch.autograd", "Tensor.norm", "Tensor.relu", "scipy"), ("torch.nn.functional.pad",)
)


def texts(**modules: str) -> Texts:
    return Texts.of({name: (f"/s/{name}.py", text) for name, text in modules.items()}, ())


def uses(text: str, function: str = "m.f", **modules: str) -> list[str]:
    head = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\nfrom torch import cdist\n"
    return [use.name for use in forbidden_uses(texts(m=head + text, **modules), function, RULES)]


WRONG = {
    "full name": ("def f(x): return torch.nn.functional.relu(x)", "torch.nn.functional.relu"),
    "alias": ("def f(x): return F.conv2d(x, x)", "torch.nn.functional.conv2d"),
    "from-import": ("def f(x): return cdist(x, x)", "torch.cdist"),
    "renamed": ("from torch import cdist as mine\ndef f(x): return mine(x, x)", "torch.cdist"),
    "import inside": ("def f(x):\n    import scipy.spatial as s\n    return s.distance(x)", "scipy.spatial.distance"),
    "star": ("from torch.nn.functional import *\ndef f(x): return softmax(x)", "torch.nn.functional.softmax"),
    "name of the module": ("mine = torch.cdist\ndef f(x): return mine(x, x)", "torch.cdist"),
    "annotated name": ("mine: object = torch.cdist\ndef f(x): return mine(x, x)", "torch.cdist"),
    "tuple of names": ("a, b = torch.mm, torch.cdist\ndef f(x): return b(x, x)", "torch.cdist"),
    "table": ("OPS = {'d': torch.cdist}\ndef f(x): return OPS['d'](x, x)", "torch.cdist"),
    "lambda": ("f = lambda x: torch.cdist(x, x)", "torch.cdist"),
    "partial": ("f = partial(torch.cdist, p=2)", "torch.cdist"),
    "rebound": ("def f(x): return x\nf = partial(torch.cdist, p=2)", "torch.cdist"),
    "local name of torch": ("def f(x):\n    t = torch\n    return t.cdist(x, x)", "torch.cdist"),
    "walrus": ("def f(x): return (t := torch) and t.cdist(x, x)", "torch.cdist"),
    "getattr": ("def f(x): return getattr(torch, 'cdist')(x, x)", "torch.cdist"),
    "joined": ("def f(x): return getattr(torch, 'cd' + 'ist')(x, x)", "torch.cdist"),
    "dict": ("def f(x): return torch.__dict__['cdist'](x, x)", "torch.cdist"),
    "import call": ("def f(x): return __import__('torch').cdist(x, x)", "torch.cdist"),
    "another name of it": ("def f(x): return torch.pairwise_distance(x, x)", "torch.pairwise_distance"),
    "helper": ("def f(x): return g(x)\ndef g(x): return torch.cdist(x, x)", "torch.cdist"),
    "renamed helper": ("def g(x): return torch.cdist(x, x)\nf = g", "torch.cdist"),
    "helper in a loop": ("for i in range(1):\n    def f(x): return torch.cdist(x, x)", "torch.cdist"),
    "nested function": ("def f(x):\n    def g(): return cdist(x, x)\n    return g()", "torch.cdist"),
    "recursion": ("def f(x): return f(x) if x else cdist(x, x)", "torch.cdist"),
    "default": ("def f(x, d=torch.cdist): return d(x, x)", "torch.cdist"),
    "decorator": ("@torch.autograd.no_grad\ndef f(x): return x", "torch.autograd.no_grad"),
    "method of an argument": ("def f(x): return x.norm()", "Tensor.norm"),
    "method of an expression": ("def f(x): return (x + 1).norm(p=2)", "Tensor.norm"),
    "method of a call": ("def f(x): return x.sum().norm()", "Tensor.norm"),
    "method of an attribute": ("def f(self): return self.W.norm()", "Tensor.norm"),
    "method by getattr": ("def f(x): return getattr(x, 'norm')()", "Tensor.norm"),
    "method as a value": ("def f(x): return map(torch.Tensor.norm, x)", None),
    "method of a variable of the module": ("W = torch.ones(3)\ndef f(): return W.norm()", "Tensor.norm"),
    "gradients": ("def f(x):\n    x.sum().backward()", "Tensor.backward"),
    "gradients of a new tensor": ("def f(x): return torch.ones(3, requires_grad=True)", "requires_grad"),
    "gradients of an old one": ("def f(x):\n    x.requires_grad = True", "requires_grad"),
    "base class": ("class f(nn.Module): ...", "torch.nn.Module"),
    "shadowed elsewhere": ("def f(x):\n    def g(F): return F\n    return F.relu(g(x))", "torch.nn.functional.relu"),
}


@pytest.mark.parametrize(("text", "name"), [pair for pair in WRONG.values() if pair[1]], ids=[
    key for key, pair in WRONG.items() if pair[1]
])  # fmt: skip
def test_forbidden_names_are_found(text: str, name: str) -> None:
    assert name in uses(text)


RIGHT = {
    "unused import": "import scipy\nfrom scipy import stats\ndef f(x): return x",
    "import inside": "def f(x):\n    import scipy\n    return x",
    "unused function": "def f(x): return x\ndef g(x): return cdist(x, x)",
    "annotation": "def f(x: torch.nn.Module, y: 'nn.Module' = None) -> nn.Linear:\n    z: nn.Module = x\n    return z",
    "text": "def f(x):\n    'Uses torch.nn and torch.cdist.'\n    return x  # cdist(x)",
    "exception to the rule": "def f(x): return F.pad(x, (1, 1)) + torch.nn.functional.pad(x, (1, 1))",
    "variable of that name": "def f(x):\n    F, C = x.shape\n    return F.bit_length() + C",
    "argument of that name": "def f(F, cdist): return F + cdist",
    "argument of a lambda": "def f(x): return (lambda F: F.sum())(x)",
    "variable of a comprehension": "def f(x): return [F.sum() for F in x]",
    "own function of that name": "def cdist(x, y): return x - y\ndef f(x): return cdist(x, x)",
    "own nested function": "def f(x):\n    def cdist(x): return x\n    return cdist(x)",
    "longer name": "def f(x): return torch.nnn(x) + torch.cdist_like(x)",
    "own method": "class N:\n    def norm(self): ...\n    def f(self): return self.norm()\ndef f(x): return N.f",
    "own static method": "class N:\n    def norm(x): ...\ndef f(x): return N.norm(x)",
    "method of a module": "import numpy as np\ndef f(x): return np.norm(x)",
    "own backward": "class N:\n    def backward(self, d): ...\ndef f(layer, d): return layer.backward(d)",
    "no gradients": "def f(x):\n    x.requires_grad = False\n    return torch.ones(3, requires_grad=False)",
    "variable of that name with a star": "from scipy import *\ndef f(stats): return stats",
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_what_is_allowed_is_not_accused(text: str) -> None:
    assert uses(text) == []


def test_a_star_import_of_the_students_own_names_is_not_accused() -> None:
    own = "class Layer:\n    def relu(x): ...\ndef cdist(x, y): ...\n"
    assert uses("del cdist\nfrom own import *\ndef f(x): return Layer.relu(x)", own=own) == []


def test_methods_and_patched_methods_are_followed() -> None:
    text = "class N:\n    def loss(self): return self.step()\ndef step(self): return self.W.norm()\nN.step = step\n"
    assert uses(text, "m.N.loss") == ["Tensor.norm"]


def test_a_use_names_file_and_line_once() -> None:
    text = "import torch\ndef f(x):\n    return torch.cdist(x, x), torch.cdist(x, x)\n"
    found = forbidden_uses(texts(m=text), "m.f", RULES)
    assert [str(use) for use in found] == ["torch.cdist (m.py, line 3)"]


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("torch.nn", True),
        ("torch.nn.Linear", True),
        ("torch.nnx", False),
        ("torch", False),
        ("torch.nn.functional.pad", False),
        ("torch.nn.functional.padding", True),
        ("torch.conv2d", True),
        ("Tensor.backward", True),
        ("Tensor.norm", True),
        ("torch.norm", False),
    ],
)
def test_a_rule_covers_what_is_below_it(name: str, broken: bool) -> None:
    assert (forbidden(name, RULES) is not None) is broken


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("getattr(torch, x)", "getattr"),
        ("eval('1')", "eval"),
        ("exec(x)", "exec"),
        ("builtins.exec(x)", "exec"),
        ("__import__(x)", "__import__"),
        ("il.import_module(x)", "importlib.import_module"),
        ("globals()[x]", "globals"),
        ("getattr(torch, 'mm')", None),
        ("getattribute(x)", None),
        ("importlib.import_module('math')", None),
    ],
)
def test_look_ups_that_only_a_run_can_tell_are_listed(expression: str, name: str | None) -> None:
    text = f"import importlib, builtins, torch\nimport importlib as il\ndef f(x): return g(x)\ndef g(x): {expression}"
    assert [use.name for use in dynamic_uses(texts(m=text), "m.f")] == ([name] if name else [])


# ---------------------------------------------------------------- loops in the text


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("def f(x): return x @ x", 0),
        ("def f(x):\n    for i in x: pass\n    for j in x: pass", 1),
        ("def f(x):\n    for i in x:\n        while j: pass", 2),
        ("def f(x): return [i for i in x]", 1),
        ("def f(x): return {i: j for i in x for j in x}", 2),
        ("def f(x): return [[j for j in x] for i in x]", 2),
        ("def f(x): return sum(i for i in x)", 1),
        ("def f(x): return list(map(g, x))\ndef g(x): return x", 1),
        ("def f(x): return list(map(g, x))\ndef g(x): return [i for i in x]", 2),
        ("def f(x): return list(map(lambda y: [i for i in y], x))", 2),
        ("import numpy as np\ndef f(x): return np.vectorize(lambda y: y)(x)", 1),
        ("from functools import reduce\ndef f(x): return reduce(min, x)", 1),
        ("def f(x):\n    for i in x: g(i)\ndef g(x):\n    for i in x: pass", 2),
        ("def f(x): return g(x)\ndef g(x):\n    for i in x: pass", 1),
        ("def f(x): return f(x[1:])", 1),
        ("def f(x): return g(x)\ndef g(x): return f(x)", 1),
        ("def f(x): return g(x) + g(x) + g(x)\ndef g(x): return x", 0),
        (
            "class N:\n    def a(self):\n        for i in x: self.b()\n"
            "    def b(self):\n        for i in x: pass\nf = N.a",
            2,
        ),
        ("def other(x):\n    for i in x: pass\ndef f(x): return x", 0),
        ("def f(x): return " + "+".join(["x"] * 1500), 0),
    ],
    ids=range(20),
)
def test_loops_are_counted_through_calls(text: str, depth: int) -> None:
    assert loop_depth(texts(m=text), "m.f") == depth


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("def f(x): return x @ x", 0),
        ("def f(x):\n    for i in x: pass\n    for j in x: pass", 2),
        ("def f(x):\n    for i in x:\n        while j: pass", 2),
        ("def f(x): return [i for i in x], {i: j for i in x for j in x}", 3),
        ("def f(x):\n    for i in x: g(i), g(i)\ndef g(x):\n    for i in x: f(i)", 2),
    ],
    ids=range(5),
)
def test_loops_are_counted_whether_they_are_nested_or_not(text: str, count: int) -> None:
    assert loop_count(texts(m=text), "m.f") == count


def test_a_maze_of_calls_is_counted_at_once() -> None:
    maze = "".join(f"def f{i}(x): return f{i + 1}(x), f{i + 1}(x)\n" for i in range(300))
    started = time.monotonic()
    assert loop_depth(texts(m=maze), "m.f0") == loop_count(texts(m=maze), "m.f0") == 0
    assert time.monotonic() - started < 5


# ---------------------------------------------------------------- growth in a player

LOOPS = """
import functools
import numpy as np
import torch

def vectorised(x): return x @ x.T
def numpys(x): return torch.from_numpy(x.numpy() @ x.numpy().T)
def for_loop(x):
    out = x.new_zeros(len(x))
    for i in range(len(x)):
        out[i] = x[i].sum()
    return out
def two_loops(x):
    out = x.new_zeros(len(x), len(x))
    for i in range(len(x)):
        for j in range(len(x)):
            out[i, j] = x[i] @ x[j]
    return out
def loops_in_a_row(x):
    sums = [row.sum() for row in x]
    out = x.new_zeros(len(x))
    for i, total in enumerate(sums):
        out[i] = 2 * total
    return out
def while_loop(x):
    i, out = 0, 0
    while i < len(x): i, out = i + 1, out + x[i]
    return out
def comprehension(x): return torch.stack([row.sum() for row in x])
def pairs(x): return torch.tensor([[float(a @ b) for a in x] for b in x])
def generator(x): return sum(float(row.sum()) for row in x)
def mapped(x): return torch.stack(list(map(lambda row: row.sum(), x)))
def mapped_torch(x): return torch.stack(list(map(torch.sum, x)))
def reduced(x): return functools.reduce(torch.add, x)
def np_vectorize(x): return np.vectorize(lambda v: v + 1)(x[:, 0].numpy())
def along_axis(x): return np.apply_along_axis(lambda row: row.sum(), 1, x.numpy())
def recursion(x): return x[0] + recursion(x[1:]) if len(x) > 1 else x[0]
def plain_lists(x):
    total = 0.0
    for row in x.tolist():
        total += row[0]
    return total
def helper(x): return for_loop(x)
def padded(x):
    work = 0
    for i in range(1000):
        work = work + x.sum()
    return for_loop(x)
def constant(x):
    out = 0
    for power in range(50):
        out = out + x.sum() ** power
    return out
def forbidden_call(x): return torch.cdist(x, x)
def forbidden_method(x): return x.norm()
def hidden_call(x): return [value for name, value in vars(torch).items() if name[1:] == "dist"][0](x, x)
"""


class Growing:
    """``rules`` for the submission above."""

    def __init__(self, loader: Loader) -> None:
        self.notes: list[str] = []
        self.flags: list[str] = []
        self.checks = RuleChecks(texts(m=LOOPS), RULES, frozenset(), self.notes.append, self.flags.append)
        self.loader = loader

    def ask(self, question: Callable[[RuleChecks, Any], Any]) -> Any:
        with playing(self.loader) as begun:
            return question(self.checks, begun.student.m)


SMALL, LARGE = torch.ones(5, 3), torch.ones(20, 12)


@pytest.fixture(scope="module")
def loader(stages: Stages) -> Loader:
    made = stages.load({"m": LOOPS})
    assert made.notes == {"m": []}
    return made


@pytest.fixture
def growing(loader: Loader) -> Growing:
    return Growing(loader)


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("vectorised", 0),
        ("numpys", 0),
        ("constant", 0),
        ("for_loop", 1),
        ("while_loop", 1),
        ("comprehension", 1),
        ("generator", 1),
        ("mapped", 1),
        ("mapped_torch", 1),
        ("reduced", 1),
        ("np_vectorize", 1),
        ("along_axis", 1),
        ("recursion", 1),
        ("plain_lists", 1),
        ("helper", 1),
        ("padded", 1),
        ("two_loops", 2),
        ("pairs", 2),
    ],
)
def test_work_grows_with_the_data_as_loops_do(growing: Growing, name: str, order: int) -> None:
    growth = growing.ask(lambda checks, m: checks.growth(getattr(m, name), [SMALL], [LARGE]))
    assert growth.order == order, growth


def test_a_loop_is_refused_where_none_is_allowed(growing: Growing) -> None:
    with pytest.raises(RuleBroken, match="step by step") as caught:
        growing.ask(lambda checks, m: checks.vectorised(m.comprehension, [SMALL], [LARGE]))
    told = caught.value.explanation
    assert (told.expected, told.got) == (
        "no Python loop over the data",
        "the number of steps grows with the power 1 of the size",
    )
    assert "1 nested loops" in told.evidence
    assert growing.ask(lambda checks, m: checks.vectorised(m.vectorised, [SMALL], [LARGE])) is None
    assert growing.notes == growing.flags == []


def test_a_loop_that_does_not_grow_is_accepted_and_told(growing: Growing) -> None:
    growing.ask(lambda checks, m: checks.vectorised(m.constant, [SMALL], [LARGE]))
    assert "accepted" in growing.notes[0] and growing.flags[0].startswith("m.constant: a loop")


@pytest.mark.parametrize(
    ("name", "at_least", "at_most", "said"),
    [
        ("vectorised", 1, 1, "1 explicit loop over"),
        ("for_loop", 2, 3, "2 explicit loops"),
        ("two_loops", 1, 1, "step by step"),
        ("for_loop", 1, 1, None),
        ("two_loops", 2, 3, None),
    ],
)
def test_the_number_of_loops_has_a_range(
    growing: Growing, name: str, at_least: int, at_most: int, said: str | None
) -> None:
    def question(checks: RuleChecks, m: Any) -> None:
        checks.loops(getattr(m, name), [SMALL], [LARGE], at_least=at_least, at_most=at_most)

    if said is None:
        growing.ask(question)
    else:
        with pytest.raises(RuleBroken, match=said):
            growing.ask(question)


def test_loops_in_a_row_count_together_where_that_is_asked_for(growing: Growing) -> None:
    two = {"at_least": 2, "at_most": 2}
    growing.ask(lambda checks, m: checks.loops(m.loops_in_a_row, [SMALL], [LARGE], **two, in_a_row=True))
    growing.ask(lambda checks, m: checks.loops(m.two_loops, [SMALL], [LARGE], **two, in_a_row=True))
    for name, in_a_row in (("loops_in_a_row", False), ("for_loop", True), ("vectorised", True)):
        with pytest.raises(RuleBroken, match="2 explicit loops"):
            growing.ask(
                lambda checks, m, name=name, in_a_row=in_a_row: checks.loops(
                    getattr(m, name), [SMALL], [LARGE], **two, in_a_row=in_a_row
                )
            )


@pytest.mark.parametrize("name", ["forbidden_call", "hidden_call", "forbidden_method"])
def test_a_forbidden_function_is_seen_at_work(growing: Growing, name: str) -> None:
    with pytest.raises(RuleBroken, match="which this assignment asks you to write yourself"):
        growing.ask(lambda checks, m: checks.traced(getattr(m, name), SMALL))
    assert growing.flags[0].startswith(FORBIDDEN_CALL)


def test_allowed_work_under_the_trace_gives_its_result(growing: Growing) -> None:
    got = growing.ask(lambda checks, m: checks.traced(m.vectorised, SMALL))
    assert torch.equal(got, SMALL @ SMALL.T) and growing.flags == []
