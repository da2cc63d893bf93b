"""Checks of the module sums."""

from gradescope_utils.autograder_utils.decorators import number, weight


@number("1.1")
@weight(2)
def test_running_sum(student, reference, draw, expect):
    """running_sum adds up what came so far."""
    x = draw.integers(-9, 9, 7)
    expect(student.sums.running_sum(x), "sums").matches(reference.sums.running_sum(x))


@number("2.1")
@weight(3)
def test_moving_mean(student, reference, draw, expect):
    """moving_mean averages neighbours."""
    x = draw.normal(8)
    expect(student.sums.moving_mean(x, 3), "means").matches(reference.sums.moving_mean(x, 3))
