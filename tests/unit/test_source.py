"""The text of a submission: what names stand for, and which definitions a function runs through."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from grader.judge.source import Texts, read_module
from grader.judge.syntax import dotted


def texts(**modules: str) -> Texts:
    return Texts.of({name: (f"/s/{name}.py", text) for name, text in modules.items()}, ())


def reached(path: str, **modules: str) -> set[str]:
    return {f"{here.module.name}.{here.name}" for here in texts(**modules).reached(path)}


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("x", "x"),
        ("a.b.c", "a.b.c"),
        ("getattr(a.b, 'c')", "a.b.c"),
        ("getattr(a, 'b', None).c", "a.b.c"),
        ("getattr(a, 'b' + 'c' + 'd')", "a.bcd"),
        ("getattr(getattr(a, 'b'), 'c')", "a.b.c"),
        ("getattr(a, name)", None),
        ("getattr(f(), 'b')", None),
        ("getattr(a)", None),
        ("__import__('a.b').c", "a.c"),
        ("importlib.import_module('a.b').c", "a.b.c"),
        ("import_module(name)", None),
        ("a.__dict__['b'].c", "a.b.c"),
        ("vars(a)['b']", "a.b"),
        ("sys.modules['a.b'].c", "a.b.c"),
        ("a['b']", None),
        ("a[0].b", None),
        ("f(x).b", None),
        ("a.f(x)", None),
        ("(a + b).c", None),
    ],
)
def test_expressions_have_names(expression: str, name: str | None) -> None:
    assert dotted(ast.parse(expression, mode="eval").body) == name


def test_names_of_any_length_are_read() -> None:
    assert dotted(ast.parse("a" + ".b" * 900, mode="eval").body) == "a" + ".b" * 900
    joined = "+".join(900 * ["'b'"])
    assert dotted(ast.parse(f"getattr(a, {joined})", mode="eval").body) == f"a.{900 * 'b'}"


IMPORTS = """
import torch
import torch.nn.functional
import torch.nn.functional as F
from torch import nn, relu as r
from . import beside
from .pack import leaf as l
from math import *
dist = torch.dist
D, (E, G) = dist, [F, nn.Linear]
H: object = torch.mm
same = own = torch.abs
def f():
    import numpy as np
"""


def test_names_stand_for_what_was_imported_and_assigned() -> None:
    module = read_module("m", "m.py", IMPORTS)
    assert module.aliases == {
        "torch": "torch",
        "F": "torch.nn.functional",
        "nn": "torch.nn",
        "r": "torch.relu",
        "beside": "beside",
        "l": "pack.leaf",
        "np": "numpy",
        "dist": "torch.dist",
        "D": "torch.dist",
        "H": "torch.mm",
        "same": "torch.abs",
        "own": "torch.abs",
    }
    assert module.stars == ["math"] and set(module.definitions) == {"f"}


def test_definitions_are_found_wherever_a_module_makes_them() -> None:
    text = """
if True:
    def a(): ...
elif x:
    def b(): ...
else:
    def c(): ...
try:
    def d(): ...
except ImportError:
    async def e(): ...
finally:
    class g: ...
with x:
    for i in y:
        def h(): ...
while True:
    def i(): ...
match x:
    case 1:
        def j(): ...
k = lambda: 1
l: object = [1]
def m():
    def not_me(): ...
"""
    assert set(read_module("m", "m.py", text).definitions) == set("abcdeghijklm")


@pytest.mark.parametrize("text", ["x = = 1", "'\0'", "(" * 500, "-" * 100_000 + "1"], ids=["syntax", "null", "(", "-"])
def test_what_is_no_python_defines_nothing(text: str) -> None:
    assert read_module("m", "m.py", text).definitions == {}


CALLS = {
    "plain": ("def f(): return g()\ndef g(): return h\ndef h(): ...\ndef other(): ...", {"m.f", "m.g", "m.h"}),
    "recursion": ("def f(): return g()\ndef g(): return f()", {"m.f", "m.g"}),
    "nested": ("def f():\n    def inner(): return g()\n    return inner()\ndef g(): ...", {"m.f", "m.g"}),
    "own name": ("g = f0 = None\ndef g(): ...\nf = g", {"m.g"}),
    "alias of an alias": ("def g(): ...\nh = g\nf = h", {"m.g"}),
    "lambda": ("f = lambda x: g(x)\ndef g(): ...", {"m.f", "m.g"}),
    "table": ("OPS = {'g': g}\ndef g(): ...\ndef f(): return OPS['g']()", {"m.f", "m.OPS", "m.g"}),
    "rebound": ("def f(): ...\ndef g(): ...\nf = partial(g, 1)", {"m.f", "m.g"}),
    "rebound to a name": ("def f(): ...\ndef g(): ...\nf = g", {"m.f", "m.g"}),
    "default": ("def g(): ...\ndef f(x=g): return x()", {"m.f", "m.g"}),
    "decorator": ("def g(): ...\n@g\ndef f(): ...", {"m.f", "m.g"}),
    "class": ("class N:\n    def a(self): return g()\ndef g(): ...\ndef f(): return N()", {"m.f", "m.N", "m.g"}),
    "unknown names": ("import torch\ndef f(x): return torch.mm(x, y).sum()", {"m.f"}),
}


@pytest.mark.parametrize(("text", "expected"), CALLS.values(), ids=CALLS)
def test_calls_inside_a_file_are_followed(text: str, expected: set[str]) -> None:
    assert reached("m.f", m=text) == expected


METHODS = """
import base
class Base:
    def low(self): return one()
class N(Base, base.Far):
    def loss(self): return self.step() + self.low() + self.far() + N.static() + self.put() + self.short() + self.given()
    def step(self): ...
    def unused(self): ...
    @staticmethod
    def static(): return two()
    short = lambda self: three()
    given = four
def one(): ...
def two(): ...
def three(): ...
def four(): ...
def put(self): return self.step() + self.late()
N.put = put
N.late = lambda self: five()
def five(): ...
"""


def test_methods_are_followed_through_self_bases_and_patches() -> None:
    far = "class Far:\n    def far(self): return six()\ndef six(): ...\n"
    assert reached("m.N.loss", m=METHODS, base=far) == {
        *(f"m.N.{name}" for name in ("loss", "step", "low", "static", "put", "short", "given", "late")),
        *(f"m.{name}" for name in ("one", "two", "three", "five")),
        "base.Far.far",
        "base.six",
    }


@pytest.mark.parametrize(
    "text",
    [
        "import lib\ndef f(): return lib.g()",
        "import lib as l\ndef f(): return l.g()",
        "from lib import g\ndef f(): return g()",
        "from lib import g as other\ndef f(): return other()",
        "from .lib import g\ndef f(): return g()",
        "from lib import *\ndef f(): return g()",
        "from pack.lib import g\ndef f(): return g()",
        "def f():\n    from lib import g\n    return g()",
        "def f(): return __import__('lib').g()",
        "import lib\ng = lib.g\ndef f(): return g()",
        "import lib\ndef f(): return lib.again()",
    ],
)
def test_calls_are_followed_into_other_files(text: str) -> None:
    assert reached("m.f", m=text, lib="def g(): return h()\ndef h(): ...\nagain = g\n") == {"m.f", "lib.g", "lib.h"}


@pytest.mark.parametrize(
    "modules",
    [
        {"m": "from n import f", "n": "from m import f"},
        {"m": "f = g\ng = f"},
        {"m": "A.f = B.f\nB.f = A.f\nf = A.f"},
        {"m": "class f(f): ..."},
        {"m": "class A(B, B, B): ...\nclass B(A, A, A): ...\ndef f(): return A.x", "n": ""},
        {name: "".join(f"from {other} import *\n" for other in "mnopqrst") for name in "mnopqrst"},
    ],
    ids=["imports", "names", "patches", "base", "bases", "stars"],
)
def test_circles_of_names_end(modules: dict[str, str]) -> None:
    assert texts(**modules).reached("m.f.x.y") == [] or len(texts(**modules).reached("m.f")) >= 1


def test_files_of_the_submission_beside_its_modules_are_read(tmp_path: Path) -> None:
    for name in ("lib.py", "pack/__init__.py", "pack/leaf.py", "m.py", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"def g(): return '\xff'\n")
    files = tuple(str(path) for path in sorted(tmp_path.rglob("*.*")))
    found = Texts.of({"m": (str(tmp_path / "m.py"), "def f(): ...")}, files)
    assert set(found.modules) == {"m", "lib", "pack", "leaf"} and found.find("leaf.g") is not None
    assert set(found.modules["m"].definitions) == {"f"}


def test_what_is_not_there_is_not_found() -> None:
    found = texts(m="def f(): ...\nclass N:\n    def g(self): ...\n")
    assert [found.find(path) for path in ("m.g", "n.f", "m", "m.N.f")] == [None] * 4
    assert found.find("m.N.g") is not None and found.reached("m.nothing") == []


def test_a_class_is_entered_without_the_methods_that_answer_for_themselves() -> None:
    text = "class A:\n    def f(self): return far()\n    def g(self): return near()\ndef far(): ...\ndef near(): ...\n"
    found = texts(m=text + "def make(): return A()\n")
    names = {f"{here.module.name}.{here.name}" for here in found.reached("m.make", frozenset({"m.A.f"}))}
    assert names == {"m.make", "m.A", "m.near"}
    assert {here.name for here in found.reached("m.A.f", frozenset({"m.A.f"}))} == {"A.f", "far"}
