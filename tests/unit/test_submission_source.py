"""The text of a submission's source: encodings, line ends, hostile input to the parser."""

from __future__ import annotations

import ast
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.judge.uploads.sourcetext import Fault, definitions, normalised, parse

GREETING = 'x = "é"\n'


def test_starred_arguments_in_brackets_of_their_own_are_read_as_older_pythons_did():
    old = 'def f(x):\n    """f((*x))"""\n    return g((*x.shape), 1) + h((*x)), [(*x, 1)]\n'
    new = 'def f(x):\n    """f((*x))"""\n    return g(*x.shape, 1) + h(*x), [(*x, 1)]\n'
    assert normalised(old.encode()).data.decode() == new
    assert normalised(new.encode()).data.decode() == new
    beyond_help = "x = (*y)\nf((*z))\n"
    assert normalised(beyond_help.encode()).data.decode() == beyond_help


@pytest.mark.parametrize(
    "raw",
    [
        GREETING.encode(),
        b"\xef\xbb\xbf" + GREETING.encode(),
        GREETING.replace("\n", "\r\n").encode(),
        GREETING.replace("\n", "\r").encode(),
    ],
    ids=["plain", "byte order mark", "CRLF", "CR"],
)
def test_utf8_in_all_its_forms_becomes_one(raw):
    assert normalised(raw).data == GREETING.encode()
    assert normalised(raw).fault is None


def test_a_coding_cookie_is_honoured_and_then_rewritten():
    raw = b"#!/usr/bin/python\n# -*- coding: latin-1 -*-\n" + GREETING.encode("latin-1")
    data = normalised(raw).data
    assert b"coding: utf-8" in data
    space: dict[str, object] = {}
    exec(compile(data, "f", "exec"), space)
    assert space["x"] == "é"


def test_what_looks_like_a_cookie_below_code_is_left_alone():
    raw = b"x = 1\n# coding: latin-1\n"
    assert normalised(raw).data == raw


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"x = 1\n\0\n", "NUL byte"),
        (b"x = 1\ny = '\xe9'\n", "byte 0xe9"),
        ("x = 1\n".encode("utf-16"), "UTF-16"),
        (b"# coding: no-such-code\nx = 1\n", "does not know"),
        (b"# coding: utf-7\nx = 1\n", "not accepted"),
        (b"# coding: raw_unicode_escape\n# \\u000aimport os\n", "not accepted"),
        (b"# coding: rot13\nk = 1\n", "Save it as UTF-8"),
        (b"\xef\xbb\xbf# coding: latin-1\nx = 1\n", "Save it as UTF-8"),
    ],
)
def test_what_is_not_plain_text_is_a_fault_with_a_remedy(raw, words):
    read = normalised(raw)
    assert read.data == raw
    assert read.fault is not None and words in str(read.fault)


def test_an_undecodable_byte_is_located():
    fault = normalised(b"x = 1\ny = '\xe9'\n").fault
    assert fault is not None and fault.line == 2 and fault.text == "y = '\\xe9'"


ODD_TEXT = st.text(alphabet=" #\tcoding:=-utf8latin1\r\n\ufeff\fé'!%", max_size=60)


@given(st.binary(max_size=60) | ODD_TEXT.map(str.encode))
def test_normalising_never_raises_and_twice_is_once(raw):
    once = normalised(raw)
    twice = normalised(once.data)
    assert (twice.data, twice.fault) == (once.data, once.fault)
    if once.fault is None:
        once.data.decode()


@pytest.mark.parametrize(
    "text",
    ["+".join("1" * 50_000), "-" * 50_000 + "1", "a" + "()" * 50_000, "(" * 50_000, "lambda:" * 20_000 + "1"],
    ids=["sum", "minus", "calls", "brackets", "lambdas"],
)
def test_nesting_bombs_are_faults(text):
    assert isinstance(parse(text), Fault)


def test_a_format_string_bomb_is_refused_in_time():
    begin = time.process_time()
    assert isinstance(parse("f'" + "{x}" * 100_000 + "'"), Fault)
    assert time.process_time() - begin < 2


@pytest.mark.parametrize("text", ["def f(a, a): pass", "nonlocal x", "x = '\ud800'", "a\0b"])
def test_errors_beyond_grammar_are_faults(text):
    assert isinstance(parse(text), Fault)


def test_warnings_about_source_are_not_raised(recwarn):
    assert isinstance(parse("x = '\\d'\ny = 1 is 1\n"), ast.Module)
    assert not recwarn.list


def test_definitions_are_found_in_branches_too():
    tree = parse(
        "try:\n    import a.b as c, d.e\nexcept E:\n    f = 1\nif x:\n    def g(): h = 2\nfrom z import *\ni: int\n"
    )
    assert isinstance(tree, ast.Module)
    names = definitions(tree)
    assert names.defined == {"f", "g"} and names.imported == {"c", "d"} and names.star
