"""Loading in one process: statements fail on their own, modules find each other, nothing installed is shadowed."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.player import absent
from grader.player.absent import Absent, AbsentError
from grader.player.load import CourseFinder, Library, compile_tolerant


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Library]]:
    """Makes a library of modules, and puts Python's own back as it was."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(Absent, "inert", True)

    def make(sources: dict[str, str], files: dict[str, str] | None = None, **exports: list[str]) -> Library:
        for name, text in (files or {}).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        made = Library({name: (f"/s/{name}.py", text) for name, text in sources.items()}, [tmp_path], exports)
        sys.meta_path.append(CourseFinder(made))
        return made

    yield make
    for name in set(sys.modules) - before:
        del sys.modules[name]


def run(text: str) -> dict[str, Any]:
    """The names of a module that is loaded alone."""
    return vars(Library({"zz_alone": ("/s/zz_alone.py", text)}, (), {}).load("zz_alone"))


# ---------------------------------------------------------------- statements


def test_a_statement_that_fails_is_left_out_and_noted(library: Callable[..., Library]) -> None:
    made = library({"zz_a": "a = 1\nb = 1 / 0\nc = a + 1\ndef f():\n    return c\n"})
    module = made.load("zz_a")
    assert module.f() == 2 and not hasattr(module, "b")
    assert made.notes == ["zz_a.py, line 2: this statement was left out: ZeroDivisionError: division by zero"]


def test_each_name_of_an_import_fails_on_its_own(library: Callable[..., Library]) -> None:
    made = library({"zz_a": "import math, zz_nowhere, json as j\nfrom math import floor, zz_nothing as n, ceil\n"})
    module = made.load("zz_a")
    assert module.math.floor(module.floor(1.5) + module.ceil(1.5)) == 3 and module.j.loads("1") == 1
    assert (absent.origin(module.zz_nowhere), absent.origin(module.n)) == ("zz_nowhere", "math.zz_nothing")
    assert [note.partition(" failed")[0] for note in made.notes] == [
        "zz_a: the import of zz_nowhere",
        "zz_a: the import of math.zz_nothing",
    ]


def test_a_missing_part_of_a_package_leaves_the_package_alone(library: Callable[..., Library]) -> None:
    module = library({"zz_a": "import json\nimport json.zz_nothing\nimport os.zz_nothing as nothing\n"}).load("zz_a")
    assert module.json is sys.modules["json"] and absent.origin(module.nothing) == "os.zz_nothing"


def test_docstring_and_future_imports_keep_their_place(library: Callable[..., Library]) -> None:
    text = '"""About."""\nfrom __future__ import annotations\ndef f(x: nowhere) -> nothing: ...\n'
    module = library({"zz_a": text}).load("zz_a")
    assert module.__doc__ == "About." and module.f.__annotations__ == {"x": "nowhere", "return": "nothing"}


def test_annotations_are_evaluated_unless_the_file_says_otherwise() -> None:
    assert run("def f(x: int): ...")["f"].__annotations__ == {"x": int}


def test_main_is_not_run(library: Callable[..., Library]) -> None:
    made = library({"zz_a": "if __name__ == '__main__':\n    1 / 0\n"})
    made.load("zz_a")
    assert made.notes == []


def test_the_code_says_where_it_comes_from(library: Callable[..., Library]) -> None:
    module = library({"zz_a": "def f():\n    raise ValueError\n"}).load("zz_a")
    assert module.__file__ == module.f.__code__.co_filename == "/s/zz_a.py" and module.f.__code__.co_firstlineno == 1
    assert linecache.getline("/s/zz_a.py", 2) == "    raise ValueError\n"


@pytest.mark.parametrize("text", ["def f(:", "return 1", "x = 'a\0b'", "from __future__ import braces", "break"])
def test_what_is_no_python_fails_as_a_whole(text: str) -> None:
    with pytest.raises((SyntaxError, ValueError)):
        compile_tolerant(text, "a.py")


@pytest.mark.parametrize("statement", ["raise SystemExit", "raise KeyboardInterrupt"])
def test_an_exit_ends_the_module_and_later_imports_say_so(library: Callable[..., Library], statement: str) -> None:
    made = library({"zz_a": f"x = 1\n{statement}\n", "zz_b": "import zz_a\nfrom zz_a import x\n"})
    with pytest.raises(BaseException, match=r"^$"):
        made.load("zz_a")
    assert "zz_a" not in sys.modules and "zz_a" not in made.modules
    module = made.load("zz_b")
    assert absent.origin(module.zz_a) == "zz_a" and absent.origin(module.x) == "zz_a.x"
    with pytest.raises(ImportError, match=f"zz_a could not be loaded: {statement.split()[1]}"):
        made.load("zz_a")


# ---------------------------------------------------------------- modules


def test_a_module_is_executed_once_whoever_asks(library: Callable[..., Library]) -> None:
    made = library({"zz_a": "import zz_b, zz_c\n", "zz_b": "import zz_c\n", "zz_c": "runs = []\n"})
    a = made.load("zz_a")
    assert a.zz_c is a.zz_b.zz_c is made.load("zz_c") is sys.modules["zz_c"]


def test_dataclasses_and_their_like_find_their_module(library: Callable[..., Library]) -> None:
    text = "from __future__ import annotations\nimport dataclasses\n@dataclasses.dataclass\nclass P:\n    x: int = 3\n"
    made = library({"zz_a": text})
    assert made.load("zz_a").P().x == 3 and made.notes == []


def test_a_file_named_like_an_installed_module_stays_beside_it(library: Callable[..., Library]) -> None:
    installed = sys.modules["json"]
    made = library({"json": "import json\nmine = 1\n", "zz_b": "import json\n"})
    module = made.load("json")
    assert module.mine == 1 and module.json is installed is sys.modules["json"]
    assert made.load("zz_b").json is installed


def test_helpers_and_packages_are_found_on_the_roots(library: Callable[..., Library]) -> None:
    made = library(
        {"zz_a": "import zz_help, zz_pack.leaf, zz_bare.leaf\nfrom zz_pack import top\n"},
        {
            "zz_help.py": "import zz_nowhere\nx = 1 / 0\ny = 2\n",
            "zz_pack/__init__.py": "top = 3\n",
            "zz_pack/leaf.py": "import zz_nothing\nfrom . import deep\nz = 4\n",
            "zz_pack/deep.py": "",
            "zz_bare/leaf.py": "z = 5\n",
        },
    )
    module = made.load("zz_a")
    assert (module.zz_help.y, module.top, module.zz_pack.leaf.z, module.zz_bare.leaf.z) == (2, 3, 4, 5)
    assert [note.partition(" ")[0] for note in made.notes] == ["zz_help:", "zz_help.py,", "zz_pack.leaf:"]


def test_a_star_import_of_a_broken_module_binds_the_names_it_owes(library: Callable[..., Library]) -> None:
    text = "mine = 1\nfrom zz_b import *\ndef f(): return owed(1)\n"
    made = library({"zz_b": "x = = 1", "zz_a": text}, zz_b=["owed", "mine"])
    with pytest.raises(SyntaxError):
        made.load("zz_b")
    module = made.load("zz_a")
    assert absent.origin(module.owed) == "zz_b.owed" and module.mine == 1
    absent.arm()
    with pytest.raises(AbsentError, match=r"zz_b\.owed is used here, but it is not available: ImportError: zz_b could"):
        module.f()


def test_a_star_import_of_a_sound_module_binds_its_names(library: Callable[..., Library]) -> None:
    module = library({"zz_b": "x = 1\n_y = 2\n", "zz_a": "from zz_b import *\n"}).load("zz_a")
    assert module.x == 1 and not hasattr(module, "_y") and not hasattr(module, "__scratch_error__")
