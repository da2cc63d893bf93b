"""A straight line through points."""

from helpers import centred
from vectors import dot


class Line:
    """The line y = slope * x + offset with the smallest sum of squared errors."""

    def __init__(self):
        self.slope = None
        self.offset = None

    def fit(self, x, y):
        """Fits the line to the points x (N,), y (N,). Returns self."""
        # The slope is the inner product of the centred x and y, divided by that of the centred x with itself.
        raise NotImplementedError(
            "Line.fit: The slope is the inner product of the centred x and y, divided by that of the centred x with "
            "itself."
        )

    def predict(self, x):
        """The line's values (N,) at x (N,)."""
        # Put x into the equation of the line.
        raise NotImplementedError("Line.predict: Put x into the equation of the line.")
