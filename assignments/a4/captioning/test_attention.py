"""Checks of captioning: dot-product attention, and the LSTM that looks at the image before every step."""

import math

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import hide_errors, number, visibility, weight

from grader.contract.verdict import CheckFailed, PartlyMet, StudentError

LARGER_DRAW = "A second draw with other sizes came out wrong. Look for a size that is written into the method."


# ---- 9. dot_product_attention --------------------------------------------------------------------------------------


def right(prev_h, A):
    """torch's own attention, with one query and the cells of the grid as keys and values."""
    cells = A.flatten(2).transpose(1, 2)
    attn = torch.nn.functional.scaled_dot_product_attention(prev_h.unsqueeze(1), cells, cells).squeeze(1)
    scores = torch.einsum("nh,nkh->nk", prev_h, cells) / math.sqrt(prev_h.shape[1])
    return attn, scores.softmax(dim=1).view(len(A), *A.shape[2:])


@pytest.fixture
def look(student):
    """`look(prev_h, A)`: attention and weights of the submission."""

    def call(prev_h, A):
        got = student.rnn_lstm_captioning.dot_product_attention(prev_h.clone(), A.clone())
        if type(got) not in (tuple, list) or len(got) != 2:
            raise CheckFailed("The function should return two things, the attention and its weights.")
        return got

    return call


def drawn(draw, N, H, dtype=torch.float64, scale=1.0):
    return draw.normal(N, H, dtype=dtype, scale=scale), draw.normal(N, H, 4, 4, dtype=dtype, scale=scale)


@number("9.1")
@weight(1.5)
@visibility("visible")
def test_weights(look, draw, expect):
    """dot_product_attention returns weights (N, 4, 4): the softmax over the grid of prev_h . A / sqrt(H)."""
    prev_h, A = drawn(draw, 3, 5, scale=1.5)
    weights = look(prev_h, A)[1]
    expect(weights, "weights").has_shape(3, 4, 4).is_finite()
    expect(torch.as_tensor(weights).double().sum(dim=(1, 2)), "the sum of the weights of an image").matches(
        torch.ones(3, dtype=torch.float64), rtol=1e-5
    )
    expect(weights, "weights").matches(right(prev_h, A)[1], dtype=False, sizes={"H": 5})


@number("9.2")
@weight(1.5)
@visibility("visible")
def test_attention(look, draw, expect):
    """dot_product_attention returns the average of the cells of A under the weights, (N, H)."""
    prev_h, A = drawn(draw, 3, 5, scale=1.5)
    attn, weights = look(prev_h, A)
    try:
        expect(attn, "attn").matches(right(prev_h, A)[0], dtype=False)
    except CheckFailed:
        expect(weights, "weights").has_shape(3, 4, 4).is_finite()
        own = torch.as_tensor(weights).double()
        # Weights that are wrong were paid for in 9.1, unless they are the same everywhere.
        if float(own.flatten(1).std(dim=1).min()) < 1e-3:
            raise
        expect(attn, "attn").matches(torch.einsum("nhpq,npq->nh", A, own), dtype=False)


@number("9.3")
@weight(0.5)
@visibility("visible")
def test_attention_autograd(student, draw, expect):
    """dot_product_attention can be followed by autograd, to the state and to the image."""
    prev_h, A = drawn(draw, 3, 5)
    douts = [draw.normal(3, 5), draw.normal(3, 4, 4)]
    leaves = [prev_h.clone().requires_grad_(), A.clone().requires_grad_()]
    exact = torch.autograd.grad(right(*leaves), leaves, douts)
    function = student.rnn_lstm_captioning.dot_product_attention
    _, grads, _ = student.captioning_helpers.differentiate(function, [prev_h, A], douts)
    expect(grads, ("the gradient of prev_h", "the gradient of A")).matches(list(exact), dtype=False)


@number("9.4")
@weight(0.5)
@visibility("visible")
def test_attention_careful(student, look, draw, expect):
    """dot_product_attention keeps the dtype and leaves its inputs as they were."""
    for N, H in ((2, 6), (5, 16)):
        given = drawn(draw, N, H, dtype=torch.float32)
        expect(look(*given), ("attn", "weights")).matches(right(*given))
    prev_h, A = drawn(draw, 2, 5)
    _, after = student.rnn_lstm_captioning.dot_product_attention.observed(prev_h.clone(), A.clone())
    expect(after[0], "prev_h").is_unchanged_from(prev_h)
    expect(after[1], "A").is_unchanged_from(A)


@number("9.5")
@weight(1)
@visibility("visible")
def test_attention_stable(look, draw, expect):
    """dot_product_attention stays finite where the products are large, for several images and for a single one."""
    failures = []
    for N in (3, 1):
        given = drawn(draw, N, 5, scale=40.0)
        try:
            expect(look(*given), ("attn", "weights")).matches(right(*given), dtype=False)
        except (CheckFailed, StudentError) as problem:
            failures.append(problem)
    if failures:
        raise failures[0] if len(failures) == 2 else PartlyMet(failures[0].explanation, 0.5)


# ---- 10. AttentionLSTM.step_forward --------------------------------------------------------------------------------


@pytest.fixture
def lstm(cell):
    """`lstm(D, H)`: an AttentionLSTM of the submission."""
    return lambda D=5, H=4, **how: cell("AttentionLSTM", D, H, **how)


@number("10.1")
@weight(2)
@visibility("visible")
def test_step(lstm):
    """AttentionLSTM.step_forward adds attn Wattn to the sums of its gates, in the order i, f, o, g."""
    lstm().check_step(3, dtype=False)


@number("10.2")
@weight(1)
@visibility("visible")
def test_step_autograd(lstm):
    """AttentionLSTM.step_forward can be followed by autograd, to its inputs and to its parameters."""
    lstm().check_autograd("step_forward", 3)


@number("10.3")
@weight(0.5)
@visibility("visible")
def test_step_careful(lstm):
    """AttentionLSTM.step_forward keeps the dtype, leaves its inputs as they were, and keeps nothing for later."""
    lstm(dtype=torch.float32).check_step(3)
    lstm().check_kept("step_forward", 3)


@number("10.4")
@weight(0.5)
@visibility("hidden")
@hide_errors(LARGER_DRAW)
def test_step_larger(lstm):
    """AttentionLSTM.step_forward is right for other sizes, too."""
    lstm(3, 11).check_step(7, dtype=False)
    lstm(6, 6).check_step(6, dtype=False)


# ---- 11. AttentionLSTM.forward -------------------------------------------------------------------------------------


@number("11.1")
@weight(1.5)
@visibility("visible")
def test_sequence(lstm):
    """AttentionLSTM.forward returns the hidden states of all steps, looking at A with each state before its step."""
    lstm().check_sequence(2, 4, dtype=False)


@number("11.2")
@weight(0.5)
@visibility("visible")
def test_sequence_start(lstm):
    """AttentionLSTM.forward starts with the mean of A over the grid, as hidden state and as cell state."""
    lstm().check_sequence(3, 1, dtype=False)


@number("11.3")
@weight(1)
@visibility("visible")
def test_sequence_autograd(lstm):
    """AttentionLSTM.forward can be followed by autograd, through all steps, to its inputs and to its parameters."""
    lstm().check_autograd("forward", 2, 3)


@number("11.4")
@weight(0.5)
@visibility("visible")
def test_sequence_careful(lstm):
    """AttentionLSTM.forward keeps the dtype, leaves its inputs as they were, and keeps no state for the next call."""
    lstm(dtype=torch.float32).check_sequence(2, 4)
    lstm().check_kept("forward", 2, 3)


@number("11.5")
@weight(0.5)
@visibility("hidden")
@hide_errors(LARGER_DRAW)
def test_sequence_larger(lstm):
    """AttentionLSTM.forward is right for other sizes, too."""
    lstm(3, 9).check_sequence(4, 12, dtype=False)
