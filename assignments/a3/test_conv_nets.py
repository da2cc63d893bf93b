"""Checks of A3: the convolutional networks and the initialisation of their weights.

How a DeepConvNet names its parameters is free: W0, W1, ... as well as W1, W2, ... or conv_w1, W_last; what counts is
their order.
"""

import re

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import hide_errors, number, visibility, weight

from grader.contract.verdict import CheckFailed

LARGER_DRAW = "A second draw with other sizes came out wrong. Look for a size that is written into the function."
EPS, MOMENTUM = 1e-5, 0.9


def conv(x, w, b):
    return torch.nn.functional.conv2d(x, w, b, padding=(w.shape[2] - 1) // 2)


def pool(x):
    return torch.nn.functional.max_pool2d(x, 2)


def fill(draw, shape):
    """Weights that keep the size of a signal; for a convolution, a linear layer, or a bias."""
    if len(shape) == 1:
        return draw.normal(*shape, scale=0.3)
    fan_in = shape[0] if len(shape) == 2 else shape[1] * shape[2] * shape[3]
    return draw.normal(*shape, scale=(2 / fan_in) ** 0.5)


def check_params(expect, params, shapes):
    """A dict of tensors with these shapes."""
    if type(params) is not dict or sorted(map(str, params)) != sorted(shapes):
        raise CheckFailed(f"net.params should be a dict with the keys {', '.join(shapes)}.")
    for name, shape in shapes.items():
        expect(params[name], name).has_shape(*shape).is_finite()


def check_spread(expect, value, deviation, name):
    spread = float(torch.as_tensor(value).double().std())
    expect(spread / deviation, f"deviation of {name} / what it should be").is_between(0.75, 1.3)


def check_dtype(params, dtype):
    for name, value in params.items():
        if not torch.is_tensor(value) or value.dtype != dtype:
            raise CheckFailed(f"{name} should be a tensor of dtype {dtype}, as the constructor was told.")


# ---- helpers: ThreeLayerConvNet ------------------------------------------------------------------------------------


def three_layer_shapes(dims, num_filters, filter_size, hidden_dim, num_classes):
    c, h, w = dims
    return {
        "W1": (num_filters, c, filter_size, filter_size),
        "b1": (num_filters,),
        "W2": (num_filters * (h // 2) * (w // 2), hidden_dim),
        "b2": (hidden_dim,),
        "W3": (hidden_dim, num_classes),
        "b3": (num_classes,),
    }


def three_layer_scores(params, X):
    h = pool(conv(X, params["W1"], params["b1"]).clamp(min=0)).flatten(1)
    h = (h @ params["W2"] + params["b2"]).clamp(min=0)
    return h @ params["W3"] + params["b3"]


@pytest.fixture
def three_layers(kit, network, draw):
    """`three_layers(...)`: the checks of a ThreeLayerConvNet."""

    def checks(dims=(3, 6, 6), num_filters=3, filter_size=3, hidden_dim=5, num_classes=4, n=4):
        sizes = {"num_filters": num_filters, "filter_size": filter_size, "hidden_dim": hidden_dim}

        def make(reg=0.0):
            net = kit.student.convolutional_networks.ThreeLayerConvNet
            return net(input_dims=dims, num_classes=num_classes, reg=reg, dtype=torch.float64, device="cpu", **sizes)

        shapes = three_layer_shapes(dims, num_classes=num_classes, **sizes)
        params = {name: fill(draw, shape) for name, shape in shapes.items()}
        return network(make, three_layer_scores, params, draw.normal(n, *dims), draw.labels(n, num_classes))

    return checks


# ---- helpers: DeepConvNet ------------------------------------------------------------------------------------------


def kind_of(name, value):
    """What a parameter is, by its letter, or else by its shape: only batch norm has parameters that need a name."""
    words = re.split(r"[\W_\d]+", name) if isinstance(name, str) else []
    for kind in ("W", "b", "gamma", "beta"):
        if kind in words:
            return kind
    for kind in ("gamma", "beta"):
        if kind in str(name).lower():
            return kind
    return "W" if torch.is_tensor(value) and value.ndim > 1 else "b"


def numbered(params):
    """Kind of parameter -> its names in order: that of their numbers, or, where some have none, of the dictionary."""
    if type(params) is not dict:
        raise CheckFailed("net.params should be a dict of tensors.")
    numbers = {name: re.fullmatch(r"[^\W\d_]+_?(\d+)", name) if isinstance(name, str) else None for name in params}
    order = list(params)
    if all(numbers.values()):
        order.sort(key=lambda name: int(numbers[name][1]))
    found = {"W": [], "b": [], "gamma": [], "beta": []}
    for name in order:
        found[kind_of(name, params[name])].append(name)
    return found


class Plan:
    """The architecture of a DeepConvNet: what its parameters look like, and the right scores."""

    def __init__(self, num_filters, max_pools, batchnorm=False, dims=(3, 8, 8), num_classes=4):
        self.num_filters, self.max_pools, self.batchnorm = num_filters, max_pools, batchnorm
        self.dims, self.num_classes = dims, num_classes
        self.settings = {
            "input_dims": dims,
            "num_filters": list(num_filters),
            "max_pools": list(max_pools),
            "batchnorm": batchnorm,
            "num_classes": num_classes,
        }

    def shapes(self):
        """Kind of parameter -> shapes in order."""
        (c, h, w), filters = self.dims, list(self.num_filters)
        for _ in self.max_pools:
            h, w = h // 2, w // 2
        weights = [(f, before, 3, 3) for f, before in zip(filters, [c, *filters], strict=False)]
        shapes = {"W": [*weights, (filters[-1] * h * w, self.num_classes)], "b": [(f,) for f in filters]}
        shapes["b"].append((self.num_classes,))
        norms = [(f,) for f in filters] if self.batchnorm else []
        return {**shapes, "gamma": norms, "beta": norms}

    def names(self, expect, params):
        """Kind of parameter -> names in order, once their number and shapes are right."""
        names = numbered(params)
        for kind, shapes in self.shapes().items():
            if len(names[kind]) != len(shapes):
                raise CheckFailed(
                    f"net.params should have {len(shapes)} parameters {kind} here, but has {len(names[kind])}."
                )
            for name, shape in zip(names[kind], shapes, strict=True):
                expect(params[name], name).has_shape(*shape).is_finite()
        return names

    def scores(self, names, averages=None):
        """``right(params, X)``; with ``averages``, of each normalisation mean and variance, at test time."""

        def right(params, X):
            h = X
            for i in range(len(self.num_filters)):
                h = conv(h, params[names["W"][i]], params[names["b"][i]])
                if self.batchnorm:
                    mean, var = averages[i] if averages else (h.mean((0, 2, 3)), h.var((0, 2, 3), unbiased=False))
                    gamma, beta = params[names["gamma"][i]], params[names["beta"][i]]
                    mean, var, gamma, beta = (value.view(1, -1, 1, 1) for value in (mean, var, gamma, beta))
                    h = gamma * (h - mean) / (var + EPS).sqrt() + beta
                h = h.clamp(min=0)
                h = pool(h) if i in self.max_pools else h
            return h.flatten(1) @ params[names["W"][-1]] + params[names["b"][-1]]

        return right

    def averages(self, names, params, X):
        """The running averages after one batch."""
        h, found = X, []
        for i in range(len(self.num_filters)):
            h = conv(h, params[names["W"][i]], params[names["b"][i]])
            mean, var = h.mean((0, 2, 3)), h.var((0, 2, 3), unbiased=False)
            found.append(((1 - MOMENTUM) * mean, (1 - MOMENTUM) * var))
            gamma, beta = (params[names[kind][i]].view(1, -1, 1, 1) for kind in ("gamma", "beta"))
            h = gamma * (h - mean.view(1, -1, 1, 1)) / (var.view(1, -1, 1, 1) + EPS).sqrt() + beta
            h = h.clamp(min=0)
            h = pool(h) if i in self.max_pools else h
        return found


PLAIN = Plan((3, 4), (0, 1))
NORMED = Plan((3, 4), (0, 1), batchnorm=True)


@pytest.fixture
def deep(kit, network, draw):
    """`deep(plan)`: the checks of a DeepConvNet, and the names of its parameters by kind."""

    def checks(plan, n=4):
        def make(reg=0.0):
            settings = {**plan.settings, "reg": reg, "dtype": torch.float64, "device": "cpu"}
            return kit.student.convolutional_networks.DeepConvNet(**settings)

        names = plan.names(kit.expect, make().params)
        params = {
            name: draw.uniform(*shape, low=0.5, high=1.5) if kind == "gamma" else fill(draw, shape)
            for kind, shapes in plan.shapes().items()
            for name, shape in zip(names[kind], shapes, strict=True)
        }
        X, y = draw.normal(n, *plan.dims), draw.labels(n, plan.num_classes)
        # The normalisation takes out what a bias adds: that gradient is 0 but for rounding.
        return network(make, plan.scores(names), params, X, y, 1e-9 if plan.batchnorm else None), names

    return checks


# ---- 21. ThreeLayerConvNet.__init__ --------------------------------------------------------------------------------


@number("21.1")
@weight(1.5)
@visibility("visible")
def test_three_layers_shapes(student, expect, rules):
    """ThreeLayerConvNet has parameters that fit together, for images and filters of any size."""
    for dims, *sizes in (((3, 32, 32), 4, 7, 6, 10), ((2, 8, 8), 5, 3, 7, 4)):
        names = ("num_filters", "filter_size", "hidden_dim", "num_classes")
        settings = dict(zip(names, sizes, strict=True))
        net = rules.traced(student.convolutional_networks.ThreeLayerConvNet, input_dims=dims, **settings)
        check_params(expect, net.params, three_layer_shapes(dims, **settings))


@number("21.2")
@weight(1.5)
@visibility("visible")
def test_three_layers_begin(student, expect):
    """ThreeLayerConvNet begins with normal weights of deviation weight_scale, and biases of zero, in its dtype."""
    sizes = {"num_filters": 16, "filter_size": 3, "hidden_dim": 20, "num_classes": 12}
    for weight_scale, dtype in ((1e-3, torch.float32), (0.05, torch.float64)):
        settings = {"input_dims": (3, 8, 8), "weight_scale": weight_scale, "dtype": dtype, **sizes}
        params = student.convolutional_networks.ThreeLayerConvNet(**settings).params
        check_params(expect, params, three_layer_shapes((3, 8, 8), **sizes))
        check_dtype(params, dtype)
        for i in (1, 2, 3):
            check_spread(expect, params[f"W{i}"], weight_scale, f"W{i}")
            expect(params[f"b{i}"], f"b{i}").matches(torch.zeros_like(torch.as_tensor(params[f"b{i}"])))


# ---- 22. ThreeLayerConvNet.loss ------------------------------------------------------------------------------------


@number("22.1")
@weight(1)
@visibility("visible")
def test_three_layers_scores(three_layers):
    """ThreeLayerConvNet.loss returns the scores where no labels are given."""
    three_layers().scores()


@number("22.2")
@weight(1.5)
@visibility("visible")
def test_three_layers_loss(three_layers):
    """ThreeLayerConvNet.loss returns the softmax loss."""
    three_layers().loss()


@number("22.3")
@weight(1)
@visibility("visible")
def test_three_layers_linear(three_layers):
    """ThreeLayerConvNet.loss returns the gradients of the linear layers."""
    three_layers().gradients(["W3", "b3", "W2", "b2"])


@number("22.4")
@weight(1)
@visibility("visible")
def test_three_layers_conv(three_layers):
    """ThreeLayerConvNet.loss returns the gradients of the convolution."""
    three_layers().gradients(["W1", "b1"])


@number("22.5")
@weight(1)
@visibility("visible")
def test_three_layers_penalty(three_layers):
    """ThreeLayerConvNet.loss adds reg * sum(W * W) for all weights to the loss, and its gradient to theirs."""
    three_layers().penalty()


@number("22.6")
@weight(0.5)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=8)
def test_three_layers_cost(three_layers):
    """ThreeLayerConvNet.loss goes backwards through its own layers, and changes nothing."""
    three_layers().kept()
    three_layers().traced()
    three_layers(dims=(3, 16, 16), num_filters=8, hidden_dim=30, num_classes=10, n=10).affordable(2.0)


@number("22.7")
@weight(0.5)
@visibility("visible")
def test_three_layers_saved(student, three_layers, expect):
    """ThreeLayerConvNet computes the same scores after save and load."""
    checks = three_layers()
    path = student.scratch_path("net.pth")
    checks.net().save(path)
    again = checks.make()
    again.load(path)
    expected = checks.right(checks.params, checks.X)
    expect(again.loss(checks.X), "scores after save and load").matches(expected, dtype=False)


@number("22.8")
@weight(0.5)
@visibility("hidden")
@hide_errors(LARGER_DRAW)
def test_three_layers_larger(three_layers):
    """ThreeLayerConvNet is right for other sizes, too."""
    checks = three_layers(dims=(2, 8, 8), num_filters=5, filter_size=5, hidden_dim=9, num_classes=6, n=7)
    checks.loss()
    checks.gradients(["W1", "b1", "W2", "b2", "W3", "b3"])


# ---- 23. DeepConvNet.__init__ --------------------------------------------------------------------------------------


@number("23.1")
@weight(1)
@visibility("visible")
def test_deep_shapes(student, expect, rules):
    """DeepConvNet has weights and biases that fit together, whichever layers end in a pool."""
    for plan in (PLAIN, Plan((4, 3, 5), (1,), dims=(2, 6, 6)), Plan((3,), ())):
        net = rules.traced(student.convolutional_networks.DeepConvNet, **plan.settings)
        plan.names(expect, net.params)


@number("23.2")
@weight(1)
@visibility("visible")
def test_deep_norms(student, expect):
    """DeepConvNet has a gamma of ones and a beta of zeros for each convolution, where batch norm is asked for."""
    plan = Plan((3, 4, 5), (0, 2), batchnorm=True)
    params = student.convolutional_networks.DeepConvNet(**plan.settings, dtype=torch.float64).params
    names = plan.names(expect, params)
    for name in [*names["beta"], *names["b"]]:
        expect(params[name], name).matches(torch.zeros_like(params[name]))
    for name in names["gamma"]:
        expect(params[name], name).matches(torch.ones_like(params[name]))


@number("23.3")
@weight(1)
@visibility("visible")
def test_deep_begin(student, expect):
    """DeepConvNet begins with normal weights of deviation weight_scale, and biases of zero, in its dtype."""
    plan = Plan((16, 20), (0, 1), num_classes=12)
    for weight_scale, dtype in ((1e-3, torch.float32), (0.05, torch.float64)):
        settings = {**plan.settings, "weight_scale": weight_scale, "dtype": dtype}
        params = student.convolutional_networks.DeepConvNet(**settings).params
        names = plan.names(expect, params)
        check_dtype(params, dtype)
        for name in names["W"]:
            check_spread(expect, params[name], weight_scale, name)
        for name in names["b"]:
            expect(params[name], name).matches(torch.zeros_like(params[name]))


@number("23.4")
@weight(1)
@visibility("visible")
def test_deep_kaiming(student, expect, note):
    """DeepConvNet begins with Kaiming's weights where weight_scale is "kaiming"."""
    plan = Plan((16, 20), (0, 1), num_classes=12)
    params = student.convolutional_networks.DeepConvNet(**plan.settings, weight_scale="kaiming").params
    names = plan.names(expect, params)
    for name in names["W"][:2]:
        fan_out, fan_in = params[name].shape[0] * 9, params[name].shape[1] * 9
        spread = float(torch.as_tensor(params[name]).double().std())
        if abs(spread * (fan_out / 2) ** 0.5 - 1) < 0.2 < abs(spread * (fan_in / 2) ** 0.5 - 1):
            note(f"{name} has the variance 2 / fan_out, as if Din and Dout were swapped; 2 / fan_in is usual.")
            continue
        check_spread(expect, params[name], (2 / fan_in) ** 0.5, name)
    # No ReLU follows the last layer, so its gain is 1; a gain of 2 there is common as well.
    spread = float(torch.as_tensor(params[names["W"][2]]).double().std())
    expect(spread * (20 * 4) ** 0.5, "deviation of the last W, times the root of fan_in").is_between(0.8, 1.75)


# ---- 24. DeepConvNet.loss ------------------------------------------------------------------------------------------


@number("24.1")
@weight(1)
@visibility("visible")
def test_deep_scores(deep):
    """DeepConvNet.loss returns the scores where no labels are given."""
    deep(PLAIN)[0].scores()


@number("24.2")
@weight(1)
@visibility("visible")
def test_deep_loss(deep):
    """DeepConvNet.loss returns the softmax loss."""
    deep(PLAIN)[0].loss()


@number("24.3")
@weight(1.5)
@visibility("visible")
def test_deep_weights(deep):
    """DeepConvNet.loss returns the gradients of all weights."""
    checks, names = deep(PLAIN)
    checks.gradients(names["W"][::-1])


@number("24.4")
@weight(1)
@visibility("visible")
def test_deep_biases(deep):
    """DeepConvNet.loss returns the gradients of all biases."""
    checks, names = deep(PLAIN)
    checks.gradients(names["b"][::-1])


@number("24.5")
@weight(1)
@visibility("visible")
def test_deep_penalty(deep):
    """DeepConvNet.loss adds reg * sum(W * W) for all weights to the loss, and its gradient to theirs."""
    deep(PLAIN)[0].penalty()


@number("24.6")
@weight(1)
@visibility("visible")
def test_deep_norm_loss(deep):
    """DeepConvNet.loss normalises behind each convolution in training, and returns the gradients of the weights."""
    checks, names = deep(NORMED)
    checks.loss()
    checks.gradients(names["W"][::-1])


@number("24.7")
@weight(1)
@visibility("visible")
def test_deep_norm_gradients(deep):
    """DeepConvNet.loss returns the gradients of gammas and betas, on which there is no penalty."""
    checks, names = deep(NORMED)
    checks.gradients([*names["gamma"], *names["beta"], *names["b"]])
    checks.spared([*names["gamma"], *names["beta"]])


@number("24.8")
@weight(1)
@visibility("visible")
def test_deep_norm_rests(deep, expect):
    """DeepConvNet.loss normalises with the running averages where no labels are given."""
    checks, names = deep(NORMED)
    net = checks.net()
    checks.results(net)
    averages = NORMED.averages(names, checks.params, checks.X)
    X = checks.X.flip(0) * 0.7
    expect(net.loss(X), "scores after one batch of training").matches(
        NORMED.scores(names, averages)(checks.params, X), dtype=False
    )


@number("24.9")
@weight(0.5)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=8)
def test_deep_cost(deep):
    """DeepConvNet.loss goes backwards through its own layers, and changes nothing."""
    deep(PLAIN)[0].kept()
    deep(NORMED)[0].traced()
    deep(Plan((8, 12), (0, 1), dims=(3, 16, 16), num_classes=10), n=8)[0].affordable(2.0)


@number("24.10")
@weight(0.5)
@visibility("visible")
def test_deep_saved(student, deep, expect):
    """DeepConvNet computes the same scores after save and load, running averages included."""
    checks, names = deep(NORMED)
    net = checks.net()
    checks.results(net)
    averages = NORMED.averages(names, checks.params, checks.X)
    expected = NORMED.scores(names, averages)(checks.params, checks.X)
    try:
        expect(net.loss(checks.X), "scores").matches(expected, dtype=False)
    except CheckFailed:  # Whether the averages are used is asked for above; here, the network's own scores will do.
        checks, _ = deep(PLAIN)
        net = checks.net()
        expected = net.loss(checks.X)
    path = student.scratch_path("net.pth")
    net.save(path)
    again = checks.make()
    again.load(path, torch.float64, "cpu")
    expect(again.loss(checks.X), "scores after save and load").matches(expected, dtype=False)


@number("24.11")
@weight(0.5)
@visibility("hidden")
@hide_errors(LARGER_DRAW)
def test_deep_larger(deep):
    """DeepConvNet is right for other depths and for pools in other places, too."""
    for plan in (Plan((2, 5, 3), (1,), dims=(2, 6, 6)), Plan((3, 2, 4, 3), (0, 3), batchnorm=True)):
        checks, names = deep(plan, n=5)
        checks.loss()
        checks.gradients([name for kind in names.values() for name in kind])


# ---- 26. kaiming_initializer ---------------------------------------------------------------------------------------


@pytest.fixture
def kaiming(student, expect, note, rules):
    """`kaiming(Din, Dout, K, relu)`: the weights, of the right shape."""

    def weights(Din, Dout, K=None, relu=True, **settings):
        function = student.convolutional_networks.kaiming_initializer
        got = rules.traced(function, Din, Dout, K=K, relu=relu, device="cpu", **settings)
        if K is None:
            expect(got, "weight").has_shape(Din, Dout).is_finite()
        elif torch.is_tensor(got) and tuple(got.shape) == (Din, Dout, K, K):
            note("The weights of a convolution are (Din, Dout, K, K) here; Conv takes them as (Dout, Din, K, K).")
        else:
            expect(got, "weight").has_shape(Dout, Din, K, K).is_finite()
        expect(got, "weight").is_finite()
        return torch.as_tensor(got)

    return weights


def expect_normal(expect, weights, variance):
    """Mean 0, this variance, and tails as long as those of a normal distribution."""
    z = weights.double().flatten() / variance**0.5
    expect(float(z.mean()), "mean / deviation").is_between(-0.05, 0.05)
    expect(float(z.var()), "variance / gain * fan_in").is_between(0.93, 1.07)
    expect(float((z.abs() > 2).double().mean()), "share of weights beyond two deviations").is_between(0.035, 0.056)


@number("26.1")
@weight(1.5)
@visibility("visible")
def test_kaiming_linear(kaiming, expect):
    """kaiming_initializer draws the weights of a linear layer from a normal distribution of variance gain / Din."""
    expect_normal(expect, kaiming(200, 150), 2 / 200)
    expect_normal(expect, kaiming(200, 150, relu=False), 1 / 200)


@number("26.2")
@weight(1.5)
@visibility("visible")
def test_kaiming_conv(kaiming, expect):
    """kaiming_initializer draws the weights of a convolution with variance gain / (Din * K * K)."""
    expect_normal(expect, kaiming(40, 60, K=3), 2 / (40 * 9))
    expect_normal(expect, kaiming(40, 60, K=3, relu=False), 1 / (40 * 9))


@number("26.3")
@weight(1)
@visibility("visible")
def test_kaiming_dtype(kaiming):
    """kaiming_initializer makes weights in the dtype that it is told, and new ones in every call."""
    for dtype in (torch.float32, torch.float64):
        for K in (None, 3):
            weights = [kaiming(5, 6, K=K, dtype=dtype) for _ in range(2)]
            check_dtype({"weight": weights[0]}, dtype)
            if torch.equal(*weights):
                raise CheckFailed("Two calls returned the same weights. Draw new ones in every call.")
