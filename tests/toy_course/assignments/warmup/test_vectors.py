"""Checks of the module vectors."""

import torch
from gradescope_utils.autograder_utils.decorators import hide_errors, number, partial_credit, visibility, weight


@number("1.1")
@weight(3)
def test_dot(student, reference, draw, expect):
    """dot returns the inner product.

    This second paragraph is for staff.
    """
    x, y = draw.normal(5), draw.normal(5)
    expect(student.vectors.dot(x, y), "dot").matches(reference.vectors.dot(x, y))


@number("1.2")
@weight(1)
def test_dot_of_nothing(student, expect):
    """dot of two empty vectors is 0."""
    nothing = torch.zeros(0, dtype=torch.float64)
    expect(student.vectors.dot(nothing, nothing), "dot").matches(torch.zeros((), dtype=torch.float64))


@number("2.1")
@partial_credit(2)
def test_norms(student, reference, draw, expect, set_score=None):
    """norms returns the length of every row; half of the points for one row alone."""
    X = draw.normal(1, 4)
    expect(student.vectors.norms(X), "norms").matches(reference.vectors.norms(X))
    X = draw.normal(6, 4)
    got = student.vectors.norms(X)
    set_score(2 if torch.is_tensor(got) and got.shape == (6,) else 1)


@number("2.2")
@weight(2)
@visibility("hidden")
@hide_errors("norms fails on matrices of another kind.")
def test_norms_of_long_rows(student, reference, draw, expect):
    """norms works for other sizes."""
    X = draw.normal(3, 40)
    expect(student.vectors.norms(X), "norms").matches(reference.vectors.norms(X))


@number("3.1")
@weight(2)
def test_unit(student, reference, draw, expect):
    """unit returns a vector of length 1."""
    x = draw.normal(5)
    expect(student.vectors.unit(x), "unit").matches(reference.vectors.unit(x))
