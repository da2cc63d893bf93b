"""Checks of the module fitting."""

from gradescope_utils.autograder_utils.decorators import leaderboard, number, tags, visibility, weight


def points(draw):
    x = draw.normal(12)
    return x, 2.0 * x - 1.0 + draw.normal(12, scale=0.1)


@number("4.1")
@weight(3)
def test_line(student, reference, draw, expect):
    """Line.fit finds slope and offset."""
    x, y = points(draw)
    line = student.fitting.Line()
    line.fit(x, y)
    right = reference.fitting.Line().fit(x, y)
    expect(line.slope, "slope").matches(right.slope)
    expect(line.offset, "offset").matches(right.offset)


@number("4.2")
@weight(2)
@tags("chain")
@leaderboard("error", "asc")
def test_prediction(student, reference, draw, expect, set_leaderboard_value=None):
    """Line.fit returns the line itself, so that predict can follow."""
    x, y = points(draw)
    got = student.fitting.Line().fit(x, y).predict(x)
    expect(got, "predict").matches(reference.fitting.Line().fit(x, y).predict(x))
    set_leaderboard_value(float(((got - y) ** 2).mean()))


@number("4.3")
@weight(1)
@visibility("after_due_date")
def test_prediction_elsewhere(student, reference, draw, expect):
    """predict works at points that the line was not fitted to."""
    x, y = points(draw)
    far = draw.normal(3, scale=10.0)
    got = student.fitting.Line().fit(x, y).predict(far)
    expect(got, "predict").matches(reference.fitting.Line().fit(x, y).predict(far))
