"""Checks of A4: the blocks of encoder and decoder.

A block is compared with its own parts put together in the right way, without dropout or in evaluation.
"""

from functools import partial
from itertools import permutations

import torch
from gradescope_utils.autograder_utils.decorators import number, visibility, weight

from grader.contract.verdict import CheckFailed, StudentError

from .formulas import CLOSE, future

# ---- what both blocks share ----------------------------------------------------------------------------------------


def size_of(student, name, *sizes):
    """How many numbers one of the submission's networks learns; what has two names, as of a part used twice, once."""
    size = student.transformer_helpers.size(getattr(student.transformers, name)(*sizes))
    if type(size) is not int:
        raise CheckFailed(f"{name} should be an nn.Module.")
    return size


def check_size(student, expect, name, attentions, norms):
    """The block has as many parameters as its parts have together."""
    for H, M, hidden in ((2, 6, 5), (3, 12, 7)):
        expected = attentions * size_of(student, "MultiHeadAttention", H, M, M // H)
        expected += size_of(student, "FeedForwardBlock", M, hidden) + norms * size_of(student, "LayerNormalization", M)
        label = f"the number of parameters with {H} heads, emb_dim {M} and feedforward_dim {hidden}"
        count = size_of(student, name, H, M, hidden, 0.1)
        expect(count, label).equals(expected)
        if count == 0:
            raise CheckFailed(f"{name} has no parameters. Assign its layers to attributes of self in __init__.")


def check_refuses(student, name):
    block = getattr(student.transformers, name)
    if size_of(student, name, 3, 12, 8, 0.0) == 0:
        raise CheckFailed(f"{name} has no parameters. Assign its layers to attributes of self in __init__.")
    try:
        block(5, 12, 8, 0.0)
    except StudentError as error:
        if "ValueError" in error.error_types:
            return
        raise
    raise CheckFailed(f"{name}(5, 12, ...) should raise a ValueError: 12 numbers cannot be shared among 5 heads.")


def check_dropout(trial, name, inputs):
    """The layers drop what they are told; where there is no such layer, training shows it, and evaluation does not."""
    net = trial.made(name, 2, 6, 5, 0.3)
    layers = net.named("Dropout")
    for layer in layers:
        trial.expect(net.part(layer).p, f"the probability of {layer}").matches(0.3)
    if layers:
        return
    try:
        first, second = net(*inputs), net(*inputs)
    except StudentError:
        trial.note("Whether it drops was not judged: its forward, a question of its own, raises an error.")
        return
    trial.expect(first, "y").has_shape(*inputs[0].shape).is_finite()
    if torch.equal(torch.as_tensor(first), torch.as_tensor(second)):
        raise CheckFailed("With dropout=0.3 the output in training should change from call to call, but it does not.")
    net.remote.eval()
    calm = net(*inputs)
    trial.expect(net(*inputs), "y of a second call in evaluation").matches(calm)


def check_place(trial, name, inputs):
    """What leaves the block was dropped, with the probability of its layers: they may have been told another one."""
    M = inputs[0].shape[-1]
    net = trial.made(name, 2, M, 5, 0.25)
    told = {net.part(layer).p for layer in net.named("Dropout")}
    p = next((p for p in told if len(told) == 1 and type(p) is float and 0.15 <= p <= 0.85), 0.25)
    out = net(*inputs)
    trial.expect(out, "y").has_shape(*inputs[0].shape).is_finite()
    share = float((torch.as_tensor(out) == 0).double().mean())
    trial.expect(share, f"the share of zeros in the output, with dropout={p:g},").is_between(p - 0.1, p + 0.1)


def orders(net, norms):
    """Norms in the order of their making; then every other one.

    One norm in several places, or torch's own, is a matter of the constructor, and paid for there.
    """
    found = net.named("LayerNormalization") or net.named("LayerNorm")
    if len(found) == 1:
        return [found * norms]
    return permutations(found if len(found) == norms else net.only("LayerNormalization", norms))


def calm(trial, name, *sizes):
    """A block that drops nothing, even where its constructor forgets what it was told: that is paid for there."""
    net = trial.made(name, *sizes, 0.0)
    net.remote.eval()
    return net


def call(net, name, *inputs):
    """The output of a part on its own."""
    out = net.part(name)(*inputs)
    net.trial.expect(out, name).has_shape(*inputs[0].shape).is_finite()
    net.require_work(name, torch.as_tensor(out), *inputs)
    return torch.as_tensor(out)


def ways(build, choices):
    return [partial(build, *choice) for choice in choices]


# ---- 43., 44. EncoderBlock -----------------------------------------------------------------------------------------


@number("43.1")
@weight(1)
@visibility("visible")
def test_encoder_refuses(student):
    """EncoderBlock raises a ValueError where num_heads does not divide emb_dim."""
    check_refuses(student, "EncoderBlock")


@number("43.2")
@weight(1)
@visibility("visible")
def test_encoder_parts(student, expect):
    """EncoderBlock makes one attention whose heads share emb_dim, one feed forward block and two norms."""
    check_size(student, expect, "EncoderBlock", 1, 2)


@number("43.3")
@weight(1)
@visibility("visible")
def test_encoder_dropout(trial, draw):
    """EncoderBlock drops with the probability that it was told."""
    check_dropout(trial, "EncoderBlock", [draw.normal(3, 4, 6)])


def encoded(net, x):
    """The ways to put the parts of an encoder block together."""
    (attention,), (feed,) = net.only("MultiHeadAttention", 1), net.only("FeedForwardBlock", 1)
    seen = call(net, attention, x, x, x) + x

    def build(norm1, norm2):
        out = call(net, norm1, seen)
        return call(net, norm2, call(net, feed, out) + out)

    return ways(build, orders(net, 2))


@number("44.1")
@weight(2.5)
@visibility("visible")
def test_encoder(trial, draw):
    """EncoderBlock: attention, plus its input, norm; feed forward, plus its input, norm (dropout 0)."""
    net = calm(trial, "EncoderBlock", 2, 6, 9)
    x = draw.normal(3, 4, 6)
    trial.either(net(x), "y", *encoded(net, x))


@number("44.2")
@weight(1)
@visibility("visible")
def test_encoder_eval(trial, draw):
    """EncoderBlock computes the same in evaluation, whatever its dropout, and for any length."""
    net = trial.made("EncoderBlock", 3, 6, 4, 0.4)
    net.remote.eval()
    for K in (5, 2):
        x = draw.normal(2, K, 6)
        trial.either(net(x), "y", *encoded(net, x))


@number("44.3")
@weight(1.5)
@visibility("visible")
def test_encoder_gradients(trial, draw):
    """EncoderBlock lets gradients through to x and to all of its parameters."""
    net = calm(trial, "EncoderBlock", 2, 4, 5)
    x = draw.normal(2, 3, 4)
    net.slopes([x], encoded(net, x)[0])


@number("44.4")
@weight(1)
@visibility("visible")
def test_encoder_order(trial, draw, expect):
    """EncoderBlock does not know the order of tokens: shuffled tokens give shuffled outputs."""
    net = calm(trial, "EncoderBlock", 2, 6, 9)
    x, order = draw.normal(2, 5, 6), draw.permutation(5)
    y = net(x)
    expect(y, "y").has_shape(2, 5, 6).is_finite()
    if (torch.as_tensor(y) - x).abs().max() < 1e-9:
        raise CheckFailed("The block returns its input as it came.")
    net.require_work("The block", torch.as_tensor(y), x)
    expect(net(x[:, order]), "y of shuffled tokens").matches(torch.as_tensor(y)[:, order], **CLOSE)


@number("44.5")
@weight(1)
@visibility("visible")
def test_encoder_drops_last(trial, draw):
    """EncoderBlock applies dropout behind each norm: of what leaves it, a share is zero in training."""
    check_place(trial, "EncoderBlock", [draw.normal(8, 20, 10)])


# ---- 46., 47. DecoderBlock -----------------------------------------------------------------------------------------


@number("46.1")
@weight(1)
@visibility("visible")
def test_decoder_refuses(student):
    """DecoderBlock raises a ValueError where num_heads does not divide emb_dim."""
    check_refuses(student, "DecoderBlock")


@number("46.2")
@weight(1)
@visibility("visible")
def test_decoder_parts(student, expect):
    """DecoderBlock makes two attentions whose heads share emb_dim, one feed forward block and three norms."""
    block = student.transformers.DecoderBlock(2, 6, 5, 0.1)
    for name in ("attention_self", "attention_cross", "feed_forward", "norm1", "norm2", "norm3", "dropout"):
        if getattr(block, name) is None:
            raise CheckFailed(f"self.{name} is None, where a layer should be.")
    check_size(student, expect, "DecoderBlock", 2, 3)


@number("46.3")
@weight(1)
@visibility("visible")
def test_decoder_dropout(trial, draw):
    """DecoderBlock drops with the probability that it was told."""
    check_dropout(trial, "DecoderBlock", [draw.normal(3, 4, 6), draw.normal(3, 5, 6)])


def decoded(net, x, memory, mask=None):
    """The ways to put the parts of a decoder block together; those with the handout's names first."""

    def build(attend, cross, *norms):
        out = call(net, norms[0], call(net, attend, x, x, x, mask) + x)
        out = call(net, norms[1], call(net, cross, out, memory, memory) + out)
        return call(net, norms[2], call(net, "feed_forward", out) + out)

    return ways(build, [("attention_self", "attention_cross", *norms) for norms in orders(net, 3)])


@number("47.1")
@weight(2.5)
@visibility("visible")
def test_decoder(trial, draw):
    """DecoderBlock: attention, cross attention to the encoder's output, feed forward; each plus its input, norm."""
    net = calm(trial, "DecoderBlock", 2, 6, 9)
    given = draw.normal(3, 4, 6), draw.normal(3, 4, 6)
    trial.either(net(*given), "y", *decoded(net, *given))


@number("47.2")
@weight(2)
@visibility("visible")
def test_decoder_mask(trial, draw):
    """DecoderBlock gives the mask to its first attention, and to that alone."""
    net = calm(trial, "DecoderBlock", 2, 6, 9)
    given = draw.normal(3, 4, 6), draw.normal(3, 4, 6), future(3, 4)
    trial.either(net(*given), "y", *decoded(net, *given))
    trial.either(net(*given[:2]), "y of a call without a mask", *decoded(net, *given[:2]))


@number("47.3")
@weight(1)
@visibility("visible")
def test_decoder_lengths(trial, draw):
    """DecoderBlock takes an encoder's output of another length, and computes the same in evaluation."""
    net = trial.made("DecoderBlock", 3, 6, 4, 0.4)
    net.remote.eval()
    for T, K in ((3, 5), (4, 2)):
        given = draw.normal(2, T, 6), draw.normal(2, K, 6), future(2, T)
        trial.either(net(*given), "y", *decoded(net, *given))


@number("47.4")
@weight(1.5)
@visibility("visible")
def test_decoder_gradients(trial, draw):
    """DecoderBlock lets gradients through to both inputs and to all of its parameters."""
    net = calm(trial, "DecoderBlock", 2, 4, 5)
    given = draw.normal(2, 3, 4), draw.normal(2, 4, 4)
    net.slopes(given, decoded(net, *given)[0])


@number("47.5")
@weight(1)
@visibility("visible")
def test_decoder_drops_last(trial, draw):
    """DecoderBlock applies dropout behind each norm: of what leaves it, a share is zero in training."""
    check_place(trial, "DecoderBlock", [draw.normal(8, 20, 10), draw.normal(8, 6, 10)])
