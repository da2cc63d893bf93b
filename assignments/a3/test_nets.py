"""Checks of A3: the fully connected networks.

A penalty of reg * sum(W * W) and one of half that are both right in FullyConnectedNet, where handouts contradict each
other; in TwoLayerNet there is no factor 1/2.
"""

from itertools import pairwise

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import hide_errors, number, visibility, weight

from grader.contract.verdict import CheckFailed

LARGER_DRAW = "A second draw with other sizes came out wrong. Look for a size that is written into the function."


def drawn(draw, dims):
    """W1, b1, ... of a network with these sizes, so that scores are near one."""
    params = {}
    for i, (d, m) in enumerate(pairwise(dims), start=1):
        params[f"W{i}"] = draw.normal(d, m, scale=(2 / d) ** 0.5)
        params[f"b{i}"] = draw.normal(m, scale=0.3)
    return params


def scores(params, X):
    """{linear - ReLU} x (L - 1) - linear."""
    h, last = X.flatten(1), len(params) // 2
    for i in range(1, last + 1):
        h = h @ params[f"W{i}"] + params[f"b{i}"]
        h = h.clamp(min=0) if i < last else h
    return h


def check_begin(expect, params, dims, weight_scale, dtype):
    """Shapes, dtype, deviation of the weights, biases of zero."""
    last = len(dims) - 1
    if type(params) is not dict or sorted(params) != sorted(f"{kind}{i}" for kind in "Wb" for i in range(1, last + 1)):
        raise CheckFailed(f"net.params should be a dict with the keys W1, b1, ..., W{last}, b{last}.")
    for i, shape in enumerate(pairwise(dims), start=1):
        expect(params[f"W{i}"], f"W{i}").has_shape(*shape).is_finite()
        expect(params[f"b{i}"], f"b{i}").matches(torch.zeros(shape[1], dtype=dtype), dtype=False)
        spread = float(torch.as_tensor(params[f"W{i}"]).double().std())
        expect(spread / weight_scale, f"deviation of W{i} / weight_scale").is_between(0.8, 1.25)


def check_dtypes(make, expect):
    for dtype in (torch.float64, torch.float32):
        params = make(dtype).params
        if type(params) is not dict or not params:
            raise CheckFailed("net.params should be a dict of tensors.")
        for name, value in params.items():
            expect(value, str(name)).is_finite()
            if not torch.is_tensor(value) or value.dtype != dtype:
                raise CheckFailed(f"{name} should be a tensor of dtype {dtype}, as the constructor was told.")


def check_saved(kit, make, checks):
    """A network that loads what another one saved computes the same scores."""
    path = kit.student.scratch_path("net.pth")
    checks.net().save(path)
    again = make()
    again.load(path, torch.float64, "cpu")
    kit.expect(again.loss(checks.X), "scores after save and load").matches(
        checks.right(checks.params, checks.X), dtype=False
    )


# ---- 7. TwoLayerNet.__init__ ---------------------------------------------------------------------------------------

SMALL = {"input_dim": 6, "hidden_dim": 7, "num_classes": 4}
SMALL_DIMS = (6, 7, 4)


@pytest.fixture
def two_layers(kit, network, draw):
    """The checks of a TwoLayerNet."""

    def make(reg=0.0, dtype=torch.float64):
        return kit.student.fully_connected_networks.TwoLayerNet(**SMALL, reg=reg, dtype=dtype, device="cpu")

    return network(make, scores, drawn(draw, SMALL_DIMS), draw.normal(5, 2, 3), draw.labels(5, 4))


@number("7.1")
@weight(2)
@visibility("visible")
def test_two_layers_begin(student, expect):
    """TwoLayerNet begins with normal weights of deviation weight_scale, and biases of zero."""
    for weight_scale in (1e-3, 0.05):
        settings = {"input_dim": 60, "hidden_dim": 50, "num_classes": 40, "weight_scale": weight_scale}
        net = student.fully_connected_networks.TwoLayerNet(**settings)
        check_begin(expect, net.params, (60, 50, 40), weight_scale, torch.float32)


@number("7.2")
@weight(1)
@visibility("visible")
def test_two_layers_dtype(student, expect, rules):
    """TwoLayerNet makes its parameters itself, in the dtype that it is told."""
    net = student.fully_connected_networks.TwoLayerNet
    check_dtypes(lambda dtype: rules.traced(net, **SMALL, dtype=dtype), expect)


# ---- 8. TwoLayerNet.loss -------------------------------------------------------------------------------------------


@number("8.1")
@weight(1)
@visibility("visible")
def test_two_layers_scores(two_layers):
    """TwoLayerNet.loss returns the scores where no labels are given."""
    two_layers.scores()


@number("8.2")
@weight(1.5)
@visibility("visible")
def test_two_layers_loss(two_layers):
    """TwoLayerNet.loss returns the softmax loss."""
    two_layers.loss()


@number("8.3")
@weight(1)
@visibility("visible")
def test_two_layers_second(two_layers):
    """TwoLayerNet.loss returns the gradients of W2 and b2."""
    two_layers.gradients(["W2", "b2"])


@number("8.4")
@weight(1.5)
@visibility("visible")
def test_two_layers_first(two_layers):
    """TwoLayerNet.loss returns the gradients of W1 and b1."""
    two_layers.gradients(["W1", "b1"])


@number("8.5")
@weight(1)
@visibility("visible")
def test_two_layers_penalty(two_layers):
    """TwoLayerNet.loss adds reg * (sum(W1 * W1) + sum(W2 * W2)) to the loss, and its gradient to those of W1 and W2."""
    two_layers.penalty()


@number("8.6")
@weight(0.5)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=5)
def test_two_layers_cost(kit, network, two_layers, draw):
    """TwoLayerNet.loss goes backwards through its own layers, fast enough for images, and changes nothing."""
    two_layers.kept()
    two_layers.traced()

    def make(reg=0.0):
        return kit.student.fully_connected_networks.TwoLayerNet(400, 50, 10, reg=reg, dtype=torch.float64)

    network(make, scores, drawn(draw, (400, 50, 10)), draw.normal(20, 400), draw.labels(20, 10)).affordable()


@number("8.7")
@weight(0.5)
@visibility("visible")
def test_two_layers_saved(kit, two_layers):
    """TwoLayerNet computes the same scores after save and load."""
    check_saved(kit, two_layers.make, two_layers)


# ---- 9. FullyConnectedNet.__init__ ---------------------------------------------------------------------------------


def counted_from_zero(params, usual):
    """Usual -> own name, where a network calls its parameters W0, b0, ... instead of W1, b1, ...; otherwise empty."""
    own = {name: f"{name[0]}{int(name[1:]) - 1}" for name in usual}
    return own if type(params) is dict and set(params) == set(own.values()) else {}


@pytest.fixture
def deep(kit, network, draw):
    """`deep(hidden_dims, n=5)`: the checks of a FullyConnectedNet.

    Names that are counted from 0 cost what the constructor is worth, not what the loss is worth as well.
    """

    def checks(hidden_dims, n=5, **settings):
        def make(reg=0.0):
            return kit.student.fully_connected_networks.FullyConnectedNet(
                list(hidden_dims), input_dim=6, num_classes=4, reg=reg, dtype=torch.float64, device="cpu", **settings
            )

        params = drawn(draw, (6, *hidden_dims, 4))
        own = counted_from_zero(make().params, params)
        return network(make, scores, params, draw.normal(n, 2, 3), draw.labels(n, 4), own=own)

    return checks


@number("9.1")
@weight(2)
@visibility("visible")
def test_deep_begin(student, expect):
    """FullyConnectedNet begins with normal weights of deviation weight_scale, and biases of zero, at any depth."""
    for hidden, weight_scale in (([30, 40, 50], 0.02), ([45], 1e-3)):
        settings = {"input_dim": 60, "num_classes": 20, "weight_scale": weight_scale, "dtype": torch.float64}
        net = student.fully_connected_networks.FullyConnectedNet(hidden, **settings)
        check_begin(expect, net.params, (60, *hidden, 20), weight_scale, torch.float64)


@number("9.2")
@weight(1)
@visibility("visible")
def test_deep_dtype(student, expect, rules):
    """FullyConnectedNet makes its parameters itself, in the dtype that it is told."""
    settings = {"input_dim": 6, "num_classes": 4}
    net = student.fully_connected_networks.FullyConnectedNet
    check_dtypes(lambda dtype: rules.traced(net, [5], dtype=dtype, **settings), expect)


# ---- 10. FullyConnectedNet.loss ------------------------------------------------------------------------------------


@number("10.1")
@weight(1)
@visibility("visible")
def test_deep_scores(deep):
    """FullyConnectedNet.loss returns the scores where no labels are given, at any depth."""
    for hidden in ([7], [7, 5, 6]):
        deep(hidden).scores()


@number("10.2")
@weight(1.5)
@visibility("visible")
def test_deep_loss(deep):
    """FullyConnectedNet.loss returns the softmax loss."""
    for hidden in ([7], [7, 5, 6]):
        deep(hidden).loss()


@number("10.3")
@weight(1.5)
@visibility("visible")
def test_deep_weights(deep):
    """FullyConnectedNet.loss returns the gradients of all weights."""
    deep([7, 5, 6]).gradients(["W4", "W3", "W2", "W1"])


@number("10.4")
@weight(1)
@visibility("visible")
def test_deep_biases(deep):
    """FullyConnectedNet.loss returns the gradients of all biases."""
    deep([7, 5, 6]).gradients(["b4", "b3", "b2", "b1"])


@number("10.5")
@weight(1)
@visibility("visible")
def test_deep_penalty(deep):
    """FullyConnectedNet.loss adds the penalty on all weights, and its gradient: reg * sum(W * W), or half of it."""
    deep([7, 5]).penalty(factors=(1.0, 0.5))


@number("10.6")
@weight(1)
@visibility("visible")
def test_deep_dropout_rests(deep, expect):
    """FullyConnectedNet.loss drops numbers in training, and nothing where no labels are given."""
    checks = deep([60, 50], dropout=0.5)
    checks.scores()
    net = checks.net()
    losses = [checks.results(net)[0] for _ in range(2)]
    for loss in losses:
        expect(loss, "loss").has_shape().is_finite()
    if abs(float(losses[0]) - float(checks.exact()[0])) < 1e-6 or float(losses[0]) == float(losses[1]):
        raise CheckFailed("With dropout=0.5 the loss in training should change from call to call, but it does not.")


@number("10.7")
@weight(1)
@visibility("visible")
def test_deep_dropout_gradients(deep, gradients):
    """FullyConnectedNet.loss goes backwards through dropout: its gradients are those of its own loss."""
    checks = deep([12, 11], n=3, dropout=0.4, seed=321)
    net = checks.net()

    def own(**at):
        checks.give(net, {**checks.params, **at})
        loss, grads = checks.results(net)
        return loss, {name: grads[name] for name in at}

    # Of these, no slope is measured entry by entry: they are large enough for random directions to be cheaper.
    gradients.loss(own, at={name: checks.params[name] for name in ("W1", "W2")}, dtype=False)


@number("10.8")
@weight(0.5)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=5)
def test_deep_cost(kit, network, deep, draw):
    """FullyConnectedNet.loss goes backwards through its own layers, fast enough for images, and changes nothing."""
    deep([7, 5]).kept()
    deep([7, 5], dropout=0.4, seed=321).traced()

    def make(reg=0.0):
        net = kit.student.fully_connected_networks.FullyConnectedNet
        return net([50, 30], input_dim=300, num_classes=10, reg=reg, dtype=torch.float64)

    params = drawn(draw, (300, 50, 30, 10))
    own = counted_from_zero(make().params, params)
    network(make, scores, params, draw.normal(20, 300), draw.labels(20, 10), own=own).affordable()


@number("10.9")
@weight(0.5)
@visibility("hidden")
@hide_errors(LARGER_DRAW)
def test_deep_saved(kit, deep):
    """FullyConnectedNet is right at depth six as well, and computes the same scores after save and load."""
    checks = deep([9, 8, 7, 6, 5], n=11)
    checks.scores()
    checks.gradients(["W1", "b1", "W6", "b6"])
    check_saved(kit, checks.make, checks)
