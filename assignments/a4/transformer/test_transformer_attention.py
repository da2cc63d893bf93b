"""Checks of A4: scaled dot-product attention in its three forms."""

from contextlib import suppress

import torch
from gradescope_utils.autograder_utils.decorators import hide_errors, number, visibility, weight

from grader.contract.verdict import StudentError, SubmissionProblem

from .formulas import CLOSE, OTHER_DRAW, attend, drawn, pair, some_mask, weights_of

# ---- 32., 33. with two loops ---------------------------------------------------------------------------------------


def precision(function, *shape):
    """float64; float32 where a function takes that alone: its own tables are of that dtype, as the course's inputs."""
    ones = torch.ones(shape, dtype=torch.float64)
    try:
        function(ones, ones, ones)
    except StudentError:
        with suppress(SubmissionProblem):
            function(ones.float(), ones.float(), ones.float())
            return torch.float32
    return torch.float64


def check_attended(expect, function, qkv):
    """The output for queries, keys and values of any dtype."""
    right = attend(*(x.double() for x in qkv))
    expect(function(*(x.clone() for x in qkv)), "out").matches(right, **CLOSE)


@number("32.1")
@weight(2)
@visibility("visible")
def test_single(student, draw, expect):
    """scaled_dot_product_two_loop_single returns the mean of the values, weighted by the softmax of the scores."""
    function = student.transformers.scaled_dot_product_two_loop_single
    dtype = precision(function, 5, 4)
    check_attended(expect, function, [draw.normal(5, 4, dtype=dtype) for _ in range(3)])


@number("32.2")
@weight(1)
@visibility("visible")
def test_single_loops(student, draw, expect, rules):
    """scaled_dot_product_two_loop_single goes through queries and keys in two nested loops."""
    function = student.transformers.scaled_dot_product_two_loop_single
    dtype = precision(function, 4, 4)
    small, large = ([draw.normal(K, K, dtype=dtype) for _ in range(3)] for K in (4, 16))
    check_attended(expect, function, small)
    rules.loops(function, small, large, at_least=2, at_most=2)


def check_large(expect, draw, function, *shape):
    """Scores beyond a thousand, two of them so close that the scale still shows; the inputs stay as they were."""
    M, dtype = shape[-1], precision(function, *shape)
    for _ in range(50):
        q, k, v = (draw.normal(*shape, scale=scale, dtype=dtype) for scale in (30.0, 30.0, 1.0))
        query, keys = q.view(-1, *shape[-2:])[0, 0], k.view(-1, *shape[-2:])[0]
        best = int((keys @ query).argmax())
        # Another key, with a score that is lower by 0.7.
        keys[best - 1] = keys[best] - 0.7 * M**0.5 * query / query.dot(query)
        right = attend(q.double(), k.double(), v.double())
        wrong = (attend(other.double(), k.double(), v.double()) for other in (q / M**0.5, q * M**0.5))
        if all((other - right).abs().max() > 0.05 for other in wrong):
            break
    got, after = function.observed(q.clone(), k.clone(), v.clone())
    expect(got, "out").matches(right, **{**CLOSE, "atol": 1e-3 if dtype == torch.float64 else 1e-2})
    for name, x, now in zip(("query", "key", "value"), (q, k, v), after, strict=True):
        expect(now, name).is_unchanged_from(x)


@number("32.3")
@weight(1)
@visibility("hidden")
@hide_errors(OTHER_DRAW)
def test_single_large(student, draw, expect):
    """scaled_dot_product_two_loop_single is right for scores beyond a thousand, and leaves its inputs alone."""
    check_large(expect, draw, student.transformers.scaled_dot_product_two_loop_single, 6, 9)


@number("33.1")
@weight(2)
@visibility("visible")
def test_batch(student, draw, expect):
    """scaled_dot_product_two_loop_batch computes the attention of every sequence of a batch."""
    function = student.transformers.scaled_dot_product_two_loop_batch
    dtype = precision(function, 3, 5, 4)
    check_attended(expect, function, [draw.normal(3, 5, 4, dtype=dtype) for _ in range(3)])


@number("33.2")
@weight(1)
@visibility("visible")
def test_batch_loops(student, draw, expect, rules):
    """scaled_dot_product_two_loop_batch does its work in exactly two loops."""
    function = student.transformers.scaled_dot_product_two_loop_batch
    dtype = precision(function, 3, 3, 3)
    small, large = ([draw.normal(K, K, K, dtype=dtype) for _ in range(3)] for K in (3, 12))
    check_attended(expect, function, small)
    # Two loops one after the other are two loops as well.
    rules.loops(function, small, large, at_least=2, at_most=2, in_a_row=True)


@number("33.3")
@weight(1)
@visibility("hidden")
@hide_errors(OTHER_DRAW)
def test_batch_large(student, draw, expect):
    """scaled_dot_product_two_loop_batch is right for scores beyond a thousand, and leaves its inputs alone."""
    check_large(expect, draw, student.transformers.scaled_dot_product_two_loop_batch, 2, 6, 9)


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
