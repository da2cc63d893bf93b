"""The reference of A3 against torch's own layers and optimisers, in float64."""

import importlib
import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from grader.judge.reference import importing

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (ROOT / "reference" / "a3", ROOT / "assignments" / "a3" / "provided")
MODULES = {
    "fc": "fully_connected_networks",
    "cnn": "convolutional_networks",
    "conv": "fast_convolution",
    "fast": "fast_layers",
    "helper": "a3_helper",
    "eecs598": "eecs598",
}
F64 = torch.float64
HALVING = {"pool_height": 2, "pool_width": 2, "stride": 2}


@pytest.fixture(scope="module")
def a3():
    """The modules of A3, imported as a student's folder would see them."""
    with importing(*FOLDERS):
        yield SimpleNamespace(**{short: importlib.import_module(name) for short, name in MODULES.items()})


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def randn(*shape):
    return torch.randn(*shape, dtype=F64)


def tie_free(*shape):
    """Distinct values in random order, none of them 0: no kink of ReLU or max is near."""
    n = int(torch.tensor(shape).prod())
    return ((torch.randperm(n).to(F64) + 0.5) / n * 4 - 2).view(shape)


def close(got, want, tol=1e-9):
    assert got.shape == want.shape
    torch.testing.assert_close(got.to(want.dtype), want, rtol=tol, atol=tol)


def against_torch(layer, oracle, tensors, *settings):
    """Values, gradients, untouched inputs, and a second backward that agrees with the first."""
    leaves = [t.clone().requires_grad_() for t in tensors]
    want = oracle(*leaves)
    dout = torch.randn_like(want)
    want_grads = torch.autograd.grad(want, leaves, dout)

    given, upstream = [t.clone() for t in tensors], dout.clone()
    out, cache = layer.forward(*given, *settings)
    close(out, want.detach())
    for _ in range(2):
        grads = layer.backward(upstream, cache)
        for got, exact in zip(grads if isinstance(grads, tuple) else (grads,), want_grads, strict=True):
            close(got, exact)
    for got, exact in zip([*given, upstream], [*tensors, dout], strict=True):
        assert torch.equal(got, exact)


def net_against_autograd(model, scores_of, X, y):
    """scores_of(params, X) is an oracle made of torch's layers."""
    leaves = {name: p.clone().requires_grad_() for name, p in model.params.items()}
    scores = scores_of(leaves, X)
    weights = [p for name, p in leaves.items() if name.startswith("W")]
    loss = F.cross_entropy(scores, y) + model.reg * sum((w * w).sum() for w in weights)
    loss.backward()
    got_loss, grads = model.loss(X, y)
    close(got_loss, loss.detach())
    assert grads.keys() == model.params.keys()
    for name, p in leaves.items():
        close(grads[name], p.grad, 1e-8)


# fully connected


@pytest.mark.parametrize("shape", [(4, 6), (3, 2, 3), (1, 2, 2, 3)])
def test_linear(a3, shape):
    D = torch.Size(shape[1:]).numel()
    x, w, b = randn(*shape), randn(D, 5), randn(5)
    against_torch(a3.fc.Linear, lambda x, w, b: F.linear(x.flatten(1), w.t(), b), (x, w, b))
    against_torch(a3.fc.Linear_ReLU, lambda x, w, b: F.relu(F.linear(x.flatten(1), w.t(), b)), (x, w, b))


def test_linear_takes_a_transposed_input(a3):
    x, w, b = randn(2, 3, 4).transpose(1, 2), randn(12, 5), randn(5)
    against_torch(a3.fc.Linear, lambda x, w, b: F.linear(x.flatten(1), w.t(), b), (x, w, b))


def test_relu(a3):
    against_torch(a3.fc.ReLU, F.relu, (tie_free(3, 4, 5),))


def test_relu_stops_the_gradient_at_zero(a3):
    _, cache = a3.fc.ReLU.forward(torch.zeros(3))
    assert torch.equal(a3.fc.ReLU.backward(torch.ones(3), cache), torch.zeros(3))


def test_dropout_drops_a_share_p_and_keeps_the_mean(a3):
    x = torch.full((200, 500), 3.0, dtype=F64)
    for p in (0.0, 0.25, 0.7):
        out, cache = a3.fc.Dropout.forward(x, {"p": p, "mode": "train"})
        assert abs((out == 0).double().mean() - p) < 0.01
        assert abs(out.mean() - 3) < 0.05
        dx = a3.fc.Dropout.backward(torch.ones_like(x), cache)
        close(dx * 3, out)


def test_dropout_repeats_under_a_seed_and_leaves_the_global_generator_alone(a3):
    x, param = randn(5, 7), {"p": 0.5, "mode": "train", "seed": 3}
    state = torch.get_rng_state()
    first, second = (a3.fc.Dropout.forward(x, param)[0] for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(state, torch.get_rng_state())


def test_dropout_rests_at_test_time(a3):
    x, dout = randn(5, 7), randn(5, 7)
    out, cache = a3.fc.Dropout.forward(x, {"p": 0.5, "mode": "test"})
    assert torch.equal(out, x)
    assert torch.equal(a3.fc.Dropout.backward(dout, cache), dout)
    with pytest.raises(ValueError, match="modes"):
        a3.fc.Dropout.forward(x, {"p": 0.5, "mode": "eval"})


@pytest.mark.parametrize("reg", [0.0, 0.7])
def test_two_layer_net(a3, reg):
    net = a3.fc.TwoLayerNet(input_dim=12, hidden_dim=8, num_classes=5, weight_scale=0.5, reg=reg, dtype=F64)
    X, y = randn(6, 3, 4), torch.tensor([0, 4, 2, 2, 1, 3])

    def scores(p, X):
        return F.relu(X.flatten(1) @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"]

    net_against_autograd(net, scores, X, y)
    close(net.loss(X), scores(net.params, X))


@pytest.mark.parametrize("hidden", [[], [7], [7, 6, 5]])
def test_fully_connected_net(a3, hidden):
    net = a3.fc.FullyConnectedNet(hidden, input_dim=9, num_classes=4, reg=0.3, weight_scale=0.5, dtype=F64)
    assert net.num_layers == len(hidden) + 1
    assert not net.use_dropout
    X, y = randn(5, 9), torch.tensor([0, 3, 1, 2, 2])

    def scores(p, X):
        for i in range(1, net.num_layers):
            X = F.relu(X @ p[f"W{i}"] + p[f"b{i}"])
        return X @ p[f"W{net.num_layers}"] + p[f"b{net.num_layers}"]

    net_against_autograd(net, scores, X, y)


def test_fully_connected_net_with_dropout(a3):
    net = a3.fc.FullyConnectedNet([7, 8], 6, 5, dropout=0.25, seed=123, weight_scale=0.5, dtype=F64)
    assert net.dropout_param["p"] == 0.25
    X, y = randn(4, 6), torch.tensor([1, 3, 0, 4])
    _, grads = net.loss(X, y)
    for name, p in net.params.items():
        numeric = a3.eecs598.grad.compute_numeric_gradient(lambda _: net.loss(X, y)[0], p, h=1e-6)
        close(grads[name], numeric, 1e-5)
    close(net.loss(X), net.loss(X))


def test_checkpoints_of_fully_connected_networks(a3, tmp_path):
    path, X = tmp_path / "net.pth", randn(4, 9)
    net = a3.fc.TwoLayerNet(9, 8, 5, reg=0.1, dtype=F64)
    net.save(path)
    assert torch.load(path, weights_only=True).keys() == {"reg", "params"}
    other = a3.fc.TwoLayerNet(9, 8, 5)
    other.load(path, F64, "cpu")
    assert other.reg == 0.1
    close(other.loss(X), net.loss(X))

    net = a3.fc.FullyConnectedNet([7, 6], 9, 5, dropout=0.5, seed=1, dtype=F64)
    net.save(path)
    keys = {"reg", "dtype", "params", "num_layers", "use_dropout", "dropout_param"}
    assert torch.load(path, weights_only=True).keys() == keys
    other = a3.fc.FullyConnectedNet([3], 9, 5)
    other.load(path, torch.float32, "cpu")
    assert other.dropout_param == net.dropout_param
    close(other.loss(X.float()), net.loss(X).float(), 1e-5)


@pytest.mark.parametrize(
    ("rule", "oracle", "config"),
    [
        ("sgd", lambda p: torch.optim.SGD(p, lr=0.01), {}),
        ("sgd", lambda p: torch.optim.SGD(p, lr=0.3), {"learning_rate": 0.3}),
        ("sgd_momentum", lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9), {}),
        ("sgd_momentum", lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5), {"learning_rate": 0.1, "momentum": 0.5}),
        ("rmsprop", lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.99), {}),
        ("rmsprop", lambda p: torch.optim.RMSprop(p, lr=0.1, alpha=0.8), {"learning_rate": 0.1, "decay_rate": 0.8}),
        ("adam", lambda p: torch.optim.Adam(p), {}),
        (
            "adam",
            lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.5, 0.9)),
            {"learning_rate": 0.1, "beta1": 0.5, "beta2": 0.9},
        ),
    ],
)
def test_update_rules_follow_torchs_optimisers(a3, rule, oracle, config):
    p = randn(4, 3).requires_grad_()
    w, optimiser, config = p.detach().clone(), oracle([p]), dict(config) or None
    for _ in range(12):
        dw = randn(4, 3)
        p.grad = dw.clone()
        optimiser.step()
        before = w.clone(), dw.clone()
        next_w, config = getattr(a3.fc, rule)(w, dw, config)
        assert torch.equal(w, before[0])
        assert torch.equal(dw, before[1])
        w = next_w
        close(w, p.detach())


@pytest.mark.parametrize("loss", ["softmax_loss", "svm_loss"])
def test_losses(a3, loss):
    x, y = (5 * randn(6, 4)).requires_grad_(), torch.tensor([0, 1, 3, 3, 2, 0])
    oracle = {
        "softmax_loss": lambda: F.cross_entropy(x, y),
        "svm_loss": lambda: 4 * F.multi_margin_loss(x, y),  # torch divides by C as well
    }[loss]()
    oracle.backward()
    got, dx = getattr(a3.helper, loss)(x.detach(), y)
    close(got, oracle.detach())
    close(dx, x.grad)


def test_softmax_loss_survives_large_scores(a3):
    loss, dx = a3.helper.softmax_loss(torch.tensor([[1e5, 0.0], [0.0, -1e5]]), torch.tensor([0, 0]))
    assert loss == 0
    assert torch.isfinite(dx).all()


# convolution and pooling

CONVS = [  # N, C, H, W, F, HH, WW, stride, pad
    (4, 3, 8, 8, 5, 3, 3, 1, 1),
    (3, 16, 8, 8, 16, 3, 3, 1, 1),  # Winograd, whole tiles
    (3, 16, 9, 7, 17, 3, 3, 1, 1),  # Winograd, tiles over the edge
    (3, 17, 9, 7, 16, 3, 3, 1, 0),
    (2, 16, 5, 8, 16, 3, 3, 1, 3),
    (2, 16, 4, 4, 16, 3, 3, 1, 1),
    (2, 16, 3, 2, 16, 3, 3, 1, 1),
    (5, 2, 7, 9, 3, 2, 4, 2, 1),
    (2, 2, 7, 9, 3, 3, 3, 3, 0),
    (2, 2, 7, 8, 3, 3, 3, 4, 2),  # gaps between windows
    (1, 1, 3, 3, 1, 3, 3, 1, 0),
    (2, 3, 5, 6, 4, 1, 1, 1, 0),
]
POOLS = [  # H, W, pool_height, pool_width, stride
    (8, 8, 2, 2, 2),
    (7, 9, 2, 2, 2),
    (6, 10, 2, 2, 2),
    (7, 9, 3, 2, 1),  # overlapping
    (7, 9, 3, 3, 2),
    (7, 9, 2, 2, 3),  # gaps
    (5, 4, 5, 4, 1),
]


@pytest.mark.parametrize("layer", ["Conv", "FastConv"])
@pytest.mark.parametrize("sizes", CONVS)
def test_convolution(a3, layer, sizes):
    N, C, H, W, M, HH, WW, s, pad = sizes
    tensors = randn(N, C, H, W), randn(M, C, HH, WW), randn(M)
    param = {"stride": s, "pad": pad}
    against_torch(getattr(a3.cnn, layer), lambda x, w, b: F.conv2d(x, w, b, s, pad), tensors, param)


@pytest.mark.parametrize("sizes", CONVS[:3])
def test_fast_convolution_in_any_memory_layout_and_any_chunk(a3, sizes, monkeypatch):
    N, C, H, W, M, HH, WW, s, pad = sizes
    x, w, b = randn(N, C, H, W), randn(M, C, HH, WW), randn(M)
    monkeypatch.setattr(a3.conv, "_CHUNK_BYTES", 1)
    x = x.contiguous(memory_format=torch.channels_last)
    against_torch(a3.conv.FastConv, lambda x, w, b: F.conv2d(x, w, b, s, pad), (x, w, b), {"stride": s, "pad": pad})


def test_fast_convolution_without_input_gradient(a3):
    for C in (3, 16):
        x, w, b = randn(2, C, 8, 8), randn(16, C, 3, 3), randn(16)
        out, cache = a3.conv.FastConv.forward(x, w, b, {"stride": 1, "pad": 1})
        _, dw, db = a3.conv.FastConv.backward(out, cache)
        none, dw2, db2 = a3.conv.FastConv.backward(out, cache, input_grad=False)
        assert none is None
        assert torch.equal(dw, dw2)
        assert torch.equal(db, db2)


def test_winograd_in_float32_keeps_five_digits(a3):
    x, w, b = randn(4, 64, 8, 8), randn(128, 64, 3, 3), randn(128)
    exact = F.conv2d(x, w, b, 1, 1)
    out, _ = a3.conv.FastConv.forward(x.float(), w.float(), b.float(), {"stride": 1, "pad": 1})
    assert (out - exact).abs().max() < 1e-5 * exact.abs().max()


@pytest.mark.parametrize("layer", ["MaxPool", "FastMaxPool"])
@pytest.mark.parametrize("sizes", POOLS)
def test_max_pooling(a3, layer, sizes):
    H, W, HH, WW, s = sizes
    param = {"pool_height": HH, "pool_width": WW, "stride": s}
    against_torch(getattr(a3.cnn, layer), lambda x: F.max_pool2d(x, (HH, WW), s), (tie_free(3, 2, H, W),), param)


@pytest.mark.parametrize("layer", ["MaxPool", "FastMaxPool"])
@pytest.mark.parametrize("sizes", POOLS)
def test_max_pooling_hands_a_tied_gradient_on_once(a3, layer, sizes):
    H, W, HH, WW, s = sizes
    param = {"pool_height": HH, "pool_width": WW, "stride": s}
    layer = getattr(a3.cnn, layer)
    out, cache = layer.forward(torch.zeros(2, 3, H, W, dtype=F64), param)
    dout = randn(*out.shape)
    dx = layer.backward(dout, cache)
    close(dx.sum(dim=(2, 3)), dout.sum(dim=(2, 3)))
    if s >= max(HH, WW):
        assert (dx != 0).sum() == dout.numel()


# batch normalisation


@pytest.mark.parametrize("backward", ["backward", "backward_alt"])
def test_batch_norm(a3, backward):
    layer = SimpleNamespace(forward=a3.cnn.BatchNorm.forward, backward=getattr(a3.cnn.BatchNorm, backward))

    def oracle(x, gamma, beta):
        return F.batch_norm(x, None, None, gamma, beta, training=True, eps=1e-3)

    against_torch(layer, oracle, (3 * randn(7, 5) + 2, randn(5), randn(5)), {"mode": "train", "eps": 1e-3})


@pytest.mark.parametrize("backward", ["backward", "backward_alt"])
def test_batch_norm_at_test_time(a3, backward):
    layer = SimpleNamespace(forward=a3.cnn.BatchNorm.forward, backward=getattr(a3.cnn.BatchNorm, backward))
    mean, var = randn(5), randn(5).abs() + 0.5
    param = {"mode": "test", "running_mean": mean, "running_var": var}

    def oracle(x, gamma, beta):
        return F.batch_norm(x, mean, var, gamma, beta, training=False)

    against_torch(layer, oracle, (randn(7, 5), randn(5), randn(5)), param)
    with pytest.raises(ValueError, match="modes"):
        layer.forward(randn(7, 5), randn(5), randn(5), {"mode": "eval"})


def test_running_averages(a3):
    param, mean, var = {"mode": "train", "momentum": 0.8}, torch.zeros(4, dtype=F64), torch.zeros(4, dtype=F64)
    for _ in range(3):
        x = 2 * randn(6, 4) + 1
        a3.cnn.BatchNorm.forward(x, torch.ones(4, dtype=F64), torch.zeros(4, dtype=F64), param)
        mean = 0.8 * mean + 0.2 * x.mean(dim=0)
        var = 0.8 * var + 0.2 * x.var(dim=0, unbiased=False)
    close(param["running_mean"], mean)
    close(param["running_var"], var)


@pytest.mark.parametrize("layer", ["SpatialBatchNorm", "FastSpatialBatchNorm"])
def test_spatial_batch_norm(a3, layer):
    def oracle(x, gamma, beta):
        return F.batch_norm(x, None, None, gamma, beta, training=True)

    tensors = 3 * randn(3, 4, 5, 2) + 2, randn(4), randn(4)
    against_torch(getattr(a3.cnn, layer), oracle, tensors, {"mode": "train"})


# sandwiches: pooling before ReLU and norm must be invisible


def sandwich(x, w, b, gamma=None, beta=None, pool=False):
    z = F.conv2d(x, w, b, 1, 1)
    if gamma is not None:
        z = F.batch_norm(z, None, None, gamma, beta, training=True)
    z = F.relu(z)
    return F.max_pool2d(z, 2) if pool else z


CONV_PARAM = {"stride": 1, "pad": 1}


@pytest.mark.parametrize("C", [3, 16])
def test_sandwiches(a3, C):
    conv = randn(3, C, 8, 6), randn(16, C, 3, 3), randn(16)
    norm = randn(16).abs() + 0.1, randn(16)
    bn = {"mode": "train"}
    against_torch(a3.cnn.Conv_ReLU, sandwich, conv, CONV_PARAM)
    against_torch(a3.cnn.Conv_ReLU_Pool, lambda *t: sandwich(*t, pool=True), conv, CONV_PARAM, HALVING)
    against_torch(a3.cnn.Conv_BatchNorm_ReLU, sandwich, conv + norm, CONV_PARAM, bn)
    pooled = a3.cnn.Conv_BatchNorm_ReLU_Pool
    against_torch(pooled, lambda *t: sandwich(*t, pool=True), conv + norm, CONV_PARAM, bn, HALVING)


def test_the_short_cut_is_taken_only_where_it_is_legal(a3):
    applies, w, positive = a3.fast.FastConvNormReluPool.applies, randn(4, 3, 3, 3), torch.ones(4)
    assert applies(randn(1, 3, 8, 6), w, positive, CONV_PARAM, HALVING)
    assert not applies(randn(1, 3, 7, 6), w, positive, CONV_PARAM, HALVING)
    assert not applies(randn(1, 3, 8, 6), w, torch.tensor([1.0, 1, -1, 1]), CONV_PARAM, HALVING)
    assert not applies(randn(1, 3, 8, 6), w, positive, CONV_PARAM, {**HALVING, "stride": 1})


def test_sandwich_with_negative_gamma_and_odd_sizes(a3):
    tensors = randn(3, 3, 7, 6), randn(5, 3, 3, 3), randn(5), -randn(5).abs() - 0.1, randn(5)
    layer = a3.cnn.Conv_BatchNorm_ReLU_Pool
    against_torch(layer, lambda *t: sandwich(*t, pool=True), tensors, CONV_PARAM, {"mode": "train"}, HALVING)


def test_short_cut_keeps_the_same_running_averages_and_test_mode(a3):
    x, w, b = randn(3, 3, 8, 6), randn(5, 3, 3, 3), randn(5)
    gamma, beta = randn(5).abs(), randn(5)
    short, plain = {"mode": "train"}, {"mode": "train"}
    for mode in ("train", "train", "test"):
        short["mode"] = plain["mode"] = mode
        got, _ = a3.fast.FastConvNormReluPool.forward(x, w, b, gamma, beta, CONV_PARAM, short, HALVING)
        unpooled, _ = a3.cnn.Conv_BatchNorm_ReLU.forward(x, w, b, gamma, beta, CONV_PARAM, plain)
        close(got, F.max_pool2d(unpooled, 2))
    close(short["running_mean"], plain["running_mean"])
    close(short["running_var"], plain["running_var"])


def test_fast_norm_survives_a_mean_far_from_zero(a3):
    x = torch.randn(4, 3, 8, 8) + 1e4
    out, _ = a3.fast.FastSpatialBatchNorm.forward(x, torch.ones(3), torch.zeros(3), {"mode": "train"})
    assert (out - F.batch_norm(x.double(), None, None, training=True)).abs().max() < 1e-2


def test_short_cut_survives_a_mean_far_from_zero(a3):
    x, w, b = torch.randn(4, 3, 8, 8), torch.randn(5, 3, 3, 3), torch.full((5,), 1e4)
    out, _ = a3.fast.FastConvNormReluPool.forward(
        x, w, b, torch.ones(5), torch.zeros(5), CONV_PARAM, {"mode": "train"}, HALVING
    )
    want = sandwich(x.double(), w.double(), b.double(), torch.ones(5, dtype=F64), torch.zeros(5, dtype=F64), pool=True)
    assert (out - want).abs().max() < 1e-2


# networks


@pytest.mark.parametrize("size", [1, 3])
def test_three_layer_conv_net(a3, size):
    net = a3.cnn.ThreeLayerConvNet((2, 6, 8), 4, size, 7, 5, weight_scale=0.5, reg=0.2, dtype=F64)
    X, y = randn(4, 2, 6, 8), torch.tensor([0, 4, 1, 2])

    def scores(p, X):
        h = F.max_pool2d(F.relu(F.conv2d(X, p["W1"], p["b1"], 1, (size - 1) // 2)), 2)
        return F.relu(h.flatten(1) @ p["W2"] + p["b2"]) @ p["W3"] + p["b3"]

    net_against_autograd(net, scores, X, y)


@pytest.mark.parametrize(("batchnorm", "pools"), list(itertools.product([False, True], [[], [0, 2], [0, 1, 2]])))
def test_deep_conv_net(a3, batchnorm, pools):
    net = a3.cnn.DeepConvNet((3, 8, 8), [8, 16, 16], pools, batchnorm, 5, weight_scale=0.3, reg=0.1, dtype=F64)
    assert len(net.bn_params) == (3 if batchnorm else 0)
    X, y = randn(4, 3, 8, 8), torch.tensor([0, 4, 1, 2])

    def scores(p, X):
        for i in range(3):
            norm = (p[f"gamma{i}"], p[f"beta{i}"]) if batchnorm else ()
            X = sandwich(X, p[f"W{i}"], p[f"b{i}"], *norm, pool=i in pools)
        return X.flatten(1) @ p["W3"] + p["b3"]

    net_against_autograd(net, scores, X, y)


def test_deep_conv_net_normalises_with_running_averages_at_test_time(a3):
    net = a3.cnn.DeepConvNet((3, 8, 8), [8], [0], batchnorm=True, weight_scale="kaiming", dtype=F64)
    X = randn(6, 3, 8, 8)
    net.loss(X, torch.zeros(6, dtype=torch.int64))
    close(net.loss(X)[:2], net.loss(X[:2]))


def test_checkpoints_of_convolutional_networks(a3, tmp_path):
    path, X = tmp_path / "net.pth", randn(4, 3, 8, 8)
    net = a3.cnn.ThreeLayerConvNet((3, 8, 8), filter_size=3, weight_scale=0.3, reg=0.1, dtype=F64)
    net.save(path)
    assert torch.load(path, weights_only=True).keys() == {"reg", "dtype", "params"}
    other = a3.cnn.ThreeLayerConvNet((3, 8, 8), filter_size=3)
    other.load(path)
    close(other.loss(X), net.loss(X))

    net = a3.cnn.DeepConvNet((3, 8, 8), [8, 8], [1], batchnorm=True, weight_scale=0.3, dtype=F64)
    net.loss(X, torch.tensor([1, 2, 3, 4]))
    net.save(path)
    keys = {"reg", "dtype", "params", "num_layers", "max_pools", "batchnorm", "bn_params"}
    assert torch.load(path, weights_only=True).keys() == keys
    other = a3.cnn.DeepConvNet((3, 8, 8), [4])
    other.load(path, F64, "cpu")
    close(other.loss(X), net.loss(X))


@pytest.mark.parametrize("K", [None, 3])
@pytest.mark.parametrize("relu", [False, True])
def test_kaiming(a3, K, relu):
    w = a3.cnn.kaiming_initializer(120, 90, K=K, relu=relu, dtype=F64)
    assert w.shape == ((120, 90) if K is None else (90, 120, 3, 3))
    fan_in = 120 if K is None else 120 * 9
    assert abs(w.var() * fan_in / (2 if relu else 1) - 1) < 0.06
    assert abs(w.mean()) < 5 * w.std() / w.numel() ** 0.5


def test_deep_conv_net_starts_from_kaiming_or_a_given_initializer(a3):
    net = a3.cnn.DeepConvNet((3, 8, 8), [400], [], weight_scale="kaiming", dtype=F64)
    assert abs(net.params["W0"].var() * 27 / 2 - 1) < 0.1
    assert abs(net.params["W1"].var() * 400 * 64 - 1) < 0.1
    net = a3.cnn.DeepConvNet(
        (3, 8, 8),
        [4],
        [],
        weight_initializer=lambda Din, Dout, K=None, **_: torch.ones((Din, Dout) if K is None else (Dout, Din, K, K)),
    )
    assert (net.params["W0"] == 1).all()


def test_augmentation_moves_and_mirrors(a3):
    net = a3.cnn.AugmentedConvNet(shift=1, input_dims=(1, 4, 4), num_filters=[2], max_pools=[0])
    X = torch.zeros(200, 1, 4, 4)
    X[:, 0, 1, 1] = 1
    seen = net._augmented(X)
    assert (seen.sum(dim=(1, 2, 3)) == 1).all()
    places = {tuple(p.tolist()) for p in seen[:, 0].nonzero()[:, 1:]}
    assert places == set(itertools.product(range(3), range(4)))
    assert X[:, 0, 1, 1].all()


def test_one_cycle_climbs_and_falls(a3):
    rule = a3.cnn.one_cycle(lambda w, dw, config: (w - config["learning_rate"], config), num_steps=10, rise=0.5)
    w, config, steps = torch.zeros(()), {"learning_rate": 5.0}, []
    for _ in range(10):
        next_w, config = rule(w, None, config)
        steps.append(float(w - next_w))
        w = next_w
    assert steps == [1, 2, 3, 4, 5, 4, 3, 2, 1, 0]


# settings


def images(n, flat):
    X, y = torch.rand(n, 3, 32, 32) - 0.5, torch.arange(n) % 10
    X = X.flatten(1) if flat else X
    return {"X_train": X, "y_train": y, "X_val": X[:20], "y_val": y[:20]}


@pytest.mark.parametrize(("layers", "hidden"), [("three", [100, 100]), ("five", [100] * 4)])
def test_settings_fit_fifty_images_perfectly(a3, layers, hidden):
    weight_scale, learning_rate = getattr(a3.fc, f"get_{layers}_layer_network_params")()
    data = images(50, flat=True)
    model = a3.fc.FullyConnectedNet(hidden, weight_scale=weight_scale)
    config = {"learning_rate": learning_rate}
    solver = a3.eecs598.Solver(
        model, data, update_rule=a3.fc.sgd, optim_config=config, num_epochs=20, batch_size=25, verbose=False
    )
    solver.train()
    assert max(solver.train_acc_history) == 1


def test_two_layer_solver_comes_untrained(a3):
    solver = a3.fc.create_solver_instance(images(200, flat=True), torch.float32, "cpu")
    assert isinstance(solver, a3.eecs598.Solver)
    assert solver.model.params["W1"].shape == (3072, 200)
    assert solver.loss_history == []


@pytest.mark.parametrize("recipe", ["QUICK", "GOOD", "LONG"])
def test_convolutional_solver_trains(a3, recipe):
    recipe = getattr(a3.cnn, recipe)
    solver = a3.cnn.solver_of(recipe, images(128, flat=False), torch.float32, "cpu")
    assert solver.loss_history == []
    solver.verbose, solver.num_epochs = False, 1
    solver.train(return_best_params=False)
    assert len(solver.loss_history) == 2
    assert all(torch.isfinite(p).all() for p in solver.model.params.values())
