"""Checks of A2, second part: the two-layer network.

Right answers differ in many ways that no check asks about: the ReLU may be written in any way but torch's own, the
learning rate may decay at the beginning or the end of an epoch, accuracies may be fractions or percentages.
"""

from itertools import pairwise, product
from math import prod

import numpy as np
import pytest
import torch
from gradescope_utils.autograder_utils.decorators import hide_errors, number, visibility, weight

from grader.contract.verdict import CheckFailed, Explanation, StudentError

KEYS = ("W1", "b1", "W2", "b2")
HALVES = ("scores", "hidden")
LARGER_DRAW = "A second draw with larger sizes came out wrong. Compare your gradients with numerical ones."


# ---- helpers: the network ------------------------------------------------------------------------------------------


def network(draw, *, n=6, d=5, h=8, c=4, dtype=torch.float64):
    """Parameters, rows and labels. Some hidden units are on and some off, none so close to 0 that rounding decides."""
    while True:
        params = {
            "W1": draw.normal(d, h, dtype=dtype, scale=d**-0.5),
            "b1": draw.normal(h, dtype=dtype, scale=0.5),
            "W2": draw.normal(h, c, dtype=dtype, scale=h**-0.5),
            "b2": draw.normal(c, dtype=dtype, scale=0.5),
        }
        X, y = draw.normal(n, d, dtype=dtype), draw.labels(n, c)
        if (X @ params["W1"] + params["b1"]).abs().min() > 1e-5:
            return params, X, y


def lifted(params, X, y):
    """The same network with one more feature and hidden unit, which lift the right class of the first row by 1,500."""
    (d, h), c = params["W1"].shape, params["W2"].shape[1]
    one = X.new_zeros(d + 1, h + 1)
    one[d, h] = 1.5
    W1 = one + torch.nn.functional.pad(params["W1"], (0, 1, 0, 1))
    b1 = torch.cat([params["b1"], X.new_tensor([-0.5])])  # off in the other rows
    W2 = torch.cat([params["W2"], 1500 * torch.eye(c, dtype=X.dtype)[y[:1]]])
    first = (torch.arange(len(X)) == 0).to(X.dtype)
    return {**params, "W1": W1, "b1": b1, "W2": W2}, torch.cat([X, first[:, None]], dim=1), y


def copy_of(params):
    return {name: value.clone() for name, value in params.items()}


def pair(got, names):
    if type(got) not in (tuple, list) or len(got) != 2:
        raise CheckFailed(f"The function should return two things, {names}.")
    return got


def expect_right_parts(expect, got, expected):
    """The names of the parts of an answer that are right; fails where none is.

    Checks that ask about one thing only look at the parts that are right for an ordinary problem, so that another
    mistake does not cost their points as well.
    """
    parts = []
    for name, value in expected.items():
        try:
            expect(got[name], name).matches(value, dtype=False)
            parts.append(name)
        except CheckFailed as problem:
            failure = problem
    if not parts:
        raise failure
    return parts


class Passes:
    """The submission's forward pass, or forward and backward pass, beside the right one, each as a dict of results."""

    def __init__(self, student, reference, draw, expect):
        self.student, self.reference, self.draw, self.expect = student, reference, draw, expect

    def forward(self, params, X):
        got = pair(self.student.two_layer_net.nn_forward_pass(params, X), "scores and hidden")
        return dict(zip(HALVES, got, strict=True)), self.right_forward(params, X)

    def right_forward(self, params, X):
        return dict(zip(HALVES, self.reference.two_layer_net.nn_forward_pass(params, X), strict=True))

    def backward(self, params, X, y, reg):
        got = self.student.two_layer_net.nn_forward_backward(params, X, y, reg)
        return results(got), self.right_backward(params, X, y, reg)

    def right_backward(self, params, X, y, reg):
        return results(self.reference.two_layer_net.nn_forward_backward(params, X, y, reg))

    def right_halves(self):
        """Which of scores and hidden are right for an ordinary problem."""
        params, X, _ = network(self.draw)
        return expect_right_parts(self.expect, *self.forward(params, X))

    def right_results(self):
        """Which of loss and gradients are right for an ordinary problem without regularisation."""
        return expect_right_parts(self.expect, *self.backward(*network(self.draw), 0.0))

    def compare(self, got, expected, parts, **how):
        for name in parts:
            self.expect(got[name], name).matches(expected[name], **{"dtype": False, **how})

    def gradients(self, keys, gradients):
        """Some of the gradients, without regularisation."""
        params, X, y = network(self.draw)
        got, expected = self.backward(params, X, y, 0.0)
        try:
            self.compare(got, expected, keys, sizes={"N": len(X), "H": len(params["b1"]), "C": len(params["b2"])})
        except CheckFailed:
            # Slopes of the submission's own loss cost many calls, and are only needed to explain a wrong gradient.
            def own(**at):
                found = results(self.student.two_layer_net.nn_forward_backward({**params, **at}, X, y, 0.0))
                return found["loss"], {name: found[f"d{name}"] for name in at}

            at = {name.removeprefix("d"): params[name.removeprefix("d")] for name in keys}
            gradients.loss(own, at=at, exact={name: expected[f"d{name}"] for name in at}, dtype=False)
            raise
        # As many features as hidden units and classes: a transposed gradient has the right shape there.
        self.compare(*self.backward(*network(self.draw, d=5, h=5, c=5), 0.0), keys)

    def numbers(self, params, X, y, reg):
        """Loss and gradients in float64, whatever their values."""
        got = results(self.student.two_layer_net.nn_forward_backward(params, X, y, reg))
        for name, value in got.items():
            shape = () if name == "loss" else params[name.removeprefix("d")].shape
            self.expect(value, name).has_shape(*shape).is_finite()
        return {name: torch.as_tensor(value).double() for name, value in got.items()}


def results(got):
    """The loss and the four gradients. Gradients that were never computed fail every check of their function."""
    loss, grads = pair(got, "the loss and the gradients")
    if type(grads) is not dict or any(name not in grads for name in KEYS):
        raise CheckFailed("The gradients should be a dict with the keys W1, b1, W2 and b2.")
    if all(grads[name] is None or (torch.is_tensor(grads[name]) and not grads[name].any()) for name in KEYS):
        raise CheckFailed("The gradients are still zero everywhere, as if they were not computed yet.")
    return {"loss": loss, **{f"d{name}": grads[name] for name in KEYS}}


@pytest.fixture
def passes(student, reference, draw, expect):
    return Passes(student, reference, draw, expect)


# ---- helpers: training ---------------------------------------------------------------------------------------------


class ConstantSlope:
    """A loss with the same gradient everywhere: what training makes of it is known, whatever rows it draws."""

    def __init__(self, draw, gradients):
        self.gradients = gradients
        self.first = 10.0 + float(draw.uniform(1))
        self.calls = []

    def loss(self, params, X, y=None, reg=0.0):
        """Scores, or the loss and the gradients; the highest score tells the first feature."""
        if y is None:
            return torch.eye(10, dtype=torch.float64)[X[:, 0].long()]
        self.calls.append((params, X, y, reg))
        return torch.tensor(self.losses(len(self.calls))[-1], dtype=torch.float64), self.gradients

    def losses(self, count):
        return [self.first - 0.0625 * i for i in range(count)]

    @staticmethod
    def predict(params, loss_func, X):
        return X[:, 0].long()


def labelled_rows(draw, n, wrong):
    """Rows whose first feature is the label, except for some of them."""
    y = draw.labels(n, 3)
    told = y.clone()
    told[:wrong] = (told[:wrong] + 1) % 3
    return torch.cat([told[:, None].double(), draw.normal(n, 4)], dim=1), y


def train_on_slope(student, draw, expect, wrong=6, **settings):
    """Train on a constant slope of ones with 24 rows, in batches of 6, and make sure that parameters were moved.

    Of the 15 rows to validate on, ``wrong`` are predicted wrongly.

    Returns the histories, the slope, and the parameters before every iteration and after the last one.
    """
    params, _, _ = network(draw, d=5)
    slope = ConstantSlope(draw, {name: torch.ones_like(value) for name, value in params.items()})
    (X, y), (X_val, y_val) = labelled_rows(draw, 24, wrong=0), labelled_rows(draw, 15, wrong=wrong)
    stats, after = student.two_layer_net.nn_train.observed(
        copy_of(params), slope.loss, slope.predict, X, y, X_val, y_val, batch_size=6, **settings
    )
    steps = settings["num_iters"]
    if len(slope.calls) != steps:
        raise CheckFailed(f"The loss function was called {len(slope.calls)} times in {steps} iterations.")
    trajectory = [call[0] for call in slope.calls] + [after[0]]
    for place in trajectory:
        expect_params(expect, place, params)
    if all(torch.equal(torch.as_tensor(trajectory[-2][name]).double(), params[name]) for name in KEYS):
        raise CheckFailed("The parameters in params did not change: every iteration should move all of them.")
    return stats, slope, trajectory


def expect_params(expect, got, like):
    """Parameters with the shapes of others."""
    if type(got) is not dict or any(name not in got for name in KEYS):
        raise CheckFailed("params should be a dict with the keys W1, b1, W2 and b2.")
    for name in KEYS:
        expect(got[name], name).has_shape(*like[name].shape).is_finite()


def history_of(expect, stats, name, count, most=None):
    """One of the histories, as floats."""
    if type(stats) is not dict or name not in stats:
        raise CheckFailed("The histories should be a dict of loss_history, train_acc_history and val_acc_history.")
    history = stats[name]
    if type(history) is not list or not count <= len(history) <= (most or count):
        wanted = f"{count} to {most}" if most else f"{count}"
        raise CheckFailed(f"{name} should be a list of {wanted} numbers here.")
    for value in history:
        expect(value, name).has_shape().is_finite()
    return [float(value) for value in history]


def separable(draw, n, d=5, c=4):
    """Rows around c centres that lie far apart."""
    X, y = draw.normal(n, d, scale=0.7 * d**-0.5), draw.labels(n, c)
    X[torch.arange(n), y] += 4.0
    return X, y


def expect_falling(expect, losses):
    expect(sum(losses[-3:]) / 3, "mean of the last three losses").is_between(0.0, 0.6 * sum(losses[:3]) / 3)


def expect_knowing(expect, reference, params, X, y):
    """The parameters are those of a network that tells the classes apart."""
    if type(params) is not dict or any(name not in params for name in KEYS):
        raise CheckFailed("params should be a dict with the keys W1, b1, W2 and b2.")
    expect(params["b1"], "b1").has_shape(None)
    expect(params["b2"], "b2").has_shape(None)
    h, c = len(params["b1"]), len(params["b2"])
    expect(params["W1"], "W1").has_shape(X.shape[1], h)
    expect(params["W2"], "W2").has_shape(h, c)
    numbers = {name: torch.as_tensor(params[name]).double() for name in KEYS}
    right = reference.two_layer_net.nn_forward_pass(numbers, X)[0].argmax(dim=1) == y
    expect(float(right.double().mean()), "accuracy on validation rows").is_between(0.9, 1.0)


def new_net(student, *sizes, dtype, device="cpu", **std):
    """A TwoLayerNet. The class of Fall 2019 does without dtype: its networks are of float32."""
    make = student.two_layer_net.TwoLayerNet
    try:
        return make(*sizes, dtype=dtype, device=device, **std)
    except StudentError as problem:
        if "TypeError" not in problem.error_types:
            raise
        return make(*sizes, device=device, **std)


# ---- helpers: searching --------------------------------------------------------------------------------------------


def grid_lists(got):
    """The four lists of a search grid, as lists of numbers."""
    if type(got) not in (tuple, list) or len(got) != 4:
        raise CheckFailed(
            "The function should return four lists: learning_rates, hidden_sizes, regularization_strengths, "
            "learning_rate_decays."
        )
    lists = [values.tolist() if isinstance(values, (torch.Tensor, np.ndarray)) else values for values in got]
    if not all(type(values) in (tuple, list) and values for values in lists):
        raise CheckFailed("Each of the four results should be a list with at least one number in it.")
    return lists


GRID = ([0.1, 0.2], [11, 13], [1e-6], [0.9, 1.0])


class SketchNet:
    """A network of the judge's: told how it is trained, it knows how good it is. The first feature is the label."""

    def __init__(self, sketch, input_size, hidden_size, output_size):
        self.sketch, self.input_size, self.hidden_size, self.output_size = sketch, input_size, hidden_size, output_size
        self.accuracy = 0.1
        self.stat = {}
        self.params = {}

    # The signature is the one that students know.
    def train(
        self, X, y, X_val, y_val, learning_rate=1e-3, learning_rate_decay=0.95, reg=5e-6, num_iters=100,
        batch_size=200, verbose=False,
    ):  # fmt: skip
        self.accuracy = self.sketch.accuracies.get((learning_rate, self.hidden_size, reg, learning_rate_decay), 0.1)
        self.stat = {
            "loss_history": [1.0 - self.accuracy] * 6,
            "train_acc_history": [1.0 - self.accuracy] * 3,
            "val_acc_history": [self.accuracy] * 3,
        }
        return self.stat

    def predict(self, X):
        """Labels of which a known share is right: the better on validation rows, the worse on all others."""
        share = self.accuracy if len(X) == len(self.sketch.data["X_val"]) else 1.0 - self.accuracy
        labels = X[:, 0].long()
        labels[round(share * len(X)) :] += 1
        return labels


class Sketch:
    """A search in which nothing is trained: TwoLayerNet is replaced, and the accuracy of each combination is known."""

    def __init__(self, student, draw, half=slice(1, -1)):
        self.student = student
        combinations = list(product(*GRID))
        self.accuracies = {one: 0.2 + 0.05 * int(draw.integers(0, 10)) for one in combinations}
        self.accuracies[draw.choice(combinations[half])] = 0.9
        self.nets = []
        self.data = {}
        for part, n in (("train", 40), ("val", 20), ("test", 10)):
            self.data[f"y_{part}"] = torch.arange(n) % 10  # every label occurs, however classes are counted
            self.data[f"X_{part}"] = torch.cat([self.data[f"y_{part}"][:, None].double(), draw.normal(n, 4)], dim=1)

    # The signature is the one that students know.
    def make(self, input_size, hidden_size, output_size, dtype=None, device=None, std=1e-4):
        self.nets.append(SketchNet(self, input_size, hidden_size, output_size))
        return self.student.standin(self.nets[-1], "train", "predict", "params")

    def run(self):
        """What find_best_net returns; ``None`` where it makes no TwoLayerNet, or asks more of it than it has here."""
        path = "two_layer_net.TwoLayerNet"
        own = self.student.get(path)
        self.student.replace(path, self.make)
        try:
            got = self.student.two_layer_net.find_best_net(self.data, lambda: GRID)
        except StudentError:
            got = None
        self.student.replace(path, own)
        return got if any(net.stat for net in self.nets) else None


def real_search(student, draw, learning_rates, d=5):
    """What find_best_net returns where one learning rate leads somewhere; with the hidden size and the data given."""
    data, hidden_size = {}, draw.choice([11, 13])
    for part, n in (("train", 400), ("val", 30), ("test", 10)):
        data[f"X_{part}"], data[f"y_{part}"] = separable(draw, n, d=d)
    got = student.two_layer_net.find_best_net(data, lambda: (learning_rates, [hidden_size], [1e-6], [1.0]))
    return triple(got), hidden_size, data


def triple(got):
    if type(got) not in (tuple, list) or len(got) != 3:
        raise CheckFailed("The function should return three things: best_net, best_stat and best_val_acc.")
    return got


def search_any_size(student, draw, note, learning_rates):
    """A search on short rows, or, where the sizes of CIFAR-10 are written into the function, on rows of that size."""
    try:
        return real_search(student, draw, learning_rates)
    except StudentError:
        found = real_search(student, draw, learning_rates, d=3072)
    note("find_best_net only works for rows of 3,072 features. Take the sizes from the data.")
    return found


def expect_net(expect, reference, net, X, y):
    if net is None or not hasattr(net, "params"):
        raise CheckFailed("The first of the three results should be a TwoLayerNet.")
    params = net.params
    expect_knowing(expect, reference, params, X, y)
    return params


# ---- 11. nn_forward_pass -------------------------------------------------------------------------------------------


@number("11.1")
@weight(2)
@visibility("visible")
def test_forward_scores(passes, draw):
    """nn_forward_pass returns the scores of every row and class."""
    params, X, _ = network(draw)
    passes.compare(*passes.forward(params, X), ["scores"])


@number("11.2")
@weight(1.5)
@visibility("visible")
def test_forward_hidden(passes, draw):
    """nn_forward_pass returns the hidden units as they are after the ReLU."""
    params, X, _ = network(draw)
    passes.compare(*passes.forward(params, X), ["hidden"])


@number("11.3")
@weight(1)
@visibility("visible")
def test_forward_from_scratch(student, passes, draw, rules):
    """nn_forward_pass has a ReLU of its own."""
    passes.right_halves()
    rules.traced(student.two_layer_net.nn_forward_pass, *network(draw)[:2])


@number("11.4")
@weight(0.5)
@visibility("visible")
def test_forward_small(passes, draw):
    """nn_forward_pass works in float32, and with a single row."""
    parts = passes.right_halves()
    for n, dtype in ((6, torch.float32), (1, torch.float64)):
        params, X, _ = network(draw, n=n, dtype=dtype)
        passes.compare(*passes.forward(params, X), parts, dtype=dtype is torch.float32)


@number("11.5")
@weight(1)
@visibility("visible")
def test_forward_inputs(student, passes, draw, expect):
    """nn_forward_pass leaves the parameters and the rows as they were."""
    parts = passes.right_halves()
    params, X, _ = network(draw)
    got, after = student.two_layer_net.nn_forward_pass.observed(copy_of(params), X.clone())
    halves = dict(zip(HALVES, pair(got, "scores and hidden"), strict=True))
    passes.compare(halves, passes.right_forward(params, X), parts)
    expect(after, ("params", "X")).is_unchanged_from((params, X))


# ---- 12. nn_forward_backward ---------------------------------------------------------------------------------------


@number("12.1")
@weight(1)
@visibility("visible")
def test_backward_scores(student, passes, draw, expect):
    """nn_forward_backward returns the scores when there are no labels, and loss and gradients when there are."""
    params, X, y = network(draw)
    results(student.two_layer_net.nn_forward_backward(params, X, y=y, reg=0.1))
    scores = student.two_layer_net.nn_forward_backward(params, X)
    expect(scores, "scores").matches(passes.right_forward(params, X)["scores"], dtype=False)


@number("12.2")
@weight(2)
@visibility("visible")
def test_backward_loss(student, passes, draw, rules):
    """nn_forward_backward returns the mean cross-entropy of the rows, computed by code of your own."""
    params, X, y = network(draw)
    passes.compare(*passes.backward(params, X, y, 0.0), ["loss"], sizes={"N": len(X)})
    rules.traced(student.two_layer_net.nn_forward_backward, params, X, y, 0.0)


@number("12.3")
@weight(2)
@visibility("visible")
def test_backward_second_layer(passes, gradients):
    """nn_forward_backward returns the gradients of W2 and b2."""
    passes.gradients(["dW2", "db2"], gradients)


@number("12.4")
@weight(2.5)
@visibility("visible")
def test_backward_first_layer(passes, gradients):
    """nn_forward_backward returns the gradients of W1 and b1, through the ReLU."""
    passes.gradients(["dW1", "db1"], gradients)


@number("12.5")
@weight(1)
@visibility("visible")
def test_backward_regularisation(passes, draw, expect):
    """nn_forward_backward adds reg * (sum(W1 * W1) + sum(W2 * W2)) to the loss, and its gradient to dW1 and dW2."""
    params, X, y = network(draw)
    without = passes.numbers(params, X, y, 0.0)
    for reg in (0.7, 3.0):
        added = {name: value - without[name] for name, value in passes.numbers(params, X, y, reg).items()}
        expected = {f"d{name}": torch.zeros_like(params[name]) for name in ("b1", "b2")}
        expected |= {f"d{name}": 2 * reg * params[name] for name in ("W1", "W2")}
        expected["loss"] = reg * sum((params[name] ** 2).sum() for name in ("W1", "W2"))
        for name, value in expected.items():
            expect(added[name], f"what reg adds to {name}").matches(value, rtol=1e-5, atol=1e-5, dtype=False)


@number("12.6")
@weight(1)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=5)
def test_backward_cost(student, passes, draw, cost):
    """nn_forward_backward computes the gradients by the chain rule, fast enough for a network of 20,560 parameters."""
    parts = passes.right_results()
    params, X, y = network(draw, n=20, d=400, h=50, c=10)
    spent = cost(student.two_layer_net.nn_forward_backward, params, X, y=y, reg=0.0)
    passes.compare(results(spent.result), passes.right_backward(params, X, y, 0.0), parts)
    spent.require_below(
        2.0,
        "The function takes far too long. Compute the gradients by the chain rule, not by changing one parameter after "
        "the other.",
        "less than 2 seconds for 20 rows and 20,560 parameters",
    )


@number("12.7")
@weight(0.5)
@visibility("hidden")
@hide_errors(LARGER_DRAW)
def test_backward_larger(passes, draw):
    """nn_forward_backward is right for larger networks, too."""
    parts = passes.right_results()
    params, X, y = network(draw, n=33, d=21, h=40, c=11)
    passes.compare(*passes.backward(params, X, y, 0.0), parts)


@number("12.8")
@weight(1)
@visibility("visible")
def test_backward_large_scores(passes, draw):
    """nn_forward_backward stays finite when all scores are very large or very small."""
    parts = passes.right_results()
    for offset in (1000.0, -1000.0):
        params, X, y = network(draw)
        params["b2"] = params["b2"] + offset
        passes.compare(*passes.backward(params, X, y, 0.0), parts)
    # Far from each other, too, in one row: there the right class is 1,500 above the others, and the loss is 0 however
    # it is computed, but for a shift by another score than the largest.
    params, X, y = lifted(*network(draw))
    passes.compare(*passes.backward(params, X, y, 0.0), parts)


@number("12.9")
@weight(1)
@visibility("visible")
def test_backward_small(student, passes, draw, expect):
    """nn_forward_backward works in float32, with a single row, and leaves its inputs as they were."""
    parts = passes.right_results()
    for n, dtype in ((6, torch.float32), (1, torch.float64)):
        params, X, y = network(draw, n=n, dtype=dtype)
        got, after = student.two_layer_net.nn_forward_backward.observed(copy_of(params), X.clone(), y.clone(), 0.0)
        right = passes.right_backward(params, X, y, 0.0)
        for part in parts:  # a loss may be a Python float, and so a tensor of float64, too
            passes.compare(results(got), right, [part], dtype=part != "loss" and dtype is torch.float32)
        expect(after, ("params", "X", "y")).is_unchanged_from((params, X, y, 0.0))


# ---- 13. nn_train --------------------------------------------------------------------------------------------------


@number("13.1")
@weight(2)
@visibility("visible")
def test_train_steps(student, draw, expect):
    """nn_train moves every parameter by learning_rate against its gradient in each iteration, within params itself."""
    settings = {"learning_rate": 0.125, "learning_rate_decay": 1.0, "num_iters": 9}
    _, slope, trajectory = train_on_slope(student, draw, expect, **settings)
    for step, place in enumerate(trajectory):
        for name in KEYS:
            expected = torch.as_tensor(trajectory[0][name]) - 0.125 * step
            expect(place[name], f"{name} after {step} iterations").matches(expected, rtol=1e-6, dtype=False)
    batches = [call[1] for call in slope.calls]
    for batch in batches:
        expect(batch, "X_batch").has_shape(6, 5)
    if all(torch.equal(torch.as_tensor(batch).double(), torch.as_tensor(batches[0]).double()) for batch in batches):
        raise CheckFailed("Every iteration got the same batch. Draw a new one in each.")


@number("13.2")
@weight(1)
@visibility("visible")
def test_train_history(student, draw, expect):
    """nn_train hands batches of batch_size rows and reg to loss_func, and returns the loss of every iteration."""
    stats, slope, _ = train_on_slope(student, draw, expect, learning_rate=0.1, reg=0.25, num_iters=9)
    for _, X, y, reg in slope.calls:
        expect(X, "X_batch").has_shape(6, 5)
        expect(y, "y_batch").has_shape(6)
        expect(X[:, 0], "labels that X_batch belongs to").matches(y, dtype=False)
        expect(reg, "reg").matches(0.25)
    expect(history_of(expect, stats, "loss_history", 9), "loss_history").matches(slope.losses(9))


@number("13.3")
@weight(1.5)
@visibility("visible")
def test_train_decay(student, draw, expect):
    """nn_train multiplies the learning rate by learning_rate_decay once per epoch."""
    settings = {"learning_rate": 0.5, "learning_rate_decay": 0.5, "num_iters": 16}
    _, slope, _ = train_on_slope(student, draw, expect, **settings)
    heights = [float(torch.as_tensor(call[0]["W1"]).mean()) for call in slope.calls]
    steps = [here - there for here, there in pairwise(heights)]
    ratios = [after / before if before else 0.0 for before, after in pairwise(steps)]
    decays = [index for index, ratio in enumerate(ratios) if abs(ratio - 0.5) < 1e-3]
    steady = all(abs(ratio - 1) < 1e-3 for index, ratio in enumerate(ratios) if index not in decays)
    evenly = all(later - earlier == 4 for earlier, later in pairwise(decays))
    if not (steady and evenly and 3 <= len(decays) <= 4):
        raise CheckFailed(
            Explanation(
                "The learning rate should be multiplied by learning_rate_decay once per epoch, and stay the same "
                "within it. Here an epoch has 4 iterations: 24 rows in batches of 6.",
                expected="steps that are halved every 4 iterations, in 16 iterations from 0.5",
                got="steps of " + ", ".join(f"{step:.4g}" for step in steps),
            )
        )


@number("13.4")
@weight(1)
@visibility("visible")
def test_train_accuracies(student, draw, expect):
    """nn_train notes the accuracies on training and validation rows once per epoch."""
    wrong = int(draw.integers(3, 12))
    stats, _, _ = train_on_slope(student, draw, expect, wrong=wrong, learning_rate=0.1, num_iters=16)
    for name, fraction in (("train_acc_history", 1.0), ("val_acc_history", 1 - wrong / 15)):
        for value in history_of(expect, stats, name, 3, most=5):
            expect(value if value <= 1 else value / 100, name).matches(fraction, rtol=1e-5)


@number("13.5")
@weight(1.5)
@visibility("visible")
def test_train_learns(student, reference, draw, expect):
    """nn_train learns to tell well separated classes apart, given right functions for the loss and for predictions."""
    params, _, _ = network(draw, d=5, h=8, c=4)
    (X, y), (X_val, y_val) = separable(draw, 60), separable(draw, 20)
    net = reference.two_layer_net
    settings = {"learning_rate": 0.2, "learning_rate_decay": 0.95, "reg": 1e-5, "num_iters": 80, "batch_size": 20}
    stats, after = student.two_layer_net.nn_train.observed(
        params, net.nn_forward_backward, net.nn_predict, X, y, X_val, y_val, **settings
    )
    expect_falling(expect, history_of(expect, stats, "loss_history", 80))
    expect_knowing(expect, reference, after[0], X_val, y_val)


@number("13.6")
@weight(1)
@visibility("visible")
def test_net_learns(student, reference, draw, expect, device):
    """TwoLayerNet begins with small random weights and zero biases, and learns with your own functions."""
    net = new_net(student, 5, 30, 4, dtype=torch.float64, device=device, std=0.1)
    (X, y), (X_val, y_val) = separable(draw, 60), separable(draw, 20)
    begin = net.params
    dtype = begin["W1"].dtype if type(begin) is dict and torch.is_tensor(begin.get("W1")) else X.dtype
    rows = [tensor.to(device) for tensor in (X.to(dtype), y, X_val.to(dtype), y_val)]
    settings = {"learning_rate": 0.2, "learning_rate_decay": 0.95, "reg": 1e-5, "num_iters": 60, "batch_size": 20}
    stats = net.train(*rows, **settings)
    expect_falling(expect, history_of(expect, stats, "loss_history", 60))
    expect_knowing(expect, reference, net.params, X_val, y_val)
    like = {"W1": torch.zeros(5, 30), "b1": torch.zeros(30), "W2": torch.zeros(30, 4), "b2": torch.zeros(4)}
    expect_params(expect, begin, like)
    for name, value in like.items():
        if name.startswith("b"):
            expect(begin[name], f"initial {name}").matches(value, dtype=False)
        else:
            spread = float(torch.as_tensor(begin[name]).double().std())
            expect(spread, f"standard deviation of the initial {name}").is_between(0.05, 0.2)


# ---- 14. nn_predict ------------------------------------------------------------------------------------------------


@number("14.1")
@weight(1.5)
@visibility("visible")
def test_predict(student, reference, draw, expect):
    """nn_predict returns the class with the highest score for every row, given a right loss_func."""
    for _ in range(20):
        params, X, _ = network(draw, n=20)
        scores = reference.two_layer_net.nn_forward_pass(params, X)[0]
        if (scores.argmax(dim=1) != scores.abs().argmax(dim=1)).any():
            break  # the highest score is not the largest number
    got = student.two_layer_net.nn_predict(params, reference.two_layer_net.nn_forward_backward, X)
    expect(got, "y_pred").matches(scores.argmax(dim=1), dtype=False)


@number("14.2")
@weight(1)
@visibility("visible")
def test_net_saved(student, reference, draw, expect, note):
    """TwoLayerNet predicts with your own functions, and does so again after save and load."""
    params, X, _ = network(draw, n=20, d=5, h=8, c=4)
    expected = reference.two_layer_net.nn_forward_pass(params, X)[0].argmax(dim=1)
    nets = [new_net(student, 5, 8, 4, dtype=torch.float64) for _ in range(2)]
    nets[0].params = params
    expect(nets[0].predict(X), "y_pred").matches(expected, dtype=False)
    if student.missing("two_layer_net.TwoLayerNet.save"):
        note("Your TwoLayerNet has no save and load: its parameters cannot be handed in.")
        return
    path = student.scratch_path("net.pt")
    nets[0].save(path)
    expect(student.checkpoint(path), "checkpoint").matches(params)
    nets[1].load(path)
    expect(nets[1].predict(X), "y_pred after load").matches(expected, dtype=False)


@number("14.3")
@weight(0.5)
@visibility("visible")
def test_predict_int64(student, reference, draw, expect):
    """nn_predict returns an int64 tensor."""
    params, X, _ = network(draw, n=20)
    got = student.two_layer_net.nn_predict(params, reference.two_layer_net.nn_forward_backward, X)
    expect(got, "y_pred").matches(reference.two_layer_net.nn_forward_pass(params, X)[0].argmax(dim=1), dtype=False)
    if not torch.is_tensor(got) or got.dtype != torch.int64:
        raise CheckFailed("The labels are right, but they should be an int64 tensor, like y.")


# ---- 15. nn_get_search_params --------------------------------------------------------------------------------------


@number("15.1")
@weight(1)
@visibility("visible")
def test_grid(student, expect):
    """nn_get_search_params returns learning rates, hidden sizes, regularization strengths and decays, in four lists."""
    names = ("learning rate", "hidden size", "regularization strength", "learning rate decay")
    lists = grid_lists(student.two_layer_net.nn_get_search_params())
    for name, low, values in zip(names, (1e-12, 1, 0, 1e-6), lists, strict=True):
        for value in values:
            expect(value, name).has_shape().is_between(low, 1e6)
    if any(float(size) != int(size) for size in lists[1]):
        raise CheckFailed("A hidden size should be a whole number.")


@number("15.2")
@weight(1)
@visibility("visible")
def test_grid_size(student):
    """nn_get_search_params gives fewer than 256 combinations."""
    count = prod(len(values) for values in grid_lists(student.two_layer_net.nn_get_search_params()))
    if count >= 256:
        raise CheckFailed(Explanation("The four lists give too many combinations.", "fewer than 256", f"{count}"))


# ---- 16. find_best_net ---------------------------------------------------------------------------------------------


# Training takes seconds per network, so that find_best_net is first given networks that are not trained at all. Only
# where it does not get along with them are real ones trained.


@number("16.1")
@weight(3)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=60)
def test_best_net(student, reference, draw, expect, note):
    """find_best_net tries every combination, and returns the network that did best on the validation rows."""
    for half in (slice(1, 4), slice(4, -1)):
        check_best_net(student, reference, draw, expect, note, Sketch(student, draw, half))


def check_best_net(student, reference, draw, expect, note, sketch):
    """The best network of a search was returned, and all were made for the data."""
    got = sketch.run()
    if got is None:
        (net, _, _), hidden_size, data = search_any_size(student, draw, note, [1e-9, 0.3, 1e-8])
        params = expect_net(expect, reference, net, data["X_val"], data["y_val"])
        expect(params["W1"], "W1 of the best network").has_shape(None, hidden_size)
    elif type(triple(got)[0]) is not SketchNet or got[0].accuracy < max(sketch.accuracies.values()):
        raise CheckFailed(
            "In a search through 8 combinations, best_net was not the network with the highest accuracy on the "
            "validation rows. Try every combination of the lists that get_param_set_fn returns."
        )
    if got is not None and any(net.output_size < 10 for net in sketch.nets):
        raise CheckFailed("A network was made for fewer classes than there are labels in y_train.")
    if got is not None and any(net.output_size == len(sketch.data["y_train"]) for net in sketch.nets):
        raise CheckFailed(
            "A network was made with one class for every training row. Classes are counted by y.max() + 1."
        )
    if any(net.input_size != sketch.data["X_train"].shape[1] for net in sketch.nets):
        note("find_best_net has the number of features written into it; X_train.shape[1] works on every data set.")


@number("16.2")
@weight(2)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=60)
def test_best_stat(student, draw, expect, note):
    """find_best_net returns the histories and the validation accuracy of the best network, too."""
    sketch = Sketch(student, draw)
    got = sketch.run()
    if got is None:
        (_, stat, val_acc), _, _ = search_any_size(student, draw, note, [0.3, 1e-9])
        expect_falling(expect, history_of(expect, stat, "loss_history", 6, most=10**6))
        low, high = 0.8, 1.0
    else:
        net, stat, val_acc = triple(got)
        if type(net) is not SketchNet:
            raise CheckFailed("The first of the three results should be a TwoLayerNet.")
        low = high = net.accuracy
        expect(history_of(expect, stat, "loss_history", 6), "loss_history of best_net").matches([1 - low] * 6)
    expect(val_acc, "best_val_acc").has_shape().is_between(0.0, 100.001)
    fraction = float(val_acc) if float(val_acc) <= 1 else float(val_acc) / 100
    expect(fraction, "best_val_acc").is_between(low - 1e-6, high + 1e-6)


# ---- 19. all images ------------------------------------------------------------------------------------------------


@number("19.1")
@weight(8)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=240)
def test_net_on_all_images(student, reference, data, expect, accuracy, checkpoint, pictures):
    """The network of nn_best_model.pt, or else one trained for 2,400 steps, recognises images it has not seen."""
    images = data.images()
    n = images.trained_on
    mean = torch.from_numpy(images.colour_means()).float() / 255

    def rows(x):
        return (x / 255 - mean).flatten(1)

    params = checkpoint("nn_best_model.pt")
    if params is None:
        params, losses = params_of_training(student, reference, data, expect, images, n, rows)
        pictures.curve("loss of each step of the training", losses)
    else:
        expect_best_params(expect, params)
    params = {name: torch.as_tensor(params[name]).float() for name in KEYS}
    pictures.tiles("weights of the first layer, as images", params["W1"].T.reshape(-1, 3, 32, 32))
    accuracy(lambda x: reference.two_layer_net.nn_forward_pass(params, rows(x))[0].argmax(dim=1))


def expect_best_params(expect, params):
    """The parameters of a checkpoint: of a network of any width."""
    if type(params) is not dict or any(name not in params for name in KEYS):
        raise CheckFailed("nn_best_model.pt should hold the dictionary of parameters: W1, b1, W2 and b2.")
    expect(params["W1"], "W1").has_shape(3072, None)
    width = params["W1"].shape[1]
    for name, shape in (("W1", (3072, width)), ("b1", (width,)), ("W2", (width, 10)), ("b2", (10,))):
        expect(params[name], name).has_shape(*shape).is_finite()


def params_of_training(student, reference, data, expect, images, n, rows):
    """The parameters of a network that is trained here, and its losses as far as train returns them."""
    X = data.share("rows_to_train_on", lambda: rows(torch.from_numpy(images.x_train[:n])))
    y, X_val = torch.from_numpy(images.y_train[:n]), rows(torch.from_numpy(images.x_train[n : n + 500]))
    steps, batch_size = 2400, 100
    decay = 0.1 ** (n / (steps * batch_size))  # after every epoch: at the end, the learning rate is a tenth
    net = new_net(student, 3072, 160, 10, dtype=torch.float32, std=(2 / 3072) ** 0.5)
    stat = net.train(
        X, y, X_val, torch.from_numpy(images.y_train[n : n + 500]),
        learning_rate=0.3, learning_rate_decay=decay, reg=1e-3, num_iters=steps, batch_size=batch_size,
    )  # fmt: skip
    params = net.params
    expect_params(expect, params, reference.two_layer_net.TwoLayerNet(3072, 160, 10).params)
    return params, stat.get("loss_history") if type(stat) is dict else None
