"""Modules made of notebook cells."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.judge.submission import IntakeError, IntakeLimits, Submission, Wanted, intake
from grader.judge.uploads.definitions import module_of
from grader.judge.uploads.notebooks import Cell, python_of, read_cells
from grader.judge.uploads.sourcetext import parse

WANTED = {"knn": Wanted("knn.py", (), frozenset({"distances", "Knn"}))}
SERVES = "def distances(): return 1\nclass Knn: pass\n"


def notebook(*cells: str | list[str], **extra: object) -> str:
    code = [{"cell_type": "code", "source": cell, "outputs": [], "metadata": {}} for cell in cells]
    return json.dumps(
        {"nbformat": 4, "metadata": {}, "cells": [{"cell_type": "markdown", "source": "# T"}, *code], **extra}
    )


def made(*cells: str) -> str:
    return module_of(Cell(number, text) for number, text in enumerate(cells, 1)).text


def run(*cells: str) -> dict[str, object]:
    space: dict[str, object] = {}
    exec(compile(made(*cells), "cells", "exec"), space)
    return space


@pytest.fixture
def taken(tmp_path: Path):
    def take(files: dict[str, str]) -> Submission:
        for name, text in files.items():
            path = tmp_path / "upload" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return intake(tmp_path / "upload", WANTED, tmp_path / "into")

    return take


def test_a_notebook_alone_serves_a_module(tmp_path):
    (tmp_path / "work.ipynb").write_text(notebook("%matplotlib inline\nimport math", SERVES, "distances()\nprint(1)"))
    got = intake(tmp_path / "work.ipynb", WANTED, tmp_path / "into")
    source = got.modules["knn"]
    assert source.origin == "code cells of work.ipynb" and got.files == ("knn.py",)
    assert source.text == source.path.read_bytes()
    assert b"class Knn" in source.text and b"print" not in source.text and b"matplotlib" not in source.text
    assert "made of the definitions" in str(got.renamed[0])


def test_the_module_lies_beside_its_notebook_and_helpers(taken):
    got = taken({"hw/Work.ipynb": notebook(SERVES), "hw/tools/__init__.py": ""})
    assert got.modules["knn"].path == got.folder / "hw" / "knn.py" and got.root == got.folder / "hw"


def test_a_python_file_goes_before_a_notebook(taken):
    assert taken({"knn.py": SERVES, "work.ipynb": notebook(SERVES)}).modules["knn"].origin == "knn.py"


def test_an_empty_python_file_gives_way_to_a_notebook(taken):
    got = taken({"knn.py": "# see the notebook\n", "work.ipynb": notebook(SERVES)})
    assert got.modules["knn"].origin == "code cells of work.ipynb"
    assert got.modules["knn"].path.read_bytes() == got.modules["knn"].text


def test_a_notebook_that_only_imports_serves_nothing(taken):
    got = taken({"work.ipynb": notebook("from knn import distances, Knn\ndistances()")})
    assert not got.modules and "knn" in got.missing


def test_a_notebook_of_the_modules_name_serves_even_if_little_is_there(tmp_path):
    (tmp_path / "KNN.ipynb").write_text(notebook("def distances(): pass"))
    wanted = {"knn": Wanted("knn.py", (), frozenset({"distances", "b", "c"}))}
    assert "knn" in intake(tmp_path / "KNN.ipynb", wanted, tmp_path / "into").modules


def test_format_3_and_lists_of_lines(taken):
    cell = {"cell_type": "code", "input": ["def distances(): return 1\n", "class Knn: pass"], "language": "python"}
    got = taken({"old.ipynb": json.dumps({"nbformat": 3, "worksheets": [{"cells": [cell]}]})})
    assert "knn" in got.modules


def test_odd_shapes_are_tolerated(taken):
    cells = [
        None,
        3,
        {},
        {"cell_type": "code"},
        {"cell_type": "code", "source": [1, None, "y = 2\n"]},
        {"cell_type": "raw"},
    ]
    good = {"cell_type": "code", "source": SERVES}
    assert "knn" in taken({"odd.ipynb": json.dumps({"cells": [*cells, good], "metadata": 7})}).modules


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"cells": 3}', "[" * 100_000, '{"cells": ' + "9" * 10_000 + "}"])
def test_what_is_no_notebook_is_refused_alone_and_recorded_among_others(taken, tmp_path, text):
    (tmp_path / "bad.ipynb").write_text(text)
    with pytest.raises(IntakeError, match="not a notebook"):
        intake(tmp_path / "bad.ipynb", WANTED, tmp_path / "alone")
    got = taken({"bad.ipynb": text, "knn.py": SERVES})
    assert "knn" in got.modules and "not a notebook" in str(got.ignored[0])


def test_writefile_cells_become_files(taken):
    got = taken(
        {
            "work.ipynb": notebook(
                "%%writefile '/content/drive/My Drive/hw/knn.py'\n" + SERVES,
                "%%writefile -a knn.py\nmore = 1\n",
                "%%writefile tools/extra.py\nz = 1\n",
                "%%writefile ../../up.py\nz = 1\n",
                "%%writefile conftest.py\nz = 1\n",
                "%%writefile data.txt\nz = 1\n",
            )
        }
    )
    assert got.files == ("knn.py", "tools/extra.py", "up.py")
    assert got.modules["knn"].text == (SERVES + "more = 1\n").encode()
    assert got.modules["knn"].origin == "knn.py"


def test_what_stays_and_what_goes():
    space = run(
        "import os, sys\nfrom math import sqrt\nx = load()\nfor i in range(3): train(i)\nassert sqrt(4) == 2",
        "A = 1; B = -2.5; print(A)\nC, D = [A, B], {'k': (A,)}\nE: int = A + 1\nreal = float('inf')",
        "@staticmethod\ndef deco(): pass\nasync def later(): pass\nsquare = lambda v: v * v\nwhile True: pass",
        "if A:\n    flag = 'yes'\nelse:\n    flag = 'no'\nif A:\n    print('side effect')",
        "try:\n    import nothing_of_this_name\nexcept ImportError:\n    nothing_of_this_name = None",
        "with open('/nowhere') as f: pass\ndel A\nraise SystemExit",
    )
    kept = {"os", "sys", "sqrt", "A", "B", "C", "D", "E", "real", "deco", "later", "square", "flag"}
    assert {name for name in space if name[:2] != "__"} == kept | {"nothing_of_this_name"}
    assert space["E"] == 2 and space["flag"] == "yes"


def test_methods_are_put_onto_classes_across_cells():
    space = run(
        "class Knn: pass",
        "def predict(self): return 1\nKnn.predict = predict",
        "def check(self): return 2\nsetattr(Knn, 'check', check)\nKnn.size = staticmethod(lambda: 3)",
        "import os\nos.sep = 'x'\nsetattr(os, 'sep', 'x')",
    )
    knn = space["Knn"]()  # type: ignore[operator]
    assert (knn.predict(), knn.check(), knn.size()) == (1, 2, 3)
    assert "os.sep" not in made("import os\nos.sep = 'x'")


def test_the_later_definition_counts():
    assert run("def f(): return 1", "def f(): return 2")["f"]() == 2  # type: ignore[operator]


def test_a_definition_that_needs_what_was_left_out_does_not_take_others_along():
    module = module_of([Cell(1, "dtype = pick()\ndef f(x=dtype): pass\ndef g(): return dtype\nclass H(Base): pass")])
    assert module.names.defined == {"g"}
    assert "f in code cell 1 was left out: its definition needs dtype" in module.notes[0]
    assert "class H" not in module.text
    assert "class H" in made("from helpers import *\nclass H(Base):\n    def m(self, x: T = 1): pass")


def test_annotations_and_class_bodies_count_as_needs():
    space = run(
        "import typing\nParams = typing.Dict[str, int]\ndef f(p: Params) -> Params: pass",
        "def g(p: Unknown): pass\nclass K:\n    a = 1\n    b = a + 1\n    def m(self, q=b): return [z for z in q]",
    )
    assert "f" in space and "K" in space and "g" not in space


def test_future_imports_move_to_the_top():
    text = made("x = 1", "from __future__ import annotations, print_function\ndef f(a: int): pass")
    assert text.startswith("from __future__ import annotations\n") and text.count("__future__") == 1
    compile(text, "cells", "exec")


def test_a_broken_cell_is_noted_and_takes_no_other_with_it():
    module = module_of([Cell(1, "def f(): pass"), Cell(2, "def g(:\n"), Cell(3, "def h(): pass")])
    assert module.names.defined == {"f", "h"}
    assert "Code cell 2 was left out: SyntaxError" in module.notes[0] and "def g(:" in module.notes[0]


@pytest.mark.parametrize(
    "text",
    [
        "%matplotlib inline\ndef f(): pass",
        "!pip install x\n!!ls\ndef f(): pass",
        "!wget a \\\n  b \\\n  c\ndef f(): pass",
        "files = !ls\nt = %timeit -o g()\ndef f(): pass",
        "?g\ng?\nnp.dot??\n??g\ndef f(): pass",
        "pip install torch\ncd /content\ndef f(): pass",
        "%%time\ndef f(): pass",
        "\n%%capture out\ndef f(): pass",
        "get_ipython().system('ls')\ndef f(): pass",
        "if True:\n    %load_ext autoreload\n    pass\ndef f(): pass",
        "   x = 1\n   def f(): pass",
        "def f():\n    !ls\n    %time g()\n    return 1",
        "def f(): pass;",
        "x = (7\n% 4)\ns = '''\n%magic\n!shell\n'''\ndef f(): return x, s",
        "from google.colab import drive\ndef f(): pass",
    ],
)
def test_ipython_is_stripped(text):
    assert module_of([Cell(1, text)]).names.defined >= {"f"}
    assert not module_of([Cell(1, text)]).notes


def test_what_only_looks_like_ipython_stays():
    space = run("x = (7\n% 4)\ns = '''\n%magic\n!shell\n'''\nt = '#('\ny = 7 \\\n% 5")
    assert (space["x"], space["s"], space["y"]) == (3, "\n%magic\n!shell\n", 2)


@pytest.mark.parametrize("magic", ["bash", "html", "javascript", "R", "latex", "sh"])
def test_cells_in_other_languages_are_dropped_silently(magic):
    module = module_of([Cell(1, f"%%{magic}\nfor f in *; do echo $f; done")])
    assert not module.notes and not module.names.defined


@pytest.mark.parametrize(
    "text", [" " * 150_000 + "x", "%%writefile " + " x" * 100_000, "'''" * 100_001, "a=" * 100_000]
)
def test_long_lines_take_linear_time(text):
    python_of(Cell(1, text))
    module_of([Cell(1, text)])


PIECES = ["def f(x=y): pass", "class K(B):", "    a = 1", "%m", "!s \\", "K.f = f", "x = y", "if x:", "@d", "(", "'''"]
LINES = st.lists(st.sampled_from(PIECES) | st.text(max_size=12), max_size=12)


@settings(max_examples=80, deadline=None)
@given(st.lists(LINES, max_size=4))
def test_whatever_the_cells_hold_the_module_can_be_read(cells):
    module = module_of(Cell(number, "\n".join(lines)) for number, lines in enumerate(cells, 1))
    assert isinstance(parse(module.text), ast.Module)


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.sampled_from(["code", "x = 1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["cells", "worksheets", "cell_type", "source", "input", "a"]), inner, max_size=4
        )
    ),
)


@settings(max_examples=80, deadline=None)
@given(JSON)
def test_whatever_the_json_holds_cells_are_text(document):
    try:
        cells = read_cells(json.dumps(document).encode(), "It", IntakeLimits())
    except IntakeError:
        return
    assert all(isinstance(cell.text, str) for cell in cells)
