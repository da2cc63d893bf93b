"""Checks of A4: the Transformer as a whole."""

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import hide_errors, number, visibility, weight
from torch.nn import functional as F

from grader.contract.verdict import CheckFailed, Explanation

from .formulas import CLOSE, OTHER_DRAW, future

V = 16
SIZES = 2, 8, 12, 0.0, 1, 2, V  # heads, emb_dim, feedforward_dim, dropout, blocks of encoder and decoder, words
BOS, POSITIVE, ADD, EOS = 14, 10, 12, 15
ATTEMPTS = 3


def drawn(draw, N, K, T, M, vocabulary=V):
    """ques_b, ques_pos, ans_b, ans_pos."""
    return (
        draw.integers(0, vocabulary, N, K),
        draw.normal(N, K, M),
        draw.integers(0, vocabulary, N, T),
        draw.normal(N, T, M),
    )


# ---- 50. Transformer.__init__ --------------------------------------------------------------------------------------


@number("50.1")
@weight(2)
@visibility("visible")
def test_embedding(student, expect):
    """Transformer makes emb_layer an nn.Embedding with emb_dim numbers for every word of the vocabulary."""
    for words, M in ((16, 8), (11, 6)):
        net = student.transformers.Transformer(2, M, 12, 0.0, 1, 1, words)
        layer = net.emb_layer
        if layer is None:
            raise CheckFailed("self.emb_layer is None, where an nn.Embedding should be.")
        expect(layer.weight, "emb_layer.weight").has_shape(words, M).is_finite()
        tokens = torch.tensor([[0, words - 1], [3, 3]])
        expect(layer(tokens), "emb_layer(tokens)").matches(layer.weight[tokens], **CLOSE)
        names = student.transformer_helpers.parameters(net)
        if type(names) is not dict or "emb_layer.weight" not in names:
            raise CheckFailed("The embedding should be trained with the rest: its weight is no parameter.")


# ---- 51. Transformer.forward ---------------------------------------------------------------------------------------


def whole(net, ques_b, ques_pos, ans_b, ans_pos, mask):
    """The network's own encoder and decoder, one behind the other, with this mask."""
    words = net.weights.get("emb_layer.weight")
    if words is None:
        raise CheckFailed("self.emb_layer should be an nn.Embedding.")
    memory = net.part("encoder")(words[ques_b] + ques_pos)
    net.trial.expect(memory, "the encoder's output").has_shape(*ques_pos.shape).is_finite()
    net.require_work("The encoder", torch.as_tensor(memory))
    scores = net.part("decoder")(words[ans_b[:, :-1]] + ans_pos[:, :-1], memory, mask)
    net.trial.expect(scores, "the decoder's output").has_shape(*ans_b[:, :-1].shape, None).is_finite()
    net.require_work("The decoder", torch.as_tensor(scores))
    return torch.as_tensor(scores).flatten(0, 1)


def check_whole(trial, net, given):
    N, T = given[2].shape
    trial.expect(net(*given), "the scores").matches(whole(net, *given, future(N, T - 1)), **CLOSE)


@number("51.1")
@weight(3)
@visibility("visible")
def test_transformer(trial, draw):
    """Transformer: encoder, decoder with the mask that hides the future; one row of scores for every word."""
    check_whole(trial, trial.made("Transformer", *SIZES), drawn(draw, 3, 5, 4, 8))


@number("51.2")
@weight(2)
@visibility("visible")
def test_transformer_future(trial, draw, expect, note):
    """Transformer predicts a word from the question and the words before it: later words change nothing."""
    net, (ques_b, ques_pos, ans_b, ans_pos) = trial.made("Transformer", *SIZES), drawn(draw, 2, 4, 5, 8)
    later = ans_b.clone()
    later[:, 2:] = (later[:, 2:] + 1 + draw.integers(0, V - 1, 2, 3)) % V
    scores = []
    for answer in (ans_b, later):
        scores.append(net(ques_b, ques_pos, answer, ans_pos))
        expect(scores[-1], "the scores").has_shape(8, V).is_finite()
    first, second = (torch.as_tensor(value).view(2, 4, V) for value in scores)
    if (first[:, 2:] - second[:, 2:]).abs().max() < 1e-9:
        raise CheckFailed("The scores do not depend on the words of the answer at all.")
    if (first[:, :2] - second[:, :2]).abs().max() < 1e-9:
        return
    ours, theirs = (whole(net, ques_b, ques_pos, answer, ans_pos, future(2, 4)) for answer in (ans_b, later))
    if (ours - theirs).view(2, 4, V)[:, :2].abs().max() > 1e-9:
        note("The future shows, but through your decoder, which does not keep to the mask.")
        return
    expect(second[:, :2], "the scores of the words before the first change").matches(first[:, :2], **CLOSE)


@number("51.3")
@weight(1)
@visibility("hidden")
@hide_errors(OTHER_DRAW)
def test_transformer_sizes(trial, draw):
    """Transformer is right for other sizes and in evaluation, whatever its dropout."""
    net = trial.made("Transformer", 3, 6, 5, 0.3, 2, 1, 7)
    net.remote.eval()
    for N, K, T in ((1, 6, 3), (2, 3, 6)):
        check_whole(trial, net, drawn(draw, N, K, T, 6, 7))


@number("51.4")
@weight(1)
@visibility("visible")
def test_transformer_gradients(trial, draw):
    """Transformer lets gradients through to all of its parameters, the embedding included."""
    net, given = trial.made("Transformer", 2, 4, 5, 0.0, 1, 1, V), drawn(draw, 2, 3, 3, 4)
    net.slopes(given, lambda: whole(net, *given, future(2, 2)))


def sums(M):
    """All sums of two digits below 5, in words, as one batch."""
    pairs = [(a, b) for a in range(5) for b in range(5)]
    ques = torch.tensor([[BOS, POSITIVE, a, ADD, POSITIVE, b, EOS] for a, b in pairs])
    ans = torch.tensor([[BOS, POSITIVE, a + b, EOS] for a, b in pairs])
    return ques, places(7, M).expand(25, -1, -1), ans, places(4, M).expand(25, -1, -1)


def places(K, M):
    """Sines and cosines, (K, M)."""
    angles = torch.arange(K)[:, None] / 10000 ** (torch.arange(0, M, 2) / M)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def begin(net, first):
    """Norms that begin as they should: where they do not, that is paid for there."""
    if type(first) is not dict:
        raise CheckFailed("The network should be an nn.Module.")
    starts = {"gamma": torch.ones_like, "beta": torch.zeros_like}
    known = {name: starts[name.rpartition(".")[2]] for name in first if name.rpartition(".")[2] in starts}
    net.load_state_dict({name: start(torch.as_tensor(first[name])) for name, start in known.items()}, False)


@number("51.5")
@weight(2)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=20)
def test_transformer_learns(student, expect):
    """Transformer learns small sums: after some steps of Adam, digits of the answer depend on the question."""
    best, batch = float("inf"), sums(32)
    helpers = student.transformer_helpers
    for _ in range(ATTEMPTS):
        net = student.transformers.Transformer(2, 32, 64, 0.0, 1, 1, V)
        begin(net, helpers.parameters(net))
        helpers.train(net, [batch], [], helpers.CrossEntropyLoss, 60, lr=5e-3, batch_size=25, verbose=False)
        scores = net(*batch)
        expect(scores, "the scores").has_shape(75, V).is_finite()
        best = min(best, float(F.cross_entropy(torch.as_tensor(scores).float(), batch[2][:, 1:].reshape(-1))))
        if best < 0.45:
            return
    raise CheckFailed(
        Explanation(
            "Trained on 25 sums of two digits, the network does not learn what the sums have to do with the questions.",
            expected="a mean loss of less than 0.45 for each word; 0.7 is what one gets without reading the question",
            got=f"{best:.3g}",
        )
    )
