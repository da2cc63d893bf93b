"""Checks of A2, first part: linear classifiers, the SVM and softmax losses and their training.

Right answers differ in many ways that no check asks about: a loss may be a float or a tensor of shape (), W may be
updated in place or not, accuracies of test_one_param_set may be fractions or percentages, batches come in any order.
"""

import numpy as np
import pytest
import torch
from gradescope_utils.autograder_utils.decorators import hide_errors, number, visibility, weight

from grader.contract.verdict import CheckFailed, Explanation

PARTS = ("loss", "dW")
LOSS, GRADIENT = 0, 1
LARGER_DRAW = "A second draw with larger sizes came out wrong. Compare your function with the naive version."


# ---- helpers: losses -----------------------------------------------------------------------------------------------


def problem(draw, *, n=7, d=6, c=4, dtype=torch.float64):
    """A linear problem with some hinge margins above 0, and none so close to it that rounding decides."""
    while True:
        W, X, y = draw.linear_problem(n=n, d=d, c=c, dtype=dtype)
        scores = X @ W
        margins = scores - scores.gather(1, y[:, None]) + 1
        if margins.abs().min() > 1e-4 and (margins > 0).sum() > n:
            return W, X, y


def loss_and_gradient(got):
    """The two results of a loss function. A gradient that was never computed fails every check of its function."""
    if type(got) not in (tuple, list) or len(got) != 2:
        raise CheckFailed("The function should return two things, the loss and dW.")
    if got[1] is None or (torch.is_tensor(got[1]) and not got[1].any()):
        raise CheckFailed("The gradient dW is still zero everywhere, as if it was not computed yet.")
    return got


class Losses:
    """Checks of one loss function against the right one.

    Most of them ask about one thing only, and leave out of account what is wrong anyway: where the loss is right and
    the gradient is not, they look at the loss, and the other way round.
    """

    def __init__(self, function, right, draw, expect):
        self.function, self.right, self.draw, self.expect = function, right, draw, expect

    def _compare(self, got, expected, part, *, dtype=False, sizes=None):
        self.expect(loss_and_gradient(got)[part], PARTS[part]).matches(expected[part], dtype=dtype, sizes=sizes)

    def _right_parts(self):
        """Which of loss and gradient are right for an ordinary problem; fails where none is."""
        W, X, y = problem(self.draw)
        got, parts = self.function(W, X, y, 0.0), []
        for part in (LOSS, GRADIENT):
            try:
                self._compare(got, self.right(W, X, y, 0.0), part)
                parts.append(part)
            except CheckFailed as failure:
                problem_of_part = failure
        if not parts:
            raise problem_of_part
        return parts

    def part(self, part, gradients=None):
        """The loss or the gradient, without regularisation."""
        W, X, y = problem(self.draw)
        expected, sizes = self.right(W, X, y, 0.0), {"N": len(X), "D": len(W), "C": W.shape[1]}
        try:
            self._compare(self.function(W, X, y, 0.0), expected, part, sizes=sizes)
        except CheckFailed:
            # Slopes of the submission's own loss cost many calls, and are only needed to explain a wrong gradient.
            if gradients is not None:
                exact = {"W": expected[GRADIENT]}
                gradients.loss(
                    lambda W: self.function(W, X, y, 0.0), at={"W": W}, exact=exact, dtype=False, sizes=sizes
                )
            raise
        # As many features as classes: a transposed result has the right shape there.
        W, X, y = problem(self.draw, d=5, c=5)
        self._compare(self.function(W, X, y, 0.0), self.right(W, X, y, 0.0), part)

    def regularisation(self):
        """What reg adds to the loss and to the gradient."""
        W, X, y = problem(self.draw)
        without = self._numbers(W, X, y, 0.0)
        for reg in (0.7, 3.0):
            added = [one - other for one, other in zip(self._numbers(W, X, y, reg), without, strict=True)]
            expected = (reg * (W * W).sum(), 2 * reg * W)
            self.expect(added, ("what reg adds to the loss", "what reg adds to dW")).matches(
                expected, rtol=1e-5, atol=1e-5, dtype=False
            )

    def _numbers(self, W, X, y, reg):
        loss, dW = loss_and_gradient(self.function(W, X, y, reg))
        self.expect(loss, "loss").has_shape().is_finite()
        self.expect(dW, "dW").has_shape(*W.shape).is_finite()
        return torch.as_tensor(loss).double(), torch.as_tensor(dW).double()

    def small(self):
        """Float32 throughout, then a single row, which survives no squeeze() of the wrong axis."""
        parts = self._right_parts()
        for n, dtype in ((6, torch.float32), (1, torch.float64)):
            W, X, y = problem(self.draw, n=n, dtype=dtype)
            got = self.function(W, X, y, 0.0)
            for part in parts:
                narrow = part == GRADIENT and dtype is torch.float32
                self._compare(got, self.right(W, X, y, 0.0), part, dtype=narrow)

    def ties(self):
        """Two classes with the same weights: rows of one have the same score for the other."""
        parts, (W, X, y) = self._right_parts(), problem(self.draw)
        W[:, 1], y[:2] = W[:, 0], torch.tensor([0, 1])
        got = self.function(W, X, y, 0.0)
        for part in parts:
            self._compare(got, self.right(W, X, y, 0.0), part)

    def inputs(self):
        """W, X and y after the call."""
        parts, (W, X, y) = self._right_parts(), problem(self.draw)
        got, after = self.function.observed(W.clone(), X.clone(), y.clone(), 0.0)
        for part in parts:
            self._compare(got, self.right(W, X, y, 0.0), part)
        for name, value, original in zip(("W", "X", "y"), after, (W, X, y), strict=False):
            self.expect(value, name).is_unchanged_from(original)

    def offset(self):
        """Scores far from zero but close to each other: exp of them is infinite or zero, softmax of them is not."""
        parts = self._right_parts()
        for offset in (1000.0, -1000.0):
            W, X, y = problem(self.draw)
            X[:, -1], W[-1] = 1.0, W[-1] + offset
            got = self.function(W, X, y, 0.0)
            for part in parts:
                self._compare(got, self.right(W, X, y, 0.0), part)
        # Far from each other, too, in some rows: there the right class is 1,500 above the others, and the loss is 0
        # however it is computed, but for a shift by another score than the largest.
        W, X, y = problem(self.draw)
        above = 1500 * torch.nn.functional.one_hot(y, W.shape[1])
        above[2:] = 0
        X, W = torch.cat([X, above], dim=1), torch.cat([W, torch.eye(W.shape[1], dtype=W.dtype)])
        got = self.function(W, X, y, 0.0)
        for part in parts:
            self._compare(got, self.right(W, X, y, 0.0), part)

    def cost(self, cost):
        """The sizes of the real problem, where finite differences take 30,730 evaluations of the loss."""
        parts, (W, X, y) = self._right_parts(), problem(self.draw, n=8, d=3073, c=10)
        spent = cost(self.function, W, X, y, 0.0)
        for part in parts:
            self._compare(spent.result, self.right(W, X, y, 0.0), part)
        spent.require_below(
            3.0,
            "The function takes far too long for the real problem. Compute the gradient from its formula, not by "
            "changing one weight after the other.",
            "less than 3 seconds for 8 rows, 3,073 features and 10 classes",
        )

    def larger(self):
        """A second draw of another size."""
        parts, (W, X, y) = self._right_parts(), problem(self.draw, n=40, d=30, c=11)
        got = self.function(W, X, y, 0.0)
        for part in parts:
            self._compare(got, self.right(W, X, y, 0.0), part)

    def no_loop(self, rules):
        """No loop over rows, features or classes."""
        self._right_parts()
        small, large = problem(self.draw, n=4, d=4, c=3), problem(self.draw, n=32, d=32, c=24)
        rules.traced(self.function, *small, 0.0)
        rules.vectorised(self.function, small=(*small, 0.0), large=(*large, 0.0))


def svm_losses(function, reference, draw, expect):
    return Losses(function, reference.linear_classifier.svm_loss_vectorized, draw, expect)


def softmax_losses(function, reference, draw, expect):
    return Losses(function, reference.linear_classifier.softmax_loss_vectorized, draw, expect)


# ---- helpers: training ---------------------------------------------------------------------------------------------


class ConstantSlope:
    """A loss with the same gradient everywhere: what training makes of it is known, whatever rows it draws."""

    def __init__(self, draw, gradient):
        self.gradient = gradient
        self.first = 10.0 + float(draw.uniform(1))
        self.calls = []

    def loss(self, W, X, y, reg=None):
        self.calls.append((W, X, y, reg))
        return torch.tensor(self.losses(len(self.calls))[-1], dtype=torch.float64), self.gradient

    def losses(self, count):
        return [self.first - 0.0625 * i for i in range(count)]


def train_on_slope(student, expect, slope, *, W, X, y, **settings):
    """Train on a constant slope, and make sure that W was moved. Returns W and the loss history."""
    got = student.linear_classifier.train_linear_classifier(slope.loss, W, X, y, **settings)
    W_after, history = pair(got)
    steps = settings.get("num_iters", 100)
    if len(slope.calls) != steps:
        raise CheckFailed(f"The loss function was called {len(slope.calls)} times in {steps} iterations.")
    start = slope.calls[0][0]
    expect(start, "W in the first iteration").has_shape(*slope.gradient.shape).is_finite()
    expect(W_after, "W").has_shape(*slope.gradient.shape).is_finite()
    if torch.equal(torch.as_tensor(W_after).double(), torch.as_tensor(start).double()):
        raise CheckFailed("W is the same after training as before.")
    return W_after, history


def pair(got):
    if type(got) not in (tuple, list) or len(got) != 2:
        raise CheckFailed("The function should return two things, W and loss_history.")
    return got


def expect_history(expect, history, count):
    """``count`` finite losses in a list."""
    if type(history) is not list or len(history) != count:
        raise CheckFailed(f"loss_history should be a list with one loss per iteration, here {count}.")
    for value in history:
        expect(value, "loss").has_shape().is_finite()


def drawn_rows(expect, got, size, num_train):
    """The numbers of the rows in a batch, where the labels are these numbers."""
    if type(got) not in (tuple, list) or len(got) != 2:
        raise CheckFailed("A batch should be two things, X_batch and y_batch.")
    expect(got[1], "y_batch").has_shape(size).is_between(0, num_train - 1)
    expect(got[0], "X_batch").has_shape(size, None)
    return torch.as_tensor(got[1]).long()


def expect_batch(expect, got, X, size):
    """``size`` rows of X with their labels, which are the numbers of the rows. Returns these numbers."""
    numbers = drawn_rows(expect, got, size, len(X))
    expect(got[0], "X_batch").matches(X[numbers], dtype=False)
    return numbers


def separable(draw, n=60, d=5, c=3, dtype=torch.float64):
    """Rows around c centres far apart; the last feature is 1, so that a linear classifier has a bias."""
    y = draw.labels(n, c)
    X = 4.0 * torch.eye(d, dtype=dtype)[y] + draw.normal(n, d, dtype=dtype, scale=0.3)
    X[:, -1] = 1.0
    return X, y


def expect_trained(expect, history, num_iters, *, W, X, y):
    """The losses ended well below where they began, and the weights tell the classes apart."""
    expect_history(expect, history, num_iters)
    early, late = sum(map(float, history[:3])) / 3, sum(map(float, history[-3:])) / 3
    expect(late, "mean of the last three losses").is_between(0.0, 0.6 * early)
    expect(W, "W").has_shape(X.shape[1], int(y.max()) + 1).is_finite()
    right = (X @ torch.as_tensor(W).to(X.dtype)).argmax(dim=1) == y
    expect(float(right.double().mean()), "accuracy on the training rows").is_between(0.95, 1.0)


# ---- helpers: searching --------------------------------------------------------------------------------------------


# Weights with which the label of a row is the number in its first feature; the second feature is always 1.
TELLING = torch.tensor([[0.0, 2.0, 4.0], [0.0, -1.0, -4.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]).double()


class Dummy:
    """What test_one_param_set is handed instead of a classifier: notes how it is trained, predicts what is known."""

    def __init__(self):
        self.W = None
        self.trainings = []

    # The signatures are those that students know.
    def train(self, X_train, y_train, learning_rate=1e-3, reg=1e-5, num_iters=100, batch_size=200, verbose=False):
        self.trainings.append((X_train, y_train, learning_rate, reg, num_iters))
        self.W = TELLING.clone()
        return [1.0] * num_iters

    def train_by_function(self, loss_func, W, X, y, learning_rate=1e-3, reg=1e-5, num_iters=100, *_, **__):
        """Stands for train_linear_classifier, which may be called where cls.train would call it."""
        return TELLING.clone(), self.train(X, y, learning_rate, reg, num_iters)

    def predict(self, X):
        """The first feature, which tells the label; before training, always 0."""
        return X[:, 0].long() if self.trainings else torch.zeros(len(X), dtype=torch.int64)

    def loss(self, W, X_batch, y_batch, reg):
        return torch.tensor(1.0), torch.zeros_like(W)


def one_set(student, data, *args, **settings):
    """The Dummy that test_one_param_set has trained, one way or the other, and what it returned."""
    dummy, path = Dummy(), "linear_classifier.train_linear_classifier"
    cls = student.standin(dummy, "train", "predict", "loss", "W")
    if not student.missing(path):
        student.replace(path, dummy.train_by_function)
    return dummy, result_of_search(student.linear_classifier.test_one_param_set(cls, data, *args, **settings))


def labelled_data(draw):
    """Data of which a Dummy labels more than half of the training rows correctly, and less of the validation rows.

    Returns the data, and both shares.
    """
    data, wrong_train, wrong_val = {}, int(draw.integers(2, 9)), int(draw.integers(8, 13))
    for part, n, wrong in (("train", 20, wrong_train), ("val", 15, wrong_val), ("test", 10, 9)):
        y = draw.labels(n, 3)
        told = y.clone()
        told[:wrong] = (told[:wrong] + 1) % 3
        data[f"X_{part}"] = torch.cat([told[:, None].double(), torch.ones(n, 1).double(), draw.normal(n, 2)], dim=1)
        data[f"y_{part}"] = y
    return data, 1 - wrong_train / 20, 1 - wrong_val / 15


def result_of_search(got):
    if type(got) not in (tuple, list) or len(got) != 3:
        raise CheckFailed("The function should return three things: cls, train_acc and val_acc.")
    return got


def expect_accuracy(expect, value, low, high, name):
    """An accuracy as a fraction from ``low`` to ``high``, or the same in percent."""
    expect(value, name).has_shape().is_between(0.0, 100.001)
    fraction = float(value) if float(value) <= 1 else float(value) / 100
    expect(fraction, name).is_between(low - 1e-6, high + 1e-6)


def candidates(got):
    """The two lists of a search grid, as lists of numbers."""
    if type(got) not in (tuple, list) or len(got) != 2:
        raise CheckFailed("The function should return two lists, learning_rates and regularization_strengths.")
    lists = [values.tolist() if isinstance(values, (torch.Tensor, np.ndarray)) else values for values in got]
    if not all(type(values) in (tuple, list) and values for values in lists):
        raise CheckFailed("Each of the two results should be a list with at least one number in it.")
    return lists


def check_grid(function, expect):
    learning_rates, strengths = candidates(function())
    for values, name, low in ((learning_rates, "learning rate", 1e-12), (strengths, "regularization strength", 0.0)):
        for value in values:
            expect(value, name).has_shape().is_between(low, 1e12)


def check_grid_size(function):
    learning_rates, strengths = candidates(function())
    pairs = len(learning_rates) * len(strengths)
    if not 5 <= pairs <= 25:
        raise CheckFailed(
            Explanation("The two lists should give 5 to 25 pairs in all.", "5 to 25 pairs", f"{pairs} pairs")
        )


# ---- 1. svm_loss_naive -----------------------------------------------------------------------------------------------


@number("1.1")
@weight(1.5)
@visibility("visible")
def test_svm_naive_loss(student, reference, draw, expect):
    """svm_loss_naive returns the mean hinge loss of the rows."""
    svm_losses(student.linear_classifier.svm_loss_naive, reference, draw, expect).part(LOSS)


@number("1.2")
@weight(2.5)
@visibility("visible")
def test_svm_naive_gradient(student, reference, draw, expect, gradients):
    """svm_loss_naive returns dW, the gradient of its loss."""
    svm_losses(student.linear_classifier.svm_loss_naive, reference, draw, expect).part(GRADIENT, gradients)


@number("1.3")
@weight(1)
@visibility("visible")
def test_svm_naive_regularisation(student, reference, draw, expect):
    """svm_loss_naive adds reg * sum(W * W) to the loss, and the gradient of that to dW."""
    svm_losses(student.linear_classifier.svm_loss_naive, reference, draw, expect).regularisation()


@number("1.4")
@weight(1)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=6)
def test_svm_naive_cost(student, reference, draw, expect, cost):
    """svm_loss_naive computes the gradient from its formula, fast enough for images."""
    svm_losses(student.linear_classifier.svm_loss_naive, reference, draw, expect).cost(cost)


@number("1.5")
@weight(1)
@visibility("visible")
def test_svm_naive_small(student, reference, draw, expect):
    """svm_loss_naive works in float32, with a single row, and where two scores are the same."""
    losses = svm_losses(student.linear_classifier.svm_loss_naive, reference, draw, expect)
    losses.small()
    losses.ties()


@number("1.6")
@weight(1)
@visibility("visible")
def test_svm_naive_inputs(student, reference, draw, expect):
    """svm_loss_naive leaves W, X and y as they were."""
    svm_losses(student.linear_classifier.svm_loss_naive, reference, draw, expect).inputs()


# ---- 2. svm_loss_vectorized ------------------------------------------------------------------------------------------


@number("2.1")
@weight(1.5)
@visibility("visible")
def test_svm_vectorized_loss(student, reference, draw, expect):
    """svm_loss_vectorized returns the mean hinge loss of the rows."""
    svm_losses(student.linear_classifier.svm_loss_vectorized, reference, draw, expect).part(LOSS)


@number("2.2")
@weight(3)
@visibility("visible")
def test_svm_vectorized_gradient(student, reference, draw, expect, gradients):
    """svm_loss_vectorized returns dW, the gradient of its loss."""
    svm_losses(student.linear_classifier.svm_loss_vectorized, reference, draw, expect).part(GRADIENT, gradients)


@number("2.3")
@weight(1)
@visibility("visible")
def test_svm_vectorized_regularisation(student, reference, draw, expect):
    """svm_loss_vectorized adds reg * sum(W * W) to the loss, and the gradient of that to dW."""
    svm_losses(student.linear_classifier.svm_loss_vectorized, reference, draw, expect).regularisation()


@number("2.4")
@weight(1.5)
@visibility("visible")
def test_svm_vectorized_has_no_loop(student, reference, draw, expect, rules):
    """svm_loss_vectorized works without a Python loop."""
    svm_losses(student.linear_classifier.svm_loss_vectorized, reference, draw, expect).no_loop(rules)


@number("2.5")
@weight(1)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=6)
def test_svm_vectorized_cost(student, reference, draw, expect, cost):
    """svm_loss_vectorized computes the gradient from its formula, fast enough for images."""
    svm_losses(student.linear_classifier.svm_loss_vectorized, reference, draw, expect).cost(cost)


@number("2.6")
@weight(1)
@visibility("visible")
def test_svm_vectorized_small(student, reference, draw, expect):
    """svm_loss_vectorized works in float32, with a single row, and where two scores are the same."""
    losses = svm_losses(student.linear_classifier.svm_loss_vectorized, reference, draw, expect)
    losses.small()
    losses.ties()


@number("2.7")
@weight(1)
@visibility("visible")
def test_svm_vectorized_inputs(student, reference, draw, expect):
    """svm_loss_vectorized leaves W, X and y as they were."""
    svm_losses(student.linear_classifier.svm_loss_vectorized, reference, draw, expect).inputs()


# ---- 3. softmax_loss_naive -------------------------------------------------------------------------------------------


@number("3.1")
@weight(1.5)
@visibility("visible")
def test_softmax_naive_loss(student, reference, draw, expect):
    """softmax_loss_naive returns the mean cross-entropy of the rows."""
    softmax_losses(student.linear_classifier.softmax_loss_naive, reference, draw, expect).part(LOSS)


@number("3.2")
@weight(2.5)
@visibility("visible")
def test_softmax_naive_gradient(student, reference, draw, expect, gradients):
    """softmax_loss_naive returns dW, the gradient of its loss."""
    softmax_losses(student.linear_classifier.softmax_loss_naive, reference, draw, expect).part(GRADIENT, gradients)


@number("3.3")
@weight(1)
@visibility("visible")
def test_softmax_naive_regularisation(student, reference, draw, expect):
    """softmax_loss_naive adds reg * sum(W * W) to the loss, and the gradient of that to dW."""
    softmax_losses(student.linear_classifier.softmax_loss_naive, reference, draw, expect).regularisation()


@number("3.4")
@weight(1)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=6)
def test_softmax_naive_cost(student, reference, draw, expect, cost):
    """softmax_loss_naive computes the gradient from its formula, fast enough for images."""
    softmax_losses(student.linear_classifier.softmax_loss_naive, reference, draw, expect).cost(cost)


@number("3.5")
@weight(1)
@visibility("visible")
def test_softmax_naive_large_scores(student, reference, draw, expect):
    """softmax_loss_naive stays finite when all scores are very large or very small."""
    softmax_losses(student.linear_classifier.softmax_loss_naive, reference, draw, expect).offset()


@number("3.6")
@weight(1)
@visibility("visible")
def test_softmax_naive_small(student, reference, draw, expect):
    """softmax_loss_naive works in float32, with a single row, and leaves its inputs as they were."""
    softmax_losses(student.linear_classifier.softmax_loss_naive, reference, draw, expect).small()
    softmax_losses(student.linear_classifier.softmax_loss_naive, reference, draw, expect).inputs()


# ---- 4. softmax_loss_vectorized --------------------------------------------------------------------------------------


@number("4.1")
@weight(1.5)
@visibility("visible")
def test_softmax_vectorized_loss(student, reference, draw, expect):
    """softmax_loss_vectorized returns the mean cross-entropy of the rows."""
    softmax_losses(student.linear_classifier.softmax_loss_vectorized, reference, draw, expect).part(LOSS)


@number("4.2")
@weight(2.5)
@visibility("visible")
def test_softmax_vectorized_gradient(student, reference, draw, expect, gradients):
    """softmax_loss_vectorized returns dW, the gradient of its loss."""
    softmax_losses(student.linear_classifier.softmax_loss_vectorized, reference, draw, expect).part(GRADIENT, gradients)


@number("4.3")
@weight(1)
@visibility("visible")
def test_softmax_vectorized_regularisation(student, reference, draw, expect):
    """softmax_loss_vectorized adds reg * sum(W * W) to the loss, and the gradient of that to dW."""
    softmax_losses(student.linear_classifier.softmax_loss_vectorized, reference, draw, expect).regularisation()


@number("4.4")
@weight(1.5)
@visibility("visible")
def test_softmax_vectorized_has_no_loop(student, reference, draw, expect, rules):
    """softmax_loss_vectorized works without a Python loop."""
    softmax_losses(student.linear_classifier.softmax_loss_vectorized, reference, draw, expect).no_loop(rules)


@number("4.5")
@weight(0.5)
@visibility("hidden")
@hide_errors(LARGER_DRAW)
def test_softmax_vectorized_larger(student, reference, draw, expect):
    """softmax_loss_vectorized is right for larger problems, too."""
    softmax_losses(student.linear_classifier.softmax_loss_vectorized, reference, draw, expect).larger()


@number("4.6")
@weight(1)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=6)
def test_softmax_vectorized_cost(student, reference, draw, expect, cost):
    """softmax_loss_vectorized computes the gradient from its formula, fast enough for images."""
    softmax_losses(student.linear_classifier.softmax_loss_vectorized, reference, draw, expect).cost(cost)


@number("4.7")
@weight(1)
@visibility("visible")
def test_softmax_vectorized_large_scores(student, reference, draw, expect):
    """softmax_loss_vectorized stays finite when all scores are very large or very small."""
    softmax_losses(student.linear_classifier.softmax_loss_vectorized, reference, draw, expect).offset()


@number("4.8")
@weight(1)
@visibility("visible")
def test_softmax_vectorized_small(student, reference, draw, expect):
    """softmax_loss_vectorized works in float32, with a single row, and leaves its inputs as they were."""
    softmax_losses(student.linear_classifier.softmax_loss_vectorized, reference, draw, expect).small()
    softmax_losses(student.linear_classifier.softmax_loss_vectorized, reference, draw, expect).inputs()


# ---- 5. sample_batch -----------------------------------------------------------------------------------------------


@number("5.1")
@weight(2)
@visibility("visible")
def test_sample_batch_rows(student, draw, expect):
    """sample_batch returns batch_size rows of X together with their own labels."""
    X, y = draw.normal(30, 4), torch.arange(30)
    expect_batch(expect, student.linear_classifier.sample_batch(X, y, 30, 12), X, size=12)


@number("5.2")
@weight(1.5)
@visibility("visible")
def test_sample_batch_reaches_all(student, draw, expect):
    """sample_batch draws anew in every call, and sooner or later draws every row."""
    X, y = draw.normal(5, 2), torch.arange(5)
    seen = set()
    for _ in range(40):
        seen |= set(drawn_rows(expect, student.linear_classifier.sample_batch(X, y, 5, 3), 3, 5).tolist())
    never = sorted(set(range(5)) - seen)
    if never:
        raise CheckFailed(f"In 40 batches of 3 out of 5 rows, these rows were never drawn: {never}.")


@number("5.3")
@weight(0.5)
@visibility("visible")
def test_sample_batch_replacement(student, draw, expect):
    """sample_batch draws with replacement, so that a batch may hold a row twice."""
    X, y = draw.normal(60, 2), torch.arange(60)
    drawn = drawn_rows(expect, student.linear_classifier.sample_batch(X, y, 60, 60), 60, 60)
    different = len(set(drawn.tolist()))
    if different == 60:
        raise CheckFailed("A batch of 60 out of 60 rows held every row exactly once: it was drawn without replacement.")
    expect(different, "number of different rows in a batch of 60 out of 60").is_between(20, 59)


@number("5.4")
@weight(1)
@visibility("visible")
def test_sample_batch_dtype(student, draw, expect):
    """sample_batch keeps the dtypes of X and y."""
    for dtype in (torch.float32, torch.float64):
        X, y = draw.normal(200, 3, dtype=dtype), torch.arange(200)
        got = student.linear_classifier.sample_batch(X, y, 200, 20)
        drawn = drawn_rows(expect, got, 20, 200)
        expect(len(set(drawn.tolist())), "number of different rows in a batch").is_between(2, 20)
        for name, given, original in zip(("X_batch", "y_batch"), got, (X, y), strict=True):
            if not torch.is_tensor(given) or given.dtype != original.dtype:
                raise CheckFailed(f"{name} should be a tensor of dtype {original.dtype}, like the data.")


# ---- 6. train_linear_classifier ------------------------------------------------------------------------------------


@number("6.1")
@weight(3)
@visibility("visible")
def test_train_steps(student, draw, expect):
    """train_linear_classifier takes one step of size learning_rate against the gradient in every iteration."""
    slope, X, y = ConstantSlope(draw, draw.normal(4, 3)), draw.normal(20, 4), draw.labels(20, 3)
    W, settings = draw.normal(4, 3), {"learning_rate": 0.125, "num_iters": 7, "batch_size": 5}
    W_after, _ = train_on_slope(student, expect, slope, W=W, X=X, y=y, **settings)
    for step, (seen, *_) in enumerate([*slope.calls, (W_after,)]):
        expected = W - 0.125 * step * slope.gradient
        expect(seen, f"W after {step} iterations").matches(expected, rtol=1e-6, dtype=False)


@number("6.2")
@weight(1.5)
@visibility("visible")
def test_train_history(student, draw, expect):
    """train_linear_classifier returns the loss of every iteration, as floats in a list."""
    slope, X, y = ConstantSlope(draw, draw.normal(4, 3)), draw.normal(20, 4), draw.labels(20, 3)
    settings = {"learning_rate": 0.1, "num_iters": 9, "batch_size": 5}
    _, history = train_on_slope(student, expect, slope, W=draw.normal(4, 3), X=X, y=y, **settings)
    expect_history(expect, history, 9)
    expect(history, "loss_history").matches(slope.losses(9), dtype=False)
    if any(torch.is_tensor(value) for value in history):
        raise CheckFailed("loss_history should hold floats: append loss.item(), not the tensor.")


@number("6.3")
@weight(1.5)
@visibility("visible")
def test_train_batches(student, draw, expect):
    """train_linear_classifier hands loss_func a fresh batch and reg; by default 200 rows, 100 times, with reg 1e-5."""
    X, y = draw.normal(250, 3), torch.arange(250)
    for settings in ({"num_iters": 4, "batch_size": 6, "reg": 0.25}, {}):
        slope = ConstantSlope(draw, draw.normal(3, 2))
        train_on_slope(student, expect, slope, W=draw.normal(3, 2), X=X, y=y, **settings)
        batches = [
            expect_batch(expect, (rows, labels), X, settings.get("batch_size", 200))
            for _, rows, labels, _ in slope.calls
        ]
        if all(torch.equal(batch, batches[0]) for batch in batches):
            raise CheckFailed("Every iteration got the same batch. Draw a new one in each.")
        for _, _, _, reg in slope.calls:
            expect(reg, "reg").matches(settings.get("reg", 1e-5))


@number("6.4")
@weight(1)
@visibility("visible")
def test_train_from_none(student, draw, expect):
    """train_linear_classifier begins with small random weights, a column per class, where W is None."""
    slope, X, y = ConstantSlope(draw, draw.normal(40, 6)), draw.normal(30, 40), draw.labels(30, 6)
    train_on_slope(student, expect, slope, W=None, X=X, y=y, num_iters=2, batch_size=10)
    spread = float(torch.as_tensor(slope.calls[0][0]).double().std())
    expect(spread, "standard deviation of the initial W").is_between(0.7e-6, 1.3e-6)


@number("6.5")
@weight(2)
@visibility("visible")
def test_train_learns(student, reference, draw, expect):
    """train_linear_classifier learns to tell well separated classes apart, given a right loss function."""
    X, y = separable(draw)
    loss = reference.linear_classifier.softmax_loss_vectorized
    settings = {"learning_rate": 0.1, "reg": 1e-4, "num_iters": 30, "batch_size": 20}
    W = draw.normal(5, 3, scale=0.01)
    W, history = pair(student.linear_classifier.train_linear_classifier(loss, W, X, y, **settings))
    expect_trained(expect, history, 30, W=W, X=X, y=y)


@number("6.6")
@weight(1)
@visibility("visible")
def test_classifier_objects(student, draw, expect, note):
    """LinearSVM and Softmax learn with your own functions, and predict the same after save and load."""
    X, y = separable(draw)
    for name in ("LinearSVM", "Softmax"):
        model, path = getattr(student.linear_classifier, name)(), student.scratch_path(f"{name}.pt")
        history = model.train(X, y, learning_rate=0.05, reg=1e-4, num_iters=40, batch_size=20)
        W = model.W
        expect_trained(expect, history, 40, W=W, X=X, y=y)
        if student.missing(f"linear_classifier.{name}.save"):
            expect(model.predict(X), "y_pred").matches((X @ W.to(X.dtype)).argmax(dim=1), dtype=False)
            note("Your classifiers have no save and load: their weights cannot be handed in.")
            continue
        model.save(path)
        expect(student.checkpoint(path), "checkpoint").matches({"W": W})
        other = getattr(student.linear_classifier, name)()
        other.load(path)
        expect(other.predict(X), "y_pred").matches((X @ W.to(X.dtype)).argmax(dim=1), dtype=False)


# ---- 7. predict_linear_classifier ----------------------------------------------------------------------------------


@number("7.1")
@weight(2)
@visibility("visible")
def test_predict(student, draw, expect):
    """predict_linear_classifier returns the class with the highest score for every row."""
    W, X, _ = problem(draw, n=20, d=5, c=6)
    got = student.linear_classifier.predict_linear_classifier(W, X)
    expect(got, "y_pred").matches((X @ W).argmax(dim=1), dtype=False)


@number("7.2")
@weight(1)
@visibility("visible")
def test_predict_negative_scores(student, draw, expect):
    """predict_linear_classifier finds the highest score among negative ones, too."""
    W, X, _ = problem(draw, n=20, d=5, c=6)
    X[:, -1], W[-1] = 1.0, W[-1] - 50.0
    got = student.linear_classifier.predict_linear_classifier(W, X)
    expect(got, "y_pred").matches((X @ W).argmax(dim=1), dtype=False)


@number("7.3")
@weight(1)
@visibility("visible")
def test_predict_int64(student, draw, expect):
    """predict_linear_classifier returns an int64 tensor."""
    W, X, _ = problem(draw, n=20, d=5, c=6)
    got = student.linear_classifier.predict_linear_classifier(W, X)
    expect(got, "y_pred").matches((X @ W).argmax(dim=1), dtype=False)
    if not torch.is_tensor(got) or got.dtype != torch.int64:
        raise CheckFailed("The labels are right, but they should be an int64 tensor, like y.")


# ---- 8. and 9. search grids ----------------------------------------------------------------------------------------


@number("8.1")
@weight(1)
@visibility("visible")
def test_svm_grid(student, expect):
    """svm_get_search_params returns positive learning rates, and regularization strengths, in two lists."""
    check_grid(student.linear_classifier.svm_get_search_params, expect)


@number("8.2")
@weight(1)
@visibility("visible")
def test_svm_grid_size(student):
    """svm_get_search_params gives 5 to 25 pairs."""
    check_grid_size(student.linear_classifier.svm_get_search_params)


@number("9.1")
@weight(1)
@visibility("visible")
def test_softmax_grid(student, expect):
    """softmax_get_search_params returns positive learning rates, and regularization strengths, in two lists."""
    check_grid(student.linear_classifier.softmax_get_search_params, expect)


@number("9.2")
@weight(1)
@visibility("visible")
def test_softmax_grid_size(student):
    """softmax_get_search_params gives 5 to 25 pairs."""
    check_grid_size(student.linear_classifier.softmax_get_search_params)


# ---- 10. test_one_param_set ----------------------------------------------------------------------------------------


@number("10.1")
@weight(2)
@visibility("visible")
def test_one_set_trains(student, draw, expect):
    """test_one_param_set trains cls on the training set with the given lr, reg and num_iters, and returns it."""
    data, _, _ = labelled_data(draw)
    for settings in ({"num_iters": 7}, {}):
        lr, reg = float(draw.uniform(1)), float(draw.uniform(1))
        dummy, got = one_set(student, data, lr, reg, **settings)
        if not dummy.trainings:
            raise CheckFailed("cls was never trained: cls.train was not called.")
        given = (data["X_train"], data["y_train"], lr, reg, settings.get("num_iters", 2000))
        expect(dummy.trainings[-1], ("X_train", "y_train", "learning_rate", "reg", "num_iters")).matches(given)
        if got[0] is not dummy:
            raise CheckFailed("The first of the three results should be cls itself, the object that was trained.")


@number("10.2")
@weight(2)
@visibility("visible")
def test_one_set_accuracies(student, draw, expect):
    """test_one_param_set returns the accuracies on the training and on the validation set."""
    data, train_acc, val_acc = labelled_data(draw)
    _, got = one_set(student, data, 0.1, 0.2, num_iters=3)
    expect_accuracy(expect, got[1], train_acc, train_acc, "train_acc")
    expect_accuracy(expect, got[2], val_acc, val_acc, "val_acc")
    if (float(got[1]) > 1) != (float(got[2]) > 1):
        raise CheckFailed("One of train_acc and val_acc is a fraction and the other in percent. Use one unit for both.")


@number("10.3")
@weight(1)
@visibility("visible")
def test_one_set_with_softmax(student, draw, expect):
    """test_one_param_set works with your own Softmax."""
    data = {}
    for part in ("train", "val", "test"):
        data[f"X_{part}"], data[f"y_{part}"] = separable(draw)
    cls = student.linear_classifier.Softmax()
    got = result_of_search(student.linear_classifier.test_one_param_set(cls, data, 0.1, 1e-4, num_iters=40))
    expect_accuracy(expect, got[1], 0.9, 1.0, "train_acc")
    expect_accuracy(expect, got[2], 0.9, 1.0, "val_acc")


# ---- 17. real images -----------------------------------------------------------------------------------------------


@number("17.1")
@weight(5)
@visibility("visible")
def test_softmax_on_images(student, data, expect):
    """Softmax learns from 5,000 real images in 300 steps: it recognises at least 33 % of 1,000 others."""
    cifar = data.cifar10()
    X, y = torch.as_tensor(cifar.x_train[:6000]).flatten(1) / 255, torch.as_tensor(cifar.y_train[:6000])
    X = torch.cat([X - X[:5000].mean(dim=0), torch.ones(6000, 1)], dim=1)
    model = student.linear_classifier.Softmax()
    model.train(data.share("X", X[:5000]), y[:5000], learning_rate=0.02, reg=1e-3, num_iters=300, batch_size=200)
    W = model.W
    expect(W, "W").has_shape(3073, 10).is_finite()
    right = (X[5000:] @ torch.as_tensor(W).float()).argmax(dim=1) == y[5000:]
    expect(100 * float(right.double().mean()), "accuracy in percent").is_between(33.0, 100.0)


# ---- 18. all images ------------------------------------------------------------------------------------------------


class Images:
    """All images of the data set as the course prepares them: 0 to 1, less each colour's mean, with a 1 at the end."""

    def __init__(self, data):
        self.images = data.images()
        self.n = self.images.trained_on
        self.mean = torch.from_numpy(self.images.colour_means()).float() / 255
        self.y = torch.from_numpy(self.images.y_train[: self.n])

    def shared(self, data):
        """The rows to train on, and their labels."""
        X = data.share("images_to_train_on", lambda: self.rows(torch.from_numpy(self.images.x_train[: self.n])))
        return X, self.y

    def rows(self, x):
        """Images (N, 3, 32, 32) as rows (N, 3073)."""
        return torch.cat([(x / 255 - self.mean).flatten(1), torch.ones(len(x), 1)], dim=1)


@pytest.fixture
def expect_accuracy_on_images(data, expect, accuracy, checkpoint, pictures):
    """`expect_accuracy_on_images(name, make, schedule, reg)`: the weights of a checkpoint, or of a training here.

    That goes in stages, each with a smaller learning rate, and the weights are applied here.
    """

    def expectation(name, make, schedule, reg):
        images, saved = Images(data), checkpoint(name)
        if saved is None:
            W, losses = trained(make(), schedule, reg, images.shared(data))
            pictures.curve("loss of each step of the training", losses)
        elif type(saved) is not dict or "W" not in saved:
            raise CheckFailed(f"{name} should hold a dictionary with the weights W, as save writes it.")
        else:
            W = saved["W"]
        expect(W, "W").has_shape(3073, 10).is_finite()
        W = torch.as_tensor(W).float()
        pictures.tiles("weights of each class, as images", W[:-1].T.reshape(10, 3, 32, 32))
        accuracy(lambda x: (images.rows(x) @ W).argmax(dim=1))

    return expectation


def trained(model, schedule, reg, rows_and_labels):
    """The weights, and the losses of all steps as far as train returns them."""
    losses = []
    for learning_rate, num_iters in schedule:
        got = model.train(*rows_and_labels, learning_rate=learning_rate, reg=reg, num_iters=num_iters, batch_size=200)
        losses += got if type(got) is list else []
    return model.W, losses


@number("18.1")
@weight(4)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=120)
def test_svm_on_all_images(student, expect_accuracy_on_images):
    """The SVM of svm_best_model.pt, or else one trained for 2,000 steps, recognises images it has not seen."""
    schedule = ((0.01, 1200), (0.003, 500), (0.001, 300))
    expect_accuracy_on_images("svm_best_model.pt", student.linear_classifier.LinearSVM, schedule, 1e-2)


@number("18.2")
@weight(4)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=120)
def test_softmax_on_all_images(student, expect_accuracy_on_images):
    """The softmax of softmax_best_model.pt, or else one trained for 1,200 steps, recognises images it has not seen."""
    schedule = ((0.05, 700), (0.02, 300), (0.005, 200))
    expect_accuracy_on_images("softmax_best_model.pt", student.linear_classifier.Softmax, schedule, 1e-3)
