"""Checks of A4: scaled dot-product attention in its three forms, one head, many heads."""

from functools import partial
from itertools import permutations

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import hide_errors, number, visibility, weight
from torch.nn import functional as F

from grader.contract.verdict import CheckFailed

# Part of the work may be done in float32, such as a root of a tensor; mistakes are larger by orders of magnitude.
CLOSE = {"rtol": 1e-5, "atol": 1e-5, "dtype": False}
BORROWED = ("scaled_dot_product_attention", "multi_head_attention_forward")
OTHER_DRAW = "A second draw with other sizes came out wrong. Look for a size that is written into the class."


# ---- the right formulas --------------------------------------------------------------------------------------------


def attend(query, key, value, mask=None):
    """Attention by torch's own hand; no row of the mask is True throughout."""
    return F.scaled_dot_product_attention(query, key, value, None if mask is None else ~mask)


def weights_of(query, key, mask=None):
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    return (scores if mask is None else scores.masked_fill(mask, float("-inf"))).softmax(dim=-1)


def drawn(draw, N, K, L, M, D):
    """query (N, K, M), key (N, L, M), value (N, L, D)."""
    return draw.normal(N, K, M), draw.normal(N, L, M), draw.normal(N, L, D)


def some_mask(draw, N, K, L):
    """About half of the keys are hidden, and in every row at least one is not, and one is."""
    mask = draw.uniform(N, K, L) < 0.5
    rows = torch.arange(K)
    mask[:, rows, rows % L] = False
    mask[:, rows, (rows + 1) % L] = True
    return mask


def pair(got):
    if type(got) not in (tuple, list) or len(got) != 2:
        raise CheckFailed("The function should return two things: the output y, and the softmaxed weights.")
    return got[0], got[1]


# ---- 32., 33. with two loops ---------------------------------------------------------------------------------------


@number("32.1")
@weight(2)
@visibility("visible")
def test_single(student, draw, expect):
    """scaled_dot_product_two_loop_single returns the mean of the values, weighted by the softmax of the scores."""
    qkv = [draw.normal(5, 4) for _ in range(3)]
    expect(student.transformers.scaled_dot_product_two_loop_single(*qkv), "out").matches(attend(*qkv), **CLOSE)


@number("32.2")
@weight(1)
@visibility("visible")
def test_single_loops(student, draw, expect, rules):
    """scaled_dot_product_two_loop_single goes through queries and keys in two nested loops."""
    function = student.transformers.scaled_dot_product_two_loop_single
    small, large = ([draw.normal(K, K) for _ in range(3)] for K in (4, 16))
    expect(function(*small), "out").matches(attend(*small), **CLOSE)
    rules.loops(function, small, large, at_least=2, at_most=2)


@number("32.3")
@weight(1)
@visibility("hidden")
@hide_errors(OTHER_DRAW)
def test_single_large(student, draw, expect):
    """scaled_dot_product_two_loop_single is right for scores beyond a thousand, and leaves its inputs alone."""
    qkv = [draw.normal(6, 9, scale=scale) for scale in (30.0, 30.0, 1.0)]
    got, after = student.transformers.scaled_dot_product_two_loop_single.observed(*(x.clone() for x in qkv))
    expect(got, "out").matches(attend(*qkv), **{**CLOSE, "atol": 1e-3})
    for name, x, now in zip(("query", "key", "value"), qkv, after, strict=True):
        expect(now, name).is_unchanged_from(x)


@number("33.1")
@weight(2)
@visibility("visible")
def test_batch(student, draw, expect):
    """scaled_dot_product_two_loop_batch computes the attention of every sequence of a batch."""
    qkv = [draw.normal(3, 5, 4) for _ in range(3)]
    expect(student.transformers.scaled_dot_product_two_loop_batch(*qkv), "out").matches(attend(*qkv), **CLOSE)


@number("33.2")
@weight(1)
@visibility("visible")
def test_batch_loops(student, draw, expect, rules):
    """scaled_dot_product_two_loop_batch does its work in exactly two loops."""
    function = student.transformers.scaled_dot_product_two_loop_batch
    small, large = ([draw.normal(K, K, K) for _ in range(3)] for K in (3, 12))
    expect(function(*small), "out").matches(attend(*small), **CLOSE)
    # Two loops one after the other are two loops as well.
    rules.loops(function, small, large, at_least=2, at_most=2, in_a_row=True)


@number("33.3")
@weight(1)
@visibility("hidden")
@hide_errors(OTHER_DRAW)
def test_batch_large(student, draw, expect):
    """scaled_dot_product_two_loop_batch is right for scores beyond a thousand, and leaves its inputs alone."""
    qkv = [draw.normal(2, 6, 9, scale=scale) for scale in (30.0, 30.0, 1.0)]
    got, after = student.transformers.scaled_dot_product_two_loop_batch.observed(*(x.clone() for x in qkv))
    expect(got, "out").matches(attend(*qkv), **{**CLOSE, "atol": 1e-3})
    for name, x, now in zip(("query", "key", "value"), qkv, after, strict=True):
        expect(now, name).is_unchanged_from(x)


# ---- 34. without loops ---------------------------------------------------------------------------------------------


@number("34.1")
@weight(1.5)
@visibility("visible")
def test_no_loop(student, draw, expect):
    """scaled_dot_product_no_loop_batch returns the attention of every sequence."""
    qkv = drawn(draw, 3, 5, 5, 4, 4)
    y, _ = pair(student.transformers.scaled_dot_product_no_loop_batch(*qkv))
    expect(y, "y").matches(attend(*qkv), **CLOSE)


@number("34.2")
@weight(1)
@visibility("visible")
def test_no_loop_weights(student, draw, expect):
    """scaled_dot_product_no_loop_batch returns its weights, too; those of a query add up to one."""
    query, key, value = drawn(draw, 3, 5, 5, 4, 4)
    _, weights = pair(student.transformers.scaled_dot_product_no_loop_batch(query, key, value))
    expect(weights, "the weights").has_shape(3, 5, 5).is_finite()
    total = torch.as_tensor(weights).sum(dim=-1)
    expect(total, "the sum of a query's weights").matches(torch.ones(3, 5, dtype=torch.float64), **CLOSE)
    expect(weights, "the weights").matches(weights_of(query, key), **CLOSE)


@number("34.3")
@weight(1.5)
@visibility("visible")
def test_no_loop_mask(student, draw, expect):
    """scaled_dot_product_no_loop_batch hides a key from a query where the mask is True."""
    query, key, value = drawn(draw, 3, 5, 5, 4, 4)
    mask = some_mask(draw, 3, 5, 5)
    y, weights = pair(student.transformers.scaled_dot_product_no_loop_batch(query, key, value, mask))
    expect(weights, "the weights").matches(weights_of(query, key, mask), **CLOSE)
    expect(y, "y").matches(attend(query, key, value, mask), **CLOSE)


@number("34.4")
@weight(1)
@visibility("visible")
def test_no_loop_lengths(student, draw, expect):
    """scaled_dot_product_no_loop_batch takes more keys than queries, and divides by the root of the queries' size."""
    for K, L, D in ((3, 6, 4), (6, 2, 7)):
        qkv = drawn(draw, 2, K, L, 4, D)
        mask = some_mask(draw, 2, K, L)
        for given in (qkv, (*qkv, mask)):
            y, _ = pair(student.transformers.scaled_dot_product_no_loop_batch(*given))
            expect(y, "y").matches(attend(*given), **CLOSE)


@number("34.5")
@weight(1)
@visibility("visible")
def test_no_loop_gradients(trial, draw):
    """scaled_dot_product_no_loop_batch lets gradients through to queries, keys and values."""
    mask = some_mask(draw, 2, 4, 5)
    qkv = drawn(draw, 2, 4, 5, 3, 3)
    function = trial.own.scaled_dot_product_no_loop_batch
    trial.gradients(function, ("query", "key", "value"), qkv, attend)
    trial.gradients(function, ("query", "key", "value", "mask"), (*qkv, mask), attend)


@number("34.6")
@weight(1)
@visibility("visible")
def test_no_loop_vectorised(student, draw, expect, rules):
    """scaled_dot_product_no_loop_batch works with whole tensors, without loops, with and without a mask."""
    function = student.transformers.scaled_dot_product_no_loop_batch
    small, large = ((*drawn(draw, K, K, K, K, K), some_mask(draw, K, K, K)) for K in (3, 12))
    expect(pair(function(*small))[0], "y").matches(attend(*small), **CLOSE)
    rules.vectorised(function, small, large)
    rules.traced(function, *small)


@number("34.7")
@weight(1)
@visibility("visible")
def test_no_loop_all_hidden(student, draw, expect):
    """scaled_dot_product_no_loop_batch gives a query whose keys are all hidden the plain mean; its inputs stay."""
    query, key, value = drawn(draw, 2, 3, 4, 5, 5)
    mask = torch.zeros(2, 3, 4, dtype=torch.bool)
    mask[:, 1] = True
    given = query, key, value, mask
    got, after = student.transformers.scaled_dot_product_no_loop_batch.observed(*(x.clone() for x in given))
    y, _ = pair(got)
    expected = attend(query, key, value)
    expected[:, 1] = value.mean(dim=1)
    expect(y, "y").matches(expected, **CLOSE)
    for name, x, now in zip(("query", "key", "value", "mask"), given, after, strict=True):
        expect(now, name).is_unchanged_from(x)


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


@number("35.2")
@weight(1.5)
@visibility("visible")
def test_head_begins(student, check_bounds):
    """SelfAttention draws each weight uniformly between -c and c, with c = sqrt(6 / (D_in + D_out)) of its layer."""
    head = student.transformers.SelfAttention(40, 60, 50)
    for name in ("q", "k", "v"):
        check_bounds(f"{name}.weight", layer_of(head, name).weight)


def head_of(net, prefix=""):
    """The right head with the weights of a network's own q, k and v."""

    def run(query, key, value, mask=None):
        return attend(*(net.linear(f"{prefix}{n}", x) for n, x in zip("qkv", (query, key, value), strict=True)), mask)

    return run


def own_attention(net):
    """The submission's attention over a network's own q, k and v."""

    def run(query, key, value, mask=None):
        parts = [net.linear(n, x) for n, x in zip("qkv", (query, key, value), strict=True)]
        given = parts if mask is None else [*parts, mask]
        return torch.as_tensor(pair(net.trial.own.scaled_dot_product_no_loop_batch(*given))[0])

    return run


def check_head(trial, net, *given):
    rights = (head_of(net), own_attention(net))
    trial.either(net(*given), "y", *(partial(right, *given) for right in rights))


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
        q, k, v = net.linear("q", query), net.linear("k", key), net.linear("v", value)

        def own(q=q, k=k, v=v):
            return torch.as_tensor(pair(trial.own.scaled_dot_product_no_loop_batch(q, k, v))[1])

        trial.either(net.remote.weights_softmax, "weights_softmax", partial(weights_of, q, k), own)


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
        count = sum(torch.as_tensor(value).numel() for value in weights.values())
        expected = H * 3 * (inp * D + D) + H * D * inp + inp
        expect(count, f"the number of parameters with {H} heads, dim_in {inp} and dim_out {D}").equals(expected)


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
        right = heads_of(net, lambda head: head_of(net, f"{head}."))
        own = heads_of(net, lambda head: lambda *given: torch.as_tensor(net.part(head)(*given)))
        return [right, own]
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
