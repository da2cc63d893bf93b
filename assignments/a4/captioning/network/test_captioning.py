"""Checks of captioning: the network that reads an image and writes a caption, with each of its three cells.

The image encoder is replaced by one whose features are known. Everything is compared with a network of torch's own
cells under the same weights; words are compared up to the first `<END>`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from gradescope_utils.autograder_utils.decorators import hide_errors, number, visibility, weight

from grader.contract.verdict import CheckFailed, Explanation, PartlyMet, StudentError

LARGER_DRAW = "A second draw with other sizes came out wrong. Look for a size that is written into the class."
CELL_TYPES = ("rnn", "lstm", "attn")
PLAIN = ["<NULL>", *(f"word{i}" for i in range(10))]
STEPS, SMALL, RATES = 15, 0.4, {"rnn": 0.01, "lstm": 0.01, "attn": 0.004}
ENDLESS = ["<NULL>", "<START>", *(f"word{i}" for i in range(11))]


def for_each(check: Callable[[str], None], cell_types: Sequence[str] = CELL_TYPES) -> None:
    """The check passes with each of the cells; where it passes with some, these earn their share."""
    failures: list[tuple[str, CheckFailed | StudentError]] = []
    for cell_type in cell_types:
        try:
            check(cell_type)
        except (CheckFailed, StudentError) as problem:
            failures.append((cell_type, problem))
    if not failures:
        return
    cell_type, first = failures[0]
    if len(failures) == len(cell_types):
        raise first
    told = replace(first.explanation, message=f"With cell_type={cell_type!r}: {first.explanation.message}")
    raise PartlyMet(told, 1 - len(failures) / len(cell_types))


# ---- 12. CaptioningRNN.__init__ ------------------------------------------------------------------------------------


@number("12.1")
@weight(1.5)
@visibility("visible")
def test_parts(captioner):
    """CaptioningRNN has word vectors, a recurrent cell, and layers from features to state and from state to scores."""
    for_each(captioner)


@number("12.2")
@weight(0.5)
@visibility("visible")
def test_vocabulary(captioner):
    """CaptioningRNN can be made for a vocabulary without <START> and <END>, and for other sizes."""
    for_each(partial(captioner, W=9, H=6, words=PLAIN))


@number("12.3")
@weight(0.5)
@visibility("visible")
def test_cell_types(captioner, student):
    """CaptioningRNN refuses cell types that do not exist."""
    captioner("rnn")
    try:
        unknown_cell(student)
    except StudentError:
        return
    raise CheckFailed(Explanation("cell_type='gru' was accepted.", expected="an error", got="a network"))


@number("12.4")
@weight(0.5)
@visibility("visible")
def test_cell_types_error(captioner, student):
    """CaptioningRNN refuses cell types that do not exist with a ValueError."""
    captioner("rnn")
    try:
        unknown_cell(student)
    except StudentError as error:
        if "ValueError" in error.error_types:
            return
        raise
    raise CheckFailed(Explanation("cell_type='gru' was accepted.", expected="a ValueError", got="a network"))


def unknown_cell(student):
    """Asks for a cell type that does not exist."""
    student.rnn_lstm_captioning.CaptioningRNN({word: i for i, word in enumerate(PLAIN)}, cell_type="gru")


# ---- 13. CaptioningRNN.forward -------------------------------------------------------------------------------------


@number("13.1")
@weight(1.5)
@visibility("visible")
def test_rnn_loss(captioner):
    """CaptioningRNN.forward returns the loss with the plain RNN: words 0 ... T - 2 in, words 1 ... T - 1 out."""
    captioner("rnn").check_loss()


@number("13.2")
@weight(1.5)
@visibility("visible")
def test_lstm_loss(captioner):
    """CaptioningRNN.forward returns the loss with the LSTM."""
    captioner("lstm").check_loss()


@number("13.3")
@weight(1.5)
@visibility("visible")
def test_attention_loss(captioner):
    """CaptioningRNN.forward returns the loss with attention, which looks at the projected grid of the image."""
    captioner("attn").check_loss()


@number("13.4")
@weight(1)
@visibility("visible")
def test_padding(captioner):
    """CaptioningRNN.forward leaves out the words equal to ignore_index; without one, all words count."""

    def check(cell_type):
        captioner(cell_type, ignore_index={"lstm": 3}.get(cell_type, 0)).check_loss(N=4, T=7)
        if cell_type == "rnn":
            captioner("rnn", words=PLAIN).check_loss(N=2, T=4)

    for_each(check)


@number("13.5")
@weight(1)
@visibility("visible")
def test_learns(kit, captioner):
    """CaptioningRNN learns a few captions by heart: the gradients of its loss reach its parameters."""
    for_each(lambda cell_type: check_learns(kit, captioner(cell_type, H=16, ignore_index=0)))


def check_learns(kit, network):
    """The loss falls while some captions are shown again and again."""
    images, captions = network.images(4), network.captions(4, 5)
    network.reset(SMALL)  # large scores would learn slowly
    how = {"num_epochs": STEPS, "batch_size": 4, "learning_rate": RATES[network.cell_type], "print_every": 0}
    got = kit.student.captioning_helpers.train_captioner(network.net, images, captions, **how)
    if type(got) not in (tuple, list) or len(got) != 2 or type(got[1]) is not list or len(got[1]) != STEPS:
        raise CheckFailed("Training did not come to its end.")
    first, last = got[1][0], got[1][-1]
    kit.expect(last, "loss after training").has_shape().is_finite()
    if not last < 0.8 * first:
        raise CheckFailed(
            Explanation(
                f"With cell_type={network.cell_type!r} the loss hardly falls, although the same four captions are "
                "shown again and again. Is some part cut off from the gradient, by .detach(), .item() or a new tensor?",
                expected=f"less than {0.8 * first:.4g} after {STEPS} steps",
                got=f"{last:.4g}",
            )
        )
    unmoved = network.unmoved(SMALL)
    if unmoved:
        raise CheckFailed(
            f"With cell_type={network.cell_type!r} training does not change {', '.join(unmoved)[:200]}: no gradient "
            "reaches it. Is it cut off, by .detach() or a new tensor?"
        )


@number("13.6")
@weight(0.5)
@visibility("visible")
def test_kept(captioner):
    """CaptioningRNN.forward leaves images and captions as they were, and remembers nothing between calls."""
    for_each(lambda cell_type: captioner(cell_type).check_kept(), ("lstm", "attn"))


@number("13.7")
@weight(0.5)
@visibility("visible")
def test_other_channels(captioner):
    """CaptioningRNN.forward works with an encoder of other channels than 400, as input_dim says."""
    for_each(lambda cell_type: captioner(cell_type, D=12).check_loss())


@number("13.8")
@weight(0.5)
@visibility("hidden")
@hide_errors(LARGER_DRAW)
def test_larger(captioner):
    """CaptioningRNN.forward is right for other sizes, too."""
    words = ["word0", "<END>", "<START>", *(f"word{i}" for i in range(1, 20)), "<NULL>"]
    for_each(lambda cell_type: captioner(cell_type, W=6, H=10, words=words, ignore_index=22).check_loss(N=5, T=9))


# ---- 14. CaptioningRNN.sample --------------------------------------------------------------------------------------


@number("14.1")
@weight(1)
@visibility("visible")
def test_rnn_sample(captioner):
    """CaptioningRNN.sample takes the most likely word at every step, with the plain RNN."""
    captioner("rnn").check_sample(N=4, length=8)


@number("14.2")
@weight(1)
@visibility("visible")
def test_lstm_sample(captioner):
    """CaptioningRNN.sample takes the most likely word at every step, with the LSTM."""
    captioner("lstm").check_sample(N=4, length=8)


@number("14.3")
@weight(1)
@visibility("visible")
def test_attention_sample(captioner):
    """CaptioningRNN.sample takes the most likely word at every step, with attention."""
    captioner("attn").check_sample(N=4, length=8)


@number("14.4")
@weight(1)
@visibility("visible")
def test_attention_weights(captioner):
    """CaptioningRNN.sample also returns the attention weights of every step, (N, max_length, 4, 4)."""
    captioner("attn").check_looks(3, 6)


@number("14.5")
@weight(1)
@visibility("visible")
def test_lengths(captioner):
    """CaptioningRNN.sample gives max_length words, 15 unless it is told, the same ones again when it is asked again."""
    for_each(lambda cell_type: captioner(cell_type).check_lengths(), ("lstm", "rnn"))


@number("14.6")
@weight(0.5)
@visibility("visible")
def test_endless(captioner):
    """CaptioningRNN.sample also works for a vocabulary without <END>."""
    for_each(lambda cell_type: captioner(cell_type, words=ENDLESS).check_sample(length=5))


@number("14.7")
@weight(0.5)
@visibility("hidden")
@hide_errors(LARGER_DRAW)
def test_sample_larger(captioner):
    """CaptioningRNN.sample is right for other sizes, too."""
    words = ["word0", "<START>", *(f"word{i}" for i in range(1, 20)), "<NULL>", "<END>"]
    for_each(lambda cell_type: captioner(cell_type, W=6, H=10, words=words).check_sample(N=4, length=11))
