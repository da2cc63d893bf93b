"""Checks of A4: one head of attention, and many."""

from contextlib import suppress
from functools import partial
from itertools import permutations

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import hide_errors, number, visibility, weight

from grader.contract.verdict import CheckFailed, SubmissionProblem

from .formulas import CLOSE, OTHER_DRAW, attend, some_mask, weights_of

BORROWED = ("scaled_dot_product_attention", "multi_head_attention_forward")


# ---- 35., 36. SelfAttention ----------------------------------------------------------------------------------------


def layer_of(head, name):
    layer = getattr(head, name)
    if layer is None:
        raise CheckFailed(f"self.{name} is None, where an nn.Linear should be.")
    return layer


@number("35.1")
@weight(1.5)
@visibility("visible")
def test_head_layers(student, expect):
    """SelfAttention makes q, k and v linear layers with biases: dim_in to dim_q, dim_q and dim_v."""
    head = student.transformers.SelfAttention(6, 5, 7)
    for name, size in (("q", 5), ("k", 5), ("v", 7)):
        layer = layer_of(head, name)
        expect(layer.weight, f"{name}.weight").has_shape(size, 6).is_finite()
        expect(layer.bias, f"{name}.bias").has_shape(size).is_finite()
    if student.transformer_helpers.size(student.transformers.SelfAttention(6, 5, 5)) < 3 * (6 * 5 + 5):
        raise CheckFailed("q, k and v should be three layers; here, two of them are one and the same.")


@number("35.2")
@weight(1.5)
@visibility("visible")
def test_head_begins(student, check_bounds):
    """SelfAttention draws each weight uniformly between -c and c, with c = sqrt(6 / (D_in + D_out)) of its layer."""
    head = student.transformers.SelfAttention(40, 60, 20)  # so that the bound of one layer does not do for another
    for name in ("q", "k", "v"):
        check_bounds(f"{name}.weight", layer_of(head, name).weight)


def head_of(net, prefix=""):
    """The right head with the weights of a network's own q, k and v."""

    def run(query, key, value, mask=None):
        return attend(*(net.linear(f"{prefix}{n}", x) for n, x in zip("qkv", (query, key, value), strict=True)), mask)

    return run


def check_head(trial, net, *given):
    trial.expect(net(*given), "y").matches(head_of(net)(*given), **CLOSE)


@number("36.1")
@weight(2)
@visibility("visible")
def test_head(trial, draw):
    """SelfAttention applies q, k and v to its inputs, and attention to the results."""
    net = trial.made("SelfAttention", 6, 5, 7)
    x = draw.normal(3, 4, 6)
    check_head(trial, net, x, x, x)
    check_head(trial, net, *(draw.normal(3, 4, 6) for _ in range(3)))


@number("36.2")
@weight(1)
@visibility("visible")
def test_head_lengths(trial, draw):
    """SelfAttention takes more keys than queries, and fewer."""
    net = trial.made("SelfAttention", 4, 3, 6)
    for K, L in ((2, 5), (5, 3)):
        memory = draw.normal(2, L, 4)
        check_head(trial, net, draw.normal(2, K, 4), memory, memory)


@number("36.3")
@weight(1)
@visibility("visible")
def test_head_mask(trial, draw):
    """SelfAttention hands the mask on, and forgets it with the next call."""
    net = trial.made("SelfAttention", 6, 5, 7)
    given = [draw.normal(3, 4, 6) for _ in range(3)]
    check_head(trial, net, *given, some_mask(draw, 3, 4, 4))
    check_head(trial, net, *given)


@number("36.4")
@weight(1)
@visibility("visible")
def test_head_keeps_weights(trial, draw):
    """SelfAttention keeps the weights of its last call in weights_softmax."""
    net = trial.made("SelfAttention", 6, 5, 7)
    for _ in range(2):
        query, key, value = (draw.normal(3, 4, 6) for _ in range(3))
        net(query, key, value)
        q, k = net.linear("q", query), net.linear("k", key)
        trial.expect(net.remote.weights_softmax, "weights_softmax").matches(weights_of(q, k), **CLOSE)


@number("36.5")
@weight(1)
@visibility("visible")
def test_head_gradients(trial, draw):
    """SelfAttention lets gradients through to its inputs and to its parameters."""
    net = trial.made("SelfAttention", 4, 3, 5)
    given = [draw.normal(2, 3, 4), draw.normal(2, 4, 4), draw.normal(2, 4, 4)]
    net.slopes(given, partial(head_of(net), *given))


# ---- 37., 38. MultiHeadAttention -----------------------------------------------------------------------------------


@number("37.1")
@weight(1.5)
@visibility("visible")
def test_heads_count(student, expect):
    """MultiHeadAttention makes its heads, whose queries, keys and values have dim_out numbers, and one layer more."""
    for H, inp, D in ((3, 6, 4), (2, 5, 7)):
        net = student.transformers.MultiHeadAttention(H, inp, D)
        weights = student.transformer_helpers.parameters(net)
        if type(weights) is not dict or not weights:
            raise CheckFailed("The network has no parameters. Assign its layers to attributes of self in __init__.")
        count = student.transformer_helpers.size(net)
        expected = H * 3 * (inp * D + D) + H * D * inp + inp
        if count != H * size_of_head(student, inp, D) + H * D * inp + inp:
            expect(count, f"the number of parameters with {H} heads, dim_in {inp} and dim_out {D}").equals(expected)


def size_of_head(student, inp, D):
    """The number of parameters of the submission's own SelfAttention, which is paid for there; 0 where it has none."""
    with suppress(SubmissionProblem):
        size = student.transformer_helpers.size(student.transformers.SelfAttention(inp, D, D))
        return size if type(size) is int else 0
    return 0


@number("37.2")
@weight(1.5)
@visibility("visible")
def test_heads_begin(trial, check_bounds):
    """MultiHeadAttention draws the weights of its last layer as SelfAttention draws its own."""
    H, inp, D = 3, 40, 20
    remote = trial.own.MultiHeadAttention(H, inp, D)
    weights = trial.student.transformer_helpers.parameters(remote)
    last = [name for name, value in weights.items() if value.shape == (inp, H * D)]
    if len(last) != 1:
        raise CheckFailed(f"There should be one layer from all heads' outputs, {H * D} numbers, back to {inp}.")
    check_bounds(last[0], weights[last[0]])


def heads_of(net, run):
    """Heads, each by `run(name of the head)`, side by side, and the network's own last layer."""
    heads = net.named("SelfAttention")
    (last,) = net.other(heads)

    def together(*given):
        return net.linear(last, torch.cat([run(head)(*given) for head in heads], dim=-1))

    return together


def fused(net, H, D, inp, order):
    """All heads in one layer each for queries, keys and values, made in this order."""
    shape = H * D, inp
    layers = [n for n, w in net.weights.items() if w.shape == shape]
    (last,) = net.shaped(inp, H * D)

    def split(x, name):
        y = net.linear(name.removesuffix(".weight"), x)
        return y.unflatten(-1, (H, D)).transpose(1, 2)

    def together(query, key, value, mask=None):
        q, k, v = (split(x, layers[i]) for x, i in zip((query, key, value), order, strict=True))
        y = attend(q, k, v, None if mask is None else mask[:, None])
        return net.linear(last, y.transpose(1, 2).flatten(2))

    return together


def rights_of(net, H, inp, D):
    """The ways in which the weights of a MultiHeadAttention can be meant: the usual one first."""
    if net.named("SelfAttention"):
        if len(net.other(net.named("SelfAttention"))) != 1:
            raise CheckFailed("Beside its heads, the network should have one nn.Linear, for their outputs together.")
        return [heads_of(net, lambda head: head_of(net, f"{head}."))]
    if len([w for w in net.weights.values() if w.shape == (H * D, inp)]) != 3:
        raise CheckFailed("The network should be made of SelfAttention layers and one nn.Linear.")
    return [fused(net, H, D, inp, order) for order in permutations(range(3))]


@pytest.fixture
def heads(trial):
    """`heads(H, inp, D)`: a MultiHeadAttention, and a function that checks its output for some inputs."""

    def made(H, inp, D):
        net = trial.made("MultiHeadAttention", H, inp, D)
        rights = rights_of(net, H, inp, D)

        def check(*given):
            trial.either(net(*given), "y", *(partial(right, *given) for right in rights))

        return net, check, rights[0]

    return made


@number("38.1")
@weight(2)
@visibility("visible")
def test_heads(heads, draw):
    """MultiHeadAttention puts the outputs of its heads side by side, and applies its last layer."""
    _, check, _ = heads(3, 6, 4)
    x = draw.normal(2, 5, 6)
    check(x, x, x)
    check(*(draw.normal(2, 5, 6) for _ in range(3)))


@number("38.2")
@weight(1)
@visibility("visible")
def test_heads_lengths(heads, draw):
    """MultiHeadAttention takes more keys than queries, and fewer."""
    _, check, _ = heads(2, 6, 4)
    for K, L in ((2, 5), (5, 3)):
        memory = draw.normal(2, L, 6)
        check(draw.normal(2, K, 6), memory, memory)


@number("38.3")
@weight(1.5)
@visibility("visible")
def test_heads_mask(heads, draw):
    """MultiHeadAttention gives the mask to every head, and forgets it with the next call."""
    _, check, _ = heads(3, 6, 4)
    given = [draw.normal(3, 4, 6) for _ in range(3)]
    check(*given, some_mask(draw, 3, 4, 4))
    check(*given)


@number("38.4")
@weight(1)
@visibility("visible")
def test_heads_gradients(heads, draw, trial):
    """MultiHeadAttention lets gradients through to its inputs and to its parameters."""
    net, _, right = heads(2, 5, 3)
    given = [draw.normal(2, 3, 5), draw.normal(2, 4, 5), draw.normal(2, 4, 5)]
    net.slopes(given, partial(right, *given))
    if not borrows(trial, given):
        trial.rules.traced(trial.own.MultiHeadAttention.forward, net.remote, *given)


def borrows(trial, qkv):
    """Whether attention itself is torch's, which is paid for there."""
    _, trace = trial.own.scaled_dot_product_no_loop_batch.traced(*qkv)
    functions = trace.get("functions")
    return type(functions) is dict and any(str(name).endswith(BORROWED) for name in functions)


@number("38.5")
@weight(1.5)
@visibility("hidden")
@hide_errors(OTHER_DRAW)
def test_heads_order(heads, draw, expect):
    """MultiHeadAttention does not care for the order of keys, and one query's output not for the other queries."""
    net, check, _ = heads(1, 7, 5)
    query, memory = draw.normal(2, 4, 7), draw.normal(2, 6, 7)
    check(query, memory, memory)
    before = net(query, memory, memory)
    expect(before, "y").has_shape(2, 4, 7).is_finite()
    turned = memory[:, draw.permutation(6)]
    expect(net(query, turned, turned), "y, with the keys and values in another order").matches(before, **CLOSE)
    expect(net(query[:, 1:3], memory, memory), "y, of two of the queries").matches(before[:, 1:3], **CLOSE)
