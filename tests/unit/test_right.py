"""Other formulations, merged into the reference."""

from __future__ import annotations

from grader.kit.right import merged

REFERENCE = '''\
"""A module."""

import math


def f(x):
    return math.sqrt(x)


class C:
    """A class."""

    def g(self):
        return f(4)

    def h(self):
        return 3
'''
OTHER = '''\
"""In another way."""

from fractions import Fraction


def helper(x):
    return Fraction(x)


def f(x):
    return helper(x) ** 2


class C:
    def h(self):
        return 5
'''


def run(text: str) -> dict[str, object]:
    names: dict[str, object] = {}
    exec(compile(text, "m", "exec"), names)
    return names


def test_functions_and_methods_are_replaced_and_the_rest_stays() -> None:
    names = run(merged(REFERENCE, OTHER))
    both = names["C"]()  # type: ignore[operator]
    assert (both.g(), both.h()) == (16, 5)
