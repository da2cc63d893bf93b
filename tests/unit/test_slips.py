"""Slips: which small changes are made to a function, what they do, and what is told of them."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path
from types import ModuleType

import pytest
import torch

from grader.contract.assignment import Assignment
from grader.contract.course import Course
from grader.judge.advice.edits import confusions_of, edits_of
from grader.judge.advice.rehearsal import slipped, variant_of
from grader.judge.advice.slips import LOOK_FOR, Slip, common_hint, sentence, slips_of

CODE = compile("pass", "<m>", "exec")


def function_of(text: str) -> ast.FunctionDef:
    found = ast.parse(textwrap.dedent(text)).body[0]
    assert isinstance(found, ast.FunctionDef)
    return found


def changed(body: str) -> set[tuple[str, str]]:
    """Kind and text of every change to a function of one statement."""
    function = function_of(f"def f(x, y):\n    {body}\n")
    before, found = ast.unparse(function), set()
    for edit in edits_of(function):
        with edit.made():
            found.add((edit.kind, ast.unparse(function).partition("\n    ")[2]))
    assert ast.unparse(function) == before
    return found


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        ("return x + y", "sign", "return x - y"),
        ("return x + y", "term", "return x"),
        ("return x - y", "order", "return y - x"),
        ("return -x", "sign", "return x"),
        ("return x * y", "factor", "return y"),
        ("return x * y", "inverse", "return x / y"),
        ("return x / y", "division", "return x"),
        ("return x ** 2", "power", "return x"),
        ("return x @ y", "order", "return y @ x"),
        ("x += y", "overwritten", "x = y"),
        ("x += y", "term", "pass"),
        ("x /= y", "division", "pass"),
        ("x[y] = 0", "left out", "pass"),
        ("x = x - y", "left out", "pass"),
        ("return x > y", "condition", "return x >= y"),
        ("return x > y", "condition", "return x <= y"),
        ("return x if y else 0", "condition", "return x if not y else 0"),
        ("return x and y", "condition", "return x or y"),
        ("return x[1]", "number", "return x[2]"),
        ("return 0.5", "number", "return 0.25"),
        ("return x.sum(dim=0)", "axis", "return x.sum(dim=1)"),
        ("return x.sum(dim=(0, 2))", "axis", "return x.sum(dim=(0,))"),
        ("return x.sum(keepdim=True)", "flag", "return x.sum(keepdim=False)"),
        ("return x.sum()", "mean", "return x.mean()"),
        ("return x.argmax()", "extreme", "return x.argmin()"),
        ("return torch.zeros_like(x)", "start", "return torch.ones_like(x)"),
        ("return torch.randn(x)", "random", "return torch.rand(x)"),
        ("return x.log()", "missing log", "return x"),
        ("return torch.exp(x)", "missing exp", "return x"),
        ("return x.tanh()", "function", "return x.sigmoid()"),
        ("return x.T", "transpose", "return x"),
        ("return x[1:y]", "slice", "return x[:y]"),
    ],
)
def test_small_changes_are_made_and_taken_back(body: str, kind: str, text: str) -> None:
    assert (kind, text) in changed(body)


def test_a_negative_axis_has_no_wrong_sign() -> None:
    assert {kind for kind, _ in changed("return x.sum(dim=-1)")} == {"axis", "mean"}
    assert {kind for kind, _ in changed("return x.shape[-1]")} == {"number"}


def test_every_kind_has_words() -> None:
    bodies = ["x += x.T.sum(dim=0) / -y ** 2.0 @ torch.zeros(1)[1:] * True"]
    assert all(kind in LOOK_FOR or kind.startswith("missing ") for body in bodies for kind, _ in changed(body))


def test_docstrings_and_messages_are_left_alone() -> None:
    function = function_of('def f(x):\n    "1 + 1"\n    raise ValueError(f"{x + 1}")\n')
    assert not list(edits_of(function))


def test_variables_are_taken_for_others_the_likest_first() -> None:
    function = function_of("def f(m_hat, other):\n    m = m_hat\n    return m\n")
    edits = confusions_of(function)
    assert {edit.kind for edit in edits} == {"name"}
    assert all(edit.new.id != "self" for edit in edits)
    with edits[0].made():
        assert "m = m\n" in ast.unparse(function) or "return m_hat" in ast.unparse(function)


# ---- what is told --------------------------------------------------------------------------------------------------


def slip(kind: str, name: str = "") -> Slip:
    return Slip("m.f", 0, kind, name, CODE)


def test_what_all_have_in_common_is_told() -> None:
    assert common_hint([slip("sign", "dW")]) == sentence(["sign"], "dW")
    assert common_hint([slip("sign", "dW"), slip("sign", "loss")]) == sentence(["sign"], "")
    assert common_hint([slip("sign", "dW"), slip("term", "dW")]) == sentence(["sign", "term"], "dW")
    many = [slip(kind, "dW") for kind in ("sign", "term", "factor", "number")]
    assert common_hint(many) == sentence([], "dW")
    assert common_hint([*many, slip("axis", "loss")]) == ""


# ---- on the toy course ---------------------------------------------------------------------------------------------


@pytest.fixture
def warmup() -> Assignment:
    return Course(Path(__file__).parents[1] / "toy_course").assignment("warmup")


def reference_of(assignment: Assignment) -> dict[str, ModuleType]:
    files = {name: assignment.reference / spec.file for name, spec in assignment.content.modules.items()}
    return dict(variant_of(assignment, {name: file.read_text() for name, file in files.items()}))


def test_a_slip_changes_one_function_as_long_as_it_lasts(warmup: Assignment) -> None:
    modules, x = reference_of(warmup), torch.tensor([[3.0, 4.0]])
    missing = [each for each in slips_of("vectors.norms", warmup) if each.kind == "missing sqrt"]
    with slipped(modules, missing[0]) as made:
        assert made
        assert modules["vectors"].norms(x).tolist() == [25.0]
    assert modules["vectors"].norms(x).tolist() == [5.0]


def test_methods_have_slips_and_names_that_students_know(warmup: Assignment) -> None:
    found = slips_of("fitting.Line.fit", warmup)
    assert found
    assert {each.name for each in found} <= {"", "slope", "offset", "x", "y"}
    assert "slope" in {each.name for each in found}
    assert all("dx" not in each.hint for each in found)
    assert len({each.key for each in found}) == len(found)


def test_what_is_no_function_has_no_slips(warmup: Assignment) -> None:
    assert slips_of("nowhere.f", warmup) == ()
    assert slips_of("vectors.nothing", warmup) == ()


def test_no_sentence_holds_text_of_the_reference(warmup: Assignment) -> None:
    for path in ("vectors.dot", "vectors.norms", "vectors.unit", "fitting.Line.fit"):
        assert all("(" not in each.hint and "=" not in each.hint for each in slips_of(path, warmup))
