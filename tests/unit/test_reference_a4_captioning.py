"""The captioning half of A4's reference against torch's own modules with copied weights, in float64; its helpers."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from grader.judge.reference import importing

ROOT = Path(__file__).resolve().parents[2]
PROVIDED = ROOT / "assignments" / "a4" / "provided"
FOLDERS = (ROOT / "reference" / "a4", PROVIDED)
MODULES = {"net": "rnn_lstm_captioning", "helpers": "captioning_helpers", "eecs598": "eecs598"}
F64 = torch.float64
N, T, D, H = 3, 5, 4, 6
WORDS = {"<NULL>": 0, "<START>": 1, "<END>": 2, "<UNK>": 3, "a": 4, "dog": 5, "runs": 6}


@pytest.fixture(scope="module")
def a4():
    """The modules of A4, imported as a student's folder would see them."""
    with importing(*FOLDERS):
        yield SimpleNamespace(**{short: importlib.import_module(name) for short, name in MODULES.items()})


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def randn(*shape):
    return torch.randn(*shape, dtype=F64)


def close(got, want, tol=1e-10):
    assert got.shape == want.shape
    torch.testing.assert_close(got, want, rtol=tol, atol=tol)


def gradients(out, leaves, dout):
    return torch.autograd.grad(out, leaves, dout)


def in_torchs_order(W, gates="ifog"):
    """The gates of torch's own LSTM, i, f, g, o, from ours."""
    parts = dict(zip(gates, W.chunk(4, dim=-1), strict=True))
    return torch.cat([parts[gate] for gate in "ifgo"], dim=-1)


def torchs(kind, layer, D=D):
    """torch's own RNN or LSTM with the weights of `layer`."""
    own = kind(D, H, batch_first=True, dtype=F64)
    arrange = in_torchs_order if kind is torch.nn.LSTM else lambda W: W
    with torch.no_grad():
        own.weight_ih_l0.copy_(arrange(layer.Wx).t())
        own.weight_hh_l0.copy_(arrange(layer.Wh).t())
        own.bias_ih_l0.copy_(arrange(layer.b))
        own.bias_hh_l0.zero_()
    return own


def drawn(layer):
    """The layer in float64 with biases that are not zero."""
    layer = layer.double()
    with torch.no_grad():
        layer.b.copy_(randn(*layer.b.shape))
    return layer


# ---- the plain RNN -------------------------------------------------------------------------------------------------


def test_rnn_step(a4):
    given = [randn(N, D), randn(N, H), randn(D, H), randn(H, H), randn(H)]
    leaves = [t.clone().requires_grad_() for t in given]
    x, h, Wx, Wh, b = leaves
    want, dout = torch.rnn_tanh_cell(x, h, Wx.t(), Wh.t(), b, torch.zeros_like(b)), randn(N, H)
    kept = [t.clone() for t in given]
    out, cache = a4.net.rnn_step_forward(*given)
    close(out, want.detach())
    for got, exact in zip(a4.net.rnn_step_backward(dout, cache), gradients(want, leaves, dout), strict=True):
        close(got, exact)
    assert all(torch.equal(now, was) for now, was in zip(given, kept, strict=True))


@pytest.mark.parametrize("steps", [1, T])
def test_rnn_by_hand_and_under_autograd(a4, steps):
    layer = drawn(a4.net.RNN(D, H))
    x, h0, dout = randn(N, steps, D).requires_grad_(), randn(N, H).requires_grad_(), randn(N, steps, H)
    own = torchs(torch.nn.RNN, layer)
    want = own(x, h0.unsqueeze(0))[0]
    exact = gradients(want, [x, h0, own.weight_ih_l0, own.weight_hh_l0, own.bias_ih_l0], dout)
    exact = [*exact[:2], exact[2].t(), exact[3].t(), exact[4]]

    out = layer(x, h0)
    close(out, want)
    for got, right in zip(gradients(out, [x, h0, layer.Wx, layer.Wh, layer.b], dout), exact, strict=True):
        close(got, right)
    with torch.no_grad():
        _, cache = a4.net.rnn_forward(x, h0, layer.Wx, layer.Wh, layer.b)
        for _ in range(2):
            for got, right in zip(a4.net.rnn_backward(dout, cache), exact, strict=True):
                close(got, right)


def test_steps_make_the_sequence(a4):
    rnn, lstm, x, h0 = drawn(a4.net.RNN(D, H)), drawn(a4.net.LSTM(D, H)), randn(N, T, D), randn(N, H)
    h, hidden, cell = h0, h0, torch.zeros_like(h0)
    for t in range(T):
        h = rnn.step_forward(x[:, t], h)
        hidden, cell = lstm.step_forward(x[:, t], hidden, cell)
        close(rnn(x, h0)[:, t], h)
        close(lstm(x, h0)[:, t], hidden)


# ---- words ---------------------------------------------------------------------------------------------------------


def test_word_vectors(a4):
    embed = a4.net.WordEmbedding(7, D).double()
    for words in (torch.randint(7, (N, T)), torch.randint(7, (N,))):
        close(embed(words), F.embedding(words, embed.W_embed))


@pytest.mark.parametrize("null", [None, 0, 4])
def test_temporal_softmax_loss(a4, null):
    x, y = 3 * randn(N, T, 7).requires_grad_(), torch.randint(7, (N, T))
    loss = a4.net.temporal_softmax_loss(x, y, null)
    cost = F.cross_entropy(x.transpose(1, 2), y, reduction="none")
    want = (cost if null is None else cost * (y != null)).sum() / N
    close(loss, want)
    close(*(torch.autograd.grad(value, x)[0] for value in (loss, want)))


def test_a_caption_of_padding_costs_nothing(a4):
    assert a4.net.temporal_softmax_loss(1e3 * randn(N, T, 7), torch.zeros(N, T, dtype=torch.int64), 0) == 0


# ---- LSTM and attention --------------------------------------------------------------------------------------------


def test_lstm(a4):
    layer = drawn(a4.net.LSTM(D, H))
    own = torchs(torch.nn.LSTM, layer)
    x, h0, dout = randn(N, T, D).requires_grad_(), randn(N, H).requires_grad_(), randn(N, T, H)
    want = own(x, (h0.unsqueeze(0), torch.zeros(1, N, H, dtype=F64)))[0]
    out = layer(x, h0)
    close(out, want)
    got = gradients(out, [x, h0, layer.Wx, layer.Wh, layer.b], dout)
    exact = gradients(want, [x, h0, own.weight_ih_l0, own.weight_hh_l0, own.bias_ih_l0], dout)
    for ours, right in zip(got[:2], exact[:2], strict=True):
        close(ours, right)
    for ours, right in zip(got[2:], exact[2:], strict=True):
        close(in_torchs_order(ours), right.t())


def test_attention(a4):
    h, A = randn(N, H), randn(N, H, 4, 4)
    attn, weights = a4.net.dot_product_attention(h, A)
    cells = A.flatten(2).transpose(1, 2)
    close(attn, F.scaled_dot_product_attention(h.unsqueeze(1), cells, cells).squeeze(1))
    close(weights.sum(dim=(1, 2)), torch.ones(N, dtype=F64))
    close(torch.einsum("nhpq,npq->nh", A, weights), attn)
    attn, _ = a4.net.dot_product_attention(1e3 * h, 1e3 * A)
    assert attn.isfinite().all()


def test_attention_lstm(a4):
    layer = drawn(a4.net.AttentionLSTM(D, H))
    inputs = SimpleNamespace(Wx=torch.cat([layer.Wx, layer.Wattn]), Wh=layer.Wh, b=layer.b)
    own = torchs(torch.nn.LSTM, inputs, D + H)
    x, A = randn(N, T, D), randn(N, H, 4, 4)
    h = c = A.mean(dim=(2, 3))
    for t in range(T):
        attn, _ = a4.net.dot_product_attention(h, A)
        ours = layer.step_forward(x[:, t], h, c, attn)
        _, (h, c) = own(torch.cat([x[:, t], attn], dim=1).unsqueeze(1), (h.unsqueeze(0), c.unsqueeze(0)))
        h, c = h[0], c[0]
        close(torch.stack(ours), torch.stack([h, c]))
        close(layer(x, A)[:, t], h)


# ---- captions ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["rnn", "lstm", "attn"])
def network(a4, request):
    """A small CaptioningRNN, its images and captions."""
    model = a4.net.CaptioningRNN(WORDS, 400, 8, 16, request.param, image_encoder_pretrained=False, ignore_index=0)
    captions = torch.tensor([[1, 4, 5, 2, 0], [1, 5, 6, 4, 2], [1, 6, 2, 0, 0]])
    return model.eval(), torch.rand(3, 3, 112, 112), captions


def test_network_learns_captions_by_heart_and_writes_them(a4, network, capsys):
    model, images, captions = network
    # What an untrained encoder makes of noise is much alike: pixels take the place of features.
    model.image_encoder.forward = lambda images: 4 * images.flatten(1)[:, :6400].view(-1, 400, 4, 4) - 2
    _, history = a4.helpers.train_captioner(model, images, captions, 60, 3, 0.02, print_every=30)
    assert history[-1] < 0.1 * history[0]
    assert capsys.readouterr().out.count("epoch") == 2
    sampled = model.sample(images, max_length=4)
    words, weights = sampled if model.cell_type == "attn" else (sampled, None)
    assert a4.helpers.decode_captions(words, model.idx_to_word) == ["a dog <END>", "dog runs a <END>", "runs <END>"]
    assert words.dtype == torch.int64 and not words.requires_grad
    if weights is not None:
        assert weights.shape == (3, 4, 4, 4)
        close(weights.sum(dim=(2, 3)), torch.ones(3, 4), 1e-5)


def test_padding_costs_nothing_and_the_first_word_is_given(network):
    model, images, captions = network
    loss = model(images, captions)
    assert loss.shape == ()
    changed = captions.clone()
    changed[changed == 0] = 5
    assert model(images, changed) > loss
    wider = F.pad(captions, (0, 3))
    torch.testing.assert_close(model(images, wider), loss)


def test_vocabulary_without_start_and_end(a4):
    model = a4.net.CaptioningRNN({"<NULL>": 0, "cat": 1, "dog": 2}, 400, 8, 16, image_encoder_pretrained=False)
    assert model(torch.rand(2, 3, 112, 112), torch.tensor([[0, 1, 2], [1, 1, 0]])).isfinite()


def test_unknown_cell_type(a4):
    with pytest.raises(ValueError, match="'gru'"):
        a4.net.CaptioningRNN(WORDS, cell_type="gru")


def test_encoder_takes_bytes_and_floats(a4, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    encoder = a4.net.ImageEncoder().eval()
    assert "untrained" in capsys.readouterr().out
    images = torch.randint(256, (2, 3, 112, 112), dtype=torch.uint8)
    features = encoder(images)
    assert features.shape == (2, encoder.out_channels, 4, 4)
    close(features, encoder(images / 255), 1e-5)


# ---- helpers -------------------------------------------------------------------------------------------------------


def test_importing_needs_torch_only():
    code = (
        "import sys, torch, numpy; before = set(sys.modules); import captioning_helpers, a4_helper, eecs598; "
        "new = {n.split('.')[0] for n in set(sys.modules) - before} - set(sys.stdlib_module_names); print(sorted(new))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=PROVIDED, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['a4_helper', 'captioning_helpers', 'eecs598']"


def test_captions_to_numbers_and_back(a4):
    texts = ["A dog, a DOG!", "the dog runs and runs and runs and runs"]
    vocab = a4.helpers.build_vocabulary(texts, min_count=2)
    assert vocab["idx_to_token"][:4] == ["<NULL>", "<START>", "<END>", "<UNK>"]
    assert set(vocab["idx_to_token"][4:]) == {"a", "dog", "runs", "and"}
    numbers = a4.helpers.encode_captions(texts, vocab["token_to_idx"], max_length=7)
    assert numbers.shape == (2, 7) and numbers[0, -1] == 0
    decoded = a4.helpers.decode_captions(numbers, vocab["idx_to_token"])
    assert decoded == ["a dog a dog <END>", "<UNK> dog runs and runs <END>"]
    assert a4.helpers.decode_captions(numbers[0], dict(enumerate(vocab["idx_to_token"]))) == decoded[0]


def test_a_folder_of_captions(a4, tmp_path):
    Image = pytest.importorskip("PIL.Image")
    rows = ["image,caption"]
    for i in range(4):
        Image.new("RGB", (30 + i, 20), (10 * i, 20, 30)).save(tmp_path / f"{i}.png")
        rows += [f'{i}.png,"A dog, number {i}"', f"{i}.png,another caption"]
    (tmp_path / "captions.csv").write_text("\n".join(rows))
    data = a4.helpers.load_captions(tmp_path, num_val=1, max_length=6, min_count=2)
    assert data["train_images"].shape == (3, 3, 112, 112) and data["train_images"].dtype == torch.uint8
    assert data["val_captions"].shape == (1, 6)
    assert data["train_images"][2, 0, 0, 0] == 20
    assert data["vocab"]["idx_to_token"][4:] == ["a", "dog", "number"]
    torch.save(data, tmp_path / "coco.pt")
    again = a4.helpers.load_coco_captions(tmp_path / "coco.pt")
    assert torch.equal(again["train_captions"], data["train_captions"])


def test_a_file_without_captions_is_refused(a4, tmp_path):
    torch.save({"train_images": torch.zeros(1)}, tmp_path / "coco.pt")
    with pytest.raises(ValueError, match="train_captions"):
        a4.helpers.load_coco_captions(tmp_path / "coco.pt")


def test_losses_are_written_as_plain_numbers(a4, tmp_path):
    a4.helpers.dump_results({"rnn_losses": [torch.tensor(1.5)]}, tmp_path / "losses.pt")
    assert torch.load(tmp_path / "losses.pt", weights_only=True) == {"rnn_losses": [1.5]}


def test_differentiate(a4):
    layer, x, h, c = drawn(a4.net.LSTM(D, H)), randn(N, D), randn(N, H), randn(N, H)
    douts = [randn(N, H), randn(N, H)]
    outputs, grads, of_weights = a4.helpers.differentiate(layer.step_forward, [x, h, c], douts, layer)
    leaves = [t.clone().requires_grad_() for t in (x, h, c)]
    want = torch.autograd.grad(layer.step_forward(*leaves), [*leaves, *layer.parameters()], douts)
    for got, right in zip([*grads, *of_weights.values()], want, strict=True):
        close(got, right)
    assert list(of_weights) == ["Wx", "Wh", "b"] and not outputs[0].requires_grad
    with pytest.raises(ValueError, match="autograd"):
        a4.helpers.differentiate(lambda x: x.detach(), [x], [x])


def test_numeric_gradient(a4):
    x, dout = randn(3, 4), randn(4)
    grad = a4.eecs598.grad
    numeric = grad.compute_numeric_gradient(lambda x: (x**2).sum(dim=0), x, dout)
    assert grad.rel_error(numeric, 2 * x * dout) < 1e-6
    a4.eecs598.reset_seed(3)
    first = torch.rand(2)
    a4.eecs598.reset_seed(3)
    assert torch.equal(first, torch.rand(2))


def test_picture_of_attention(a4):
    pytest.importorskip("matplotlib")
    weights = torch.zeros(4, 4)
    weights[0, 0] = 1.0
    picture = a4.helpers.attention_visualizer(torch.ones(3, 112, 112), weights, "dog")
    assert picture.shape == (3, 137, 112) and picture.dtype == torch.uint8
    assert picture[:, 5, 5].float().mean() > picture[:, 80, 80].float().mean()
    assert picture[:, 112:].min() < 128  # the word
