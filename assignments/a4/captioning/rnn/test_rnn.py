"""Checks of captioning: the plain RNN, forward and backward by hand, word vectors, and the loss of a caption."""

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import hide_errors, number, visibility, weight

from grader.contract.verdict import CheckFailed

LARGER_DRAW = "A second draw with other sizes came out wrong. Look for a size that is written into the function."
STEP_NAMES = ("dx", "dprev_h", "dWx", "dWh", "db")
NAMES = ("dx", "dh0", "dWx", "dWh", "db")


def right_step(x, prev_h, Wx, Wh, b):
    """torch's own cell."""
    return torch.rnn_tanh_cell(x, prev_h, Wx.t(), Wh.t(), b, torch.zeros_like(b))


def right_rnn(x, h0, Wx, Wh, b):
    """torch's own layer."""
    return torch.rnn_tanh(
        x, h0.unsqueeze(0), (Wx.t(), Wh.t(), b, torch.zeros_like(b)), True, 1, 0.0, False, False, True
    )[0]


def drawn(draw, N, D, H, T=None, dtype=torch.float64):
    """Inputs and weights with which tanh is neither linear nor saturated."""
    x = draw.normal(N, D, dtype=dtype) if T is None else draw.normal(N, T, D, dtype=dtype)
    return {
        "x": x,
        "prev_h" if T is None else "h0": draw.uniform(N, H, low=-0.9, high=0.9, dtype=dtype),
        "Wx": draw.normal(D, H, dtype=dtype, scale=D**-0.5),
        "Wh": draw.normal(H, H, dtype=dtype, scale=H**-0.5),
        "b": draw.normal(H, dtype=dtype, scale=0.5),
    }


@pytest.fixture
def step(passes):
    return passes("rnn_step_forward", "rnn_step_backward", right_step, STEP_NAMES)


@pytest.fixture
def sequence(passes):
    return passes("rnn_forward", "rnn_backward", right_rnn, NAMES)


# ---- 1. rnn_step_forward -------------------------------------------------------------------------------------------


@number("1.1")
@weight(2)
@visibility("visible")
def test_step(step, draw):
    """rnn_step_forward returns tanh(x Wx + prev_h Wh + b)."""
    step.out(drawn(draw, 3, 5, 4), dtype=False)


@number("1.2")
@weight(1)
@visibility("visible")
def test_step_careful(step, draw):
    """rnn_step_forward keeps the dtype, leaves its inputs as they were, and can be followed by autograd."""
    step.out(drawn(draw, 4, 3, 6, dtype=torch.float32))
    step.inputs(drawn(draw, 4, 6, 5))
    step.differentiable(drawn(draw, 3, 4, 5))


# ---- 2. rnn_step_backward ------------------------------------------------------------------------------------------


@number("2.1")
@weight(1.5)
@visibility("visible")
def test_step_dx(step, draw):
    """rnn_step_backward returns dx and dprev_h."""
    step.gradients(["dx", "dprev_h"], drawn(draw, 3, 5, 4))


@number("2.2")
@weight(1.5)
@visibility("visible")
def test_step_dw(step, draw):
    """rnn_step_backward returns dWx and dWh."""
    step.gradients(["dWx", "dWh"], drawn(draw, 3, 5, 4))


@number("2.3")
@weight(0.5)
@visibility("visible")
def test_step_db(step, draw):
    """rnn_step_backward returns db."""
    step.gradients(["db"], drawn(draw, 3, 5, 4))


@number("2.4")
@weight(0.5)
@visibility("visible")
def test_step_repeated(step, draw):
    """rnn_step_backward returns the same gradients again, whatever ran between, and leaves dnext_h as it was."""
    step.repeated(drawn(draw, 3, 5, 4), drawn(draw, 3, 5, 4))


@number("2.5")
@weight(0.5)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=4)
def test_step_cost(step, draw):
    """rnn_step_backward computes the gradients from their formula."""
    step.affordable(drawn(draw, 40, 60, 70))


@number("2.6")
@weight(0.5)
@visibility("hidden")
@hide_errors(LARGER_DRAW)
def test_step_larger(step, draw):
    """rnn_step_backward is right for other sizes and in float32, too."""
    step.gradients(STEP_NAMES, drawn(draw, 9, 4, 13))
    step.gradients(STEP_NAMES, drawn(draw, 7, 7, 7, dtype=torch.float32), dtype=True)


# ---- 3. rnn_forward ------------------------------------------------------------------------------------------------


@number("3.1")
@weight(2)
@visibility("visible")
def test_rnn(sequence, draw):
    """rnn_forward returns the states of all steps, (N, T, H), beginning with h0."""
    sequence.out(drawn(draw, 2, 4, 5, T=3), dtype=False)


@number("3.2")
@weight(1)
@visibility("visible")
def test_rnn_careful(sequence, draw):
    """rnn_forward keeps the dtype, leaves its inputs as they were, and gives the same again when it is called again."""
    sequence.out(drawn(draw, 3, 4, 5, T=4, dtype=torch.float32))
    sequence.inputs(drawn(draw, 3, 4, 5, T=4))
    at = drawn(draw, 3, 4, 5, T=4)
    for point in (at, drawn(draw, 2, 4, 5, T=3), at):
        sequence.out(point, dtype=False)


@number("3.3")
@weight(0.5)
@visibility("visible")
def test_rnn_autograd(sequence, draw):
    """rnn_forward can be followed by autograd, as the module RNN needs it."""
    sequence.differentiable(drawn(draw, 2, 4, 5, T=3))


@number("3.4")
@weight(0.5)
@visibility("hidden")
@hide_errors(LARGER_DRAW)
def test_rnn_larger(sequence, draw):
    """rnn_forward is right for other sizes, and for a single step, too."""
    sequence.out(drawn(draw, 5, 3, 8, T=17), dtype=False)
    sequence.out(drawn(draw, 4, 6, 6, T=1), dtype=False)


# ---- 4. rnn_backward -----------------------------------------------------------------------------------------------


@number("4.1")
@weight(2)
@visibility("visible")
def test_rnn_dx(sequence, draw):
    """rnn_backward returns dx and dh0: each state also reaches the loss through those after it."""
    sequence.gradients(["dx", "dh0"], drawn(draw, 2, 4, 5, T=4))


@number("4.2")
@weight(2)
@visibility("visible")
def test_rnn_dw(sequence, draw):
    """rnn_backward returns dWx, dWh and db, summed over the steps."""
    sequence.gradients(["dWx", "dWh", "db"], drawn(draw, 2, 4, 5, T=4))


@number("4.3")
@weight(0.5)
@visibility("visible")
def test_rnn_repeated(sequence, draw):
    """rnn_backward returns the same gradients again, whatever ran between, and leaves dh as it was."""
    sequence.repeated(drawn(draw, 2, 4, 5, T=3), drawn(draw, 2, 4, 5, T=3))


@number("4.4")
@weight(0.5)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=4)
def test_rnn_cost(sequence, draw):
    """rnn_backward computes the gradients from their formula."""
    sequence.affordable(drawn(draw, 10, 30, 40, T=12))


@number("4.5")
@weight(0.5)
@visibility("visible")
def test_rnn_single(sequence, draw):
    """rnn_backward is right for a caption of one step, and for one caption."""
    sequence.gradients(NAMES, drawn(draw, 3, 4, 5, T=1))
    sequence.gradients(NAMES, drawn(draw, 1, 4, 5, T=3))


@number("4.6")
@weight(0.5)
@visibility("hidden")
@hide_errors(LARGER_DRAW)
def test_rnn_backward_larger(sequence, draw):
    """rnn_backward is right for other sizes and in float32, too."""
    sequence.gradients(NAMES, drawn(draw, 3, 5, 7, T=11))
    sequence.gradients(NAMES, drawn(draw, 6, 6, 6, T=6, dtype=torch.float32), dtype=True, rtol=1e-3)


# ---- 5. WordEmbedding.forward --------------------------------------------------------------------------------------


class Embedding:
    """A WordEmbedding of the submission, with rows that the check drew."""

    def __init__(self, kit, V=9, D=4):
        self.kit = kit
        self.net = kit.module.WordEmbedding(V, D)
        state = self.net.state_dict()
        if type(state) is not dict or len(state) != 1:
            raise CheckFailed("A WordEmbedding should have one parameter, W_embed.")
        ((self.key, own),) = state.items()
        kit.expect(own, self.key).has_shape(V, D)
        self.rows = kit.draw.normal(V, D)
        self.net.double()
        self.net.load_state_dict({self.key: self.rows})

    def check(self, words):
        got = self.net(words.clone())
        self.kit.expect(got, "out").matches(self.rows[words.flatten()].view(*words.shape, -1), dtype=False)


@number("5.1")
@weight(1)
@visibility("visible")
def test_embedding(kit, draw):
    """WordEmbedding.forward returns the row of every word, (N, T, D)."""
    embedding = Embedding(kit)
    embedding.check(draw.labels(12, 9).view(3, 4))
    embedding.check(draw.labels(10, 9).view(5, 2))


@number("5.2")
@weight(0.5)
@visibility("visible")
def test_embedding_autograd(kit, draw, expect):
    """WordEmbedding.forward lets the gradient through to the rows; a word that occurs twice gets both gradients."""
    embedding = Embedding(kit)
    words, dout = draw.integers(0, 9, 4, 5), draw.normal(4, 5, 4)
    _, _, grads = kit.student.captioning_helpers.differentiate(embedding.net, [words], [dout], embedding.net)
    exact = torch.zeros(9, 4, dtype=torch.float64).index_add_(0, words.flatten(), dout.view(-1, 4))
    expect(grads[embedding.key], "the gradient of W_embed").matches(exact, dtype=False)


@number("5.3")
@weight(0.5)
@visibility("visible")
def test_embedding_shapes(kit, draw):
    """WordEmbedding.forward also looks up one word for each caption, (N,)."""
    Embedding(kit).check(draw.integers(0, 9, 6))


# ---- 6. temporal_softmax_loss --------------------------------------------------------------------------------------


def right_loss(x, y, ignore_index=None):
    """The sum over all words that count, divided by N."""
    cost = torch.logsumexp(x, dim=2) - x.gather(2, y.unsqueeze(2)).squeeze(2)
    counts = torch.ones_like(cost) if ignore_index is None else (y != ignore_index).to(x.dtype)
    return (cost * counts).sum() / len(x)


def padded(draw, N, T, V, null=0):
    """Captions of different lengths, filled up with `null`."""
    y = draw.integers(0, V, N, T)
    y[y == null] = (null + 1) % V
    for n, row in enumerate(y):
        row[max(1, T - n) :] = null
    return y


@pytest.fixture
def loss(student, expect):
    """`loss(x, y, ...)`: the submission's loss is right."""

    def check(x, y, *null, **how):
        got = student.rnn_lstm_captioning.temporal_softmax_loss(x.clone(), y.clone(), *null)
        N, T = y.shape
        counted = int((y != null[0]).sum()) if null and null[0] is not None else N * T
        expect(got, "loss").matches(
            right_loss(x, y, *null),
            dtype=False,
            sizes={"N": N, "T": T, "N T": N * T, "words that count": counted},
            **how,
        )

    return check


@number("6.1")
@weight(1.5)
@visibility("visible")
def test_loss(loss, draw):
    """temporal_softmax_loss sums over the steps and averages over the captions, where nothing is to be ignored."""
    # A word that does not occur: the course always says what is to be ignored.
    loss(draw.normal(4, 3, 7, scale=2.0), draw.labels(12, 6).view(4, 3), 6)
    loss(draw.normal(2, 5, 5, scale=2.0), 1 + draw.labels(10, 4).view(2, 5), 0)


@number("6.2")
@weight(1.5)
@visibility("visible")
def test_loss_ignores(loss, draw):
    """temporal_softmax_loss leaves out the words equal to ignore_index, and still divides by N."""
    loss(draw.normal(4, 5, 6, scale=2.0), padded(draw, 4, 5, 6), 0)
    loss(draw.normal(3, 4, 7, scale=2.0), padded(draw, 3, 4, 7, null=5), 5)


@number("6.3")
@weight(0.5)
@visibility("visible")
def test_loss_autograd(student, draw, expect):
    """temporal_softmax_loss has the right gradient under autograd, and leaves scores and words as they were."""
    x, y = draw.normal(3, 4, 5), padded(draw, 3, 4, 5)
    function, differentiate = (
        student.rnn_lstm_captioning.temporal_softmax_loss,
        student.captioning_helpers.differentiate,
    )
    leaf = x.clone().requires_grad_()
    (exact,) = torch.autograd.grad(right_loss(leaf, y, 0), leaf)
    _, grads, _ = differentiate(function, [x.clone(), y, 0], [torch.ones((), dtype=x.dtype)])
    expect(grads[0], "the gradient of x").matches(exact, dtype=False)
    _, after = function.observed(x.clone(), y.clone(), 0)
    expect(after[0], "x").is_unchanged_from(x)
    expect(after[1], "y").is_unchanged_from(y)


@number("6.4")
@weight(0.5)
@visibility("visible")
def test_loss_stable(loss, draw):
    """temporal_softmax_loss stays finite for scores of some hundreds."""
    loss(draw.normal(3, 4, 5, scale=500.0), padded(draw, 3, 4, 5), 0)
