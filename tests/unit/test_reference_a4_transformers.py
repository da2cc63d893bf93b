"""The Transformer of A4's reference against torch's own layers with the same weights, in float64; its helpers."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from grader.judge.reference import importing

ROOT = Path(__file__).resolve().parents[2]
PROVIDED = ROOT / "assignments" / "a4" / "provided"
FOLDERS = (ROOT / "reference" / "a4", PROVIDED)
MODULES = {"t": "transformers", "helpers": "transformer_helpers"}
F64 = torch.float64
M, HEADS, HIDDEN = 12, 3, 20


@pytest.fixture(scope="module")
def a4():
    """The modules as a student's folder would see them, whatever else is called `transformers`."""
    with importing(*FOLDERS):
        yield SimpleNamespace(**{short: importlib.import_module(name) for short, name in MODULES.items()})


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def randn(*shape):
    return torch.randn(*shape, dtype=F64, requires_grad=True)


def redraw(net):
    """The module in float64 with every parameter away from what it starts with."""
    net = net.double()
    with torch.no_grad():
        for p in net.parameters():
            p += 0.3 * torch.randn_like(p)
    return net


def same(ours, theirs, inputs, parameters=()):
    """Outputs of two functions, and gradients with respect to inputs and parameters."""
    got, want = ours(*inputs), theirs(*inputs)
    dout = torch.randn_like(want)
    leaves = [*{id(x): x for x in (*inputs, *parameters) if torch.is_tensor(x) and x.requires_grad}.values()]
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9)
    for a, b in zip(torch.autograd.grad(got, leaves, dout), torch.autograd.grad(want, leaves, dout), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-9)


# words


def test_words_become_numbers(a4):
    vocab = ["0", "3", "9", "add", "EOS"]
    numbers = a4.t.generate_token_dict(vocab)
    assert numbers == {"0": 0, "3": 1, "9": 2, "add": 3, "EOS": 4}
    assert a4.t.prepocess_input_sequence("33 add 09 EOS", numbers, ["add", "EOS"]) == [1, 1, 3, 0, 2, 4]


# attention


def test_attention_of_one_sequence(a4):
    same(a4.t.scaled_dot_product_two_loop_single, F.scaled_dot_product_attention, [randn(4, 5) for _ in range(3)])


@pytest.mark.parametrize("name", ["two_loop_batch", "no_loop_batch"])
def test_attention_of_a_batch(a4, name):
    ours = getattr(a4.t, f"scaled_dot_product_{name}")
    inputs = [randn(2, 4, 5) for _ in range(3)]
    same(lambda *given: ours(*given) if name[0] == "t" else ours(*given)[0], F.scaled_dot_product_attention, inputs)


def test_attention_across_lengths_with_a_mask(a4):
    inputs = [randn(2, 4, 5), randn(2, 6, 5), randn(2, 6, 3)]
    mask = torch.rand(2, 4, 6) < 0.4
    mask[..., 0] = False
    ours = a4.t.scaled_dot_product_no_loop_batch
    same(lambda *qkv: ours(*qkv, mask)[0], lambda *qkv: F.scaled_dot_product_attention(*qkv, ~mask), inputs)
    weights = ours(*inputs, mask)[1]
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 4, dtype=F64))
    assert (weights[mask] == 0).all() and (weights[~mask] > 0).all()


def copied(ours):
    """The parameters of a MultiHeadAttention under the names of nn.MultiheadAttention."""
    layers = [getattr(head, letter) for letter in "qkv" for head in ours.heads]
    return {
        "in_proj_weight": torch.cat([layer.weight for layer in layers]),
        "in_proj_bias": torch.cat([layer.bias for layer in layers]),
        "out_proj.weight": ours.out.weight,
        "out_proj.bias": ours.out.bias,
    }


def multihead(ours):
    """nn.MultiheadAttention as a function of inputs and mask, in the weights of ours."""
    layer = nn.MultiheadAttention(M, HEADS, batch_first=True, dtype=F64)

    def run(query, key, value, mask=None):
        mask = None if mask is None else mask.repeat_interleave(HEADS, dim=0)
        call = (query, key, value), {"attn_mask": mask, "need_weights": False}
        return torch.func.functional_call(layer, copied(ours), *call)[0]

    return run


def test_heads_together(a4):
    ours = redraw(a4.t.MultiHeadAttention(HEADS, M, M // HEADS))
    inputs = [randn(2, 4, M), randn(2, 6, M), randn(2, 6, M)]
    same(ours, multihead(ours), inputs, ours.parameters())
    mask = a4.t.get_subsequent_mask(torch.zeros(2, 5))
    same(ours, multihead(ours), [randn(2, 5, M) for _ in range(3)] + [mask], ours.parameters())


def test_heads_are_self_attentions(a4):
    ours = redraw(a4.t.MultiHeadAttention(2, M, 5))
    x, y = randn(2, 4, M), randn(2, 3, M)
    mask = torch.rand(2, 4, 3) < 0.3
    same(
        ours,
        lambda *given: ours.out(torch.cat([head(*given) for head in ours.heads], dim=-1)),
        [x, y, y, mask],
        ours.parameters(),
    )
    ours(x, y, y, mask)
    together = [head.weights_softmax for head in ours.heads]
    for head, weights in zip(ours.heads, together, strict=True):
        head(x, y, y, mask)
        torch.testing.assert_close(weights, head.weights_softmax)


# blocks


@pytest.mark.parametrize("shape", [(2, 5, M), (3, M)])
def test_layer_norm(a4, shape):
    ours = redraw(a4.t.LayerNormalization(M, 1e-3))
    same(ours, lambda x: F.layer_norm(x, (M,), ours.gamma, ours.beta, 1e-3), [randn(*shape)], ours.parameters())


def layer_weights(ours, theirs, attentions, norms):
    """State of one of torch's Transformer layers from ours. attentions: torch's name -> ours."""
    state = {}
    for name, attention in attentions.items():
        state |= {f"{name}.{key}": value for key, value in copied(attention).items()}
    for i, norm in enumerate(norms, start=1):
        state |= {f"norm{i}.weight": norm.gamma, f"norm{i}.bias": norm.beta}
    for name, layer in (("linear1", ours.feed_forward.hidden), ("linear2", ours.feed_forward.out)):
        state |= {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias}
    assert state.keys() == dict(theirs.named_parameters()).keys()
    return state


def test_encoder_block(a4):
    ours = redraw(a4.t.EncoderBlock(HEADS, M, HIDDEN, 0.0))
    layer = nn.TransformerEncoderLayer(M, HEADS, HIDDEN, 0.0, batch_first=True, layer_norm_eps=1e-10, dtype=F64)

    def theirs(x):
        state = layer_weights(ours, layer, {"self_attn": ours.attention}, (ours.norm1, ours.norm2))
        return torch.func.functional_call(layer, state, (x,))

    same(ours, theirs, [randn(2, 5, M)], ours.parameters())


@pytest.mark.parametrize("masked", [True, False])
def test_decoder_block(a4, masked):
    ours = redraw(a4.t.DecoderBlock(HEADS, M, HIDDEN, 0.0))
    layer = nn.TransformerDecoderLayer(M, HEADS, HIDDEN, 0.0, batch_first=True, layer_norm_eps=1e-10, dtype=F64)
    mask = a4.t.get_subsequent_mask(torch.zeros(2, 4)) if masked else None

    def theirs(x, enc):
        attentions = {"self_attn": ours.attention_self, "multihead_attn": ours.attention_cross}
        state = layer_weights(ours, layer, attentions, (ours.norm1, ours.norm2, ours.norm3))
        return torch.func.functional_call(layer, state, (x, enc), {"tgt_mask": mask[0] if masked else None})

    same(lambda x, enc: ours(x, enc, mask), theirs, [randn(2, 4, M), randn(2, 6, M)], ours.parameters())


@pytest.mark.parametrize("name", ["EncoderBlock", "DecoderBlock"])
def test_blocks_refuse_heads_that_do_not_divide(a4, name):
    with pytest.raises(ValueError, match="multiple"):
        getattr(a4.t, name)(5, 12, 8, 0.0)


def test_weights_begin_within_their_bounds(a4):
    for layer in (a4.t.SelfAttention(40, 60, 50), a4.t.FeedForwardBlock(40, 60), a4.t.MultiHeadAttention(2, 40, 30)):
        for name, p in layer.named_parameters():
            if name.endswith("weight"):
                c = (6 / sum(p.shape)) ** 0.5
                assert 0.95 * c < p.abs().max() <= c


# places, masks, the whole


def test_position_encodings(a4):
    assert torch.equal(a4.t.position_encoding_simple(4, 3), torch.tensor([0, 0.25, 0.5, 0.75]).repeat(3, 1).t()[None])
    for width in (6, 5):
        y = a4.t.position_encoding_sinusoid(7, width)
        for p in range(7):
            for j in range(width):
                angle = torch.tensor(p / 10000 ** ((j - j % 2) / width), dtype=F64)
                assert abs(y[0, p, j] - (angle.cos() if j % 2 else angle.sin())) < 1e-6


def model(a4, layers=2):
    return redraw(a4.t.Transformer(HEADS, M, HIDDEN, 0.0, layers, layers, 16))


def batch(a4, n=3, k=5, o=4):
    places = [a4.t.position_encoding_sinusoid(length, M).double().expand(n, -1, -1) for length in (k, o)]
    return torch.randint(16, (n, k)), places[0], torch.randint(16, (n, o)), places[1]


def test_the_past_does_not_see_the_future(a4):
    net, (ques, ques_pos, ans, ans_pos) = model(a4), batch(a4)
    before = net(ques, ques_pos, ans, ans_pos).view(3, 3, 16)
    other = ans.clone()
    other[:, 2:] = (other[:, 2:] + 1) % 16
    after = net(ques, ques_pos, other, ans_pos).view(3, 3, 16)
    assert torch.equal(before[:, :2], after[:, :2]) and not torch.allclose(before[:, 2], after[:, 2])


def test_given_answers_are_what_inference_would_say_next(a4):
    net, (ques, ques_pos, _, ans_pos) = model(a4), batch(a4)
    words, _ = a4.helpers.inference(net, ques, ques_pos, ans_pos, 4, start=3)
    scores = net(ques, ques_pos, words, ans_pos).view(3, 3, 16)
    assert (words[:, 0] == 3).all() and torch.equal(scores.argmax(dim=-1), words[:, 1:])


# helpers


def test_importing_the_helpers_needs_torch_only():
    code = (
        "import sys, torch; before = set(sys.modules); import transformer_helpers; "
        "new = {n.split('.')[0] for n in set(sys.modules) - before} - set(sys.stdlib_module_names); print(sorted(new))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=PROVIDED, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['transformer_helpers']"


def test_losses(a4):
    scores, words = randn(6, 5), torch.tensor([[0, 4, 1], [2, 2, 3]])
    want = F.cross_entropy(scores, words.view(-1), reduction="sum")
    torch.testing.assert_close(a4.helpers.CrossEntropyLoss(scores, words), want)
    target = torch.full((6, 5), 0.1 / 4, dtype=F64).scatter(1, words.view(-1, 1), 0.9)
    want = F.cross_entropy(scores, target, reduction="sum")
    torch.testing.assert_close(a4.helpers.LabelSmoothingLoss(scores, words), want)


def test_expressions(a4, tmp_path):
    assert a4.helpers.expression(33, "add", -9) == ("BOS POSITIVE 33 add NEGATIVE 09 EOS", "BOS POSITIVE 24 EOS")
    assert a4.helpers.expression(3, "subtract", 9, 1) == (
        "BOS POSITIVE 3 subtract POSITIVE 9 EOS",
        "BOS NEGATIVE 6 EOS",
    )
    data = {"inp_expression": ["a"], "out_expression": ["b"]}
    (tmp_path / "data.json").write_text(json.dumps(data))
    assert a4.helpers.get_toy_data(tmp_path / "data.json") == data


def sums(a4, numbers, batch_size):
    pairs = [a4.helpers.expression(a, "add", b, 1) for a in numbers for b in numbers if a + b < 10]
    tokens = a4.t.generate_token_dict(a4.helpers.VOCABULARY)
    data = a4.t.AddSubDataset(
        *zip(*pairs, strict=True), tokens, a4.helpers.SPECIAL_TOKENS, 16, a4.t.position_encoding_sinusoid
    )
    return torch.utils.data.DataLoader(data, batch_size)


def test_training_learns_small_sums_by_heart(a4, capsys):
    loader = sums(a4, range(5), 25)
    net = a4.t.Transformer(2, 16, 32, 0.0, 1, 1, 16)
    a4.helpers.train(net, loader, loader, a4.helpers.CrossEntropyLoss, 60, lr=1e-2, batch_size=25)
    loss, accuracy = a4.helpers.val(net, loader, a4.helpers.CrossEntropyLoss)
    assert loss < 0.1 and accuracy > 0.98 and a4.helpers.exact_answers(net, loader) > 0.9
    assert capsys.readouterr().out.count("[epoch") == 60


def test_warmup_goes_slowly(a4):
    loader = sums(a4, range(5), 25)
    net = a4.t.Transformer(2, 16, 32, 0.0, 1, 1, 16)
    before = [p.clone() for p in net.parameters()]
    how = {"lr": 1e-2, "batch_size": 25, "warmup_interval": 3, "warmup_lr": 0.0, "verbose": False}
    a4.helpers.train(net, loader, loader, a4.helpers.CrossEntropyLoss, 3, **how)
    assert all(torch.equal(p, q) for p, q in zip(net.parameters(), before, strict=True))
    a4.helpers.train(net, loader, loader, a4.helpers.CrossEntropyLoss, 4, **how)
    assert not all(torch.equal(p, q) for p, q in zip(net.parameters(), before, strict=True))


def test_gradients(a4):
    layer, x, dout = nn.Linear(3, 2, dtype=F64), torch.randn(4, 3, dtype=F64), torch.randn(4, 2, dtype=F64)
    out, (dx,), of_parameters = a4.helpers.gradients(layer, [x], dout)
    torch.testing.assert_close(out, layer(x).detach())
    torch.testing.assert_close(dx, dout @ layer.weight.detach())
    torch.testing.assert_close(of_parameters["weight"], dout.t() @ x)
    torch.testing.assert_close(of_parameters["bias"], dout.sum(dim=0))
    out, grads, _ = a4.helpers.gradients(lambda x, n: (x.detach() * n, None), [x, 3], torch.ones_like(x))
    assert torch.equal(out, 3 * x) and torch.equal(grads[0], torch.zeros_like(x)) and grads[1] is None
