"""The reference of A2 against oracles that share no code with it: torch's own losses and autograd, in float64."""

import importlib.util
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

FOLDER = Path(__file__).parents[2] / "reference" / "a2"
LOSSES = ("svm_loss_naive", "svm_loss_vectorized", "softmax_loss_naive", "softmax_loss_vectorized")
VECTORIZED = ("svm_loss_vectorized", "softmax_loss_vectorized")


class Operations(TorchDispatchMode):
    """Counts the operations dispatched."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += 1
        return func(*args, **(kwargs or {}))


def load(name):
    spec = importlib.util.spec_from_file_location(f"reference_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def linear():
    return load("linear_classifier")


@pytest.fixture
def net(linear, monkeypatch):
    monkeypatch.setitem(sys.modules, "linear_classifier", linear)
    return load("two_layer_net")


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def normal(*shape, dtype=torch.float64, scale=1.0):
    return scale * torch.randn(*shape, dtype=dtype)


def problem(n=9, d=6, c=4, dtype=torch.float64):
    return normal(d, c, dtype=dtype), normal(n, d, dtype=dtype), torch.arange(n) % c


def oracle(name, W, X, y, reg):
    """Loss and gradient by torch's losses and autograd, in float64."""
    W = W.double().requires_grad_()
    scores = X.double() @ W
    C = W.shape[1]  # by which torch divides the hinge loss
    loss = F.multi_margin_loss(scores, y) * C if "svm" in name else F.cross_entropy(scores, y)
    loss = loss + reg * W.square().sum()
    return loss.detach(), torch.autograd.grad(loss, W)[0]


def blobs(n, dtype=torch.float64):
    """Rows (n, 3) around three far corners, and the corner of each."""
    y = torch.arange(n) % 3
    return 5 * torch.eye(3, dtype=dtype)[y] + normal(n, 3, dtype=dtype), y


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_losses_agree_with_torch(linear, name, dtype, tolerance):
    W, X, y = problem(dtype=dtype)
    before = [tensor.clone() for tensor in (W, X, y)]
    loss, dW = getattr(linear, name)(W, X, y, 0.3)
    expected_loss, expected_dW = oracle(name, W, X, y, 0.3)
    assert loss.shape == ()
    assert loss.dtype == dW.dtype == dtype
    torch.testing.assert_close(loss.double(), expected_loss, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(dW.double(), expected_dW, rtol=tolerance, atol=tolerance)
    assert all(torch.equal(tensor, old) for tensor, old in zip((W, X, y), before, strict=True))


@pytest.mark.parametrize("name", [name for name in LOSSES if "softmax" in name])
@pytest.mark.parametrize("scale", [1e3, -1e3, 1e5])
def test_softmax_survives_large_scores(linear, name, scale):
    W, X, y = problem(dtype=torch.float32)
    loss, dW = getattr(linear, name)(scale * W, X, y, 0.0)
    expected_loss, expected_dW = oracle(name, scale * W, X, y, 0.0)
    torch.testing.assert_close(loss.double(), expected_loss, rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(dW.double(), expected_dW, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", VECTORIZED)
def test_vectorised_losses_have_no_loops(linear, name):
    def count(n, c):
        W, X, y = problem(n=n, c=c)
        with Operations() as operations:
            getattr(linear, name)(W, X, y, 0.1)
        return operations.count

    assert count(4, 3) == count(40, 30)


def test_a_batch_pairs_rows_with_their_labels_and_reaches_every_row(linear):
    X, y = torch.arange(10.0).reshape(5, 2), torch.arange(5)
    X_batch, y_batch = linear.sample_batch(X, y, 5, 300)
    assert torch.equal(X_batch, X[y_batch])
    assert set(y_batch.tolist()) == {0, 1, 2, 3, 4}
    assert set(linear.sample_batch(X, y, 3, 300)[1].tolist()) == {0, 1, 2}


def test_training_takes_steps_against_the_gradient(linear):
    W, X, y = problem()
    before, calls = W.clone(), []

    def loss_func(W, X_batch, y_batch, reg):
        calls.append((X_batch.shape, y_batch.shape, reg))
        return W.new_tensor(2.5), torch.ones_like(W)

    trained, history = linear.train_linear_classifier(loss_func, W, X, y, 0.1, 0.7, num_iters=3, batch_size=5)
    torch.testing.assert_close(trained, before - 0.3)
    assert torch.equal(W, before)
    assert history == [2.5] * 3
    assert calls == [((5, 6), (5,), 0.7)] * 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_training_starts_from_small_random_weights_where_none_are_given(linear, dtype):
    _, X, y = problem(d=50, c=8, n=16, dtype=dtype)
    W, _ = linear.train_linear_classifier(linear.svm_loss_vectorized, None, X, y, num_iters=0)
    assert W.shape == (50, 8)
    assert W.dtype == dtype
    assert 0.5e-6 < W.std() < 2e-6


def test_verbose_training_prints(linear, capsys):
    _, X, y = problem()
    linear.train_linear_classifier(linear.svm_loss_vectorized, None, X, y, num_iters=101, verbose=True)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_highest_score_is_predicted(linear):
    W, X, _ = problem()
    predicted = linear.predict_linear_classifier(W, X)
    assert predicted.dtype == torch.int64
    assert predicted.tolist() == [max(range(4), key=lambda j, x=x: float(x @ W[:, j])) for x in X]


@pytest.mark.parametrize("name", ["svm_get_search_params", "softmax_get_search_params"])
def test_linear_grids_keep_their_limits(linear, name):
    learning_rates, strengths = getattr(linear, name)()
    assert 5 <= len(learning_rates) * len(strengths) <= 25


@pytest.mark.parametrize("cls", ["LinearSVM", "Softmax"])
def test_classifiers_learn_and_survive_a_file(linear, cls, tmp_path):
    X, y = blobs(90)
    X_val, y_val = blobs(30)
    data = {"X_train": X, "y_train": y, "X_val": X_val, "y_val": 2 - y_val}
    classifier = getattr(linear, cls)()
    same, train_acc, val_acc = linear.test_one_param_set(classifier, data, 0.1, 1e-4, num_iters=100)
    assert same is classifier
    assert train_acc == (classifier.predict(X) == y).double().mean() > 0.95
    assert val_acc == (classifier.predict(X_val) == 2 - y_val).double().mean() < 0.5
    classifier.save(tmp_path / "best.pt")
    again = getattr(linear, cls)()
    again.load(tmp_path / "best.pt")
    assert torch.equal(again.W, classifier.W)
    assert torch.load(tmp_path / "best.pt", weights_only=True).keys() == {"W"}


def test_each_classifier_has_its_own_loss(linear):
    W, X, y = problem()
    assert torch.equal(linear.LinearSVM().loss(W, X, y, 0.1)[0], linear.svm_loss_vectorized(W, X, y, 0.1)[0])
    assert torch.equal(linear.Softmax().loss(W, X, y, 0.1)[0], linear.softmax_loss_vectorized(W, X, y, 0.1)[0])


def parameters(d=5, h=7, c=4, dtype=torch.float64):
    return {
        "W1": normal(d, h, dtype=dtype),
        "b1": normal(h, dtype=dtype),
        "W2": normal(h, c, dtype=dtype),
        "b2": normal(c, dtype=dtype),
    }


def torch_scores(params, X):
    hidden = F.relu(F.linear(X, params["W1"].T, params["b1"]))
    return F.linear(hidden, params["W2"].T, params["b2"]), hidden


def test_the_forward_pass_is_that_of_torch(net):
    params, X = parameters(), normal(6, 5)
    for found, expected in zip(net.nn_forward_pass(params, X), torch_scores(params, X), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(net.nn_forward_backward(params, X), torch_scores(params, X)[0])


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-4)])
def test_loss_and_gradients_are_those_of_autograd(net, dtype, tolerance):
    params, X, y = parameters(dtype=dtype), normal(6, 5, dtype=dtype), torch.tensor([0, 1, 2, 3, 3, 0])
    before = {name: tensor.clone() for name, tensor in params.items()}
    loss, grads = net.nn_forward_backward(params, X, y=y, reg=0.2)
    leaves = {name: tensor.double().requires_grad_() for name, tensor in params.items()}
    penalty = leaves["W1"].square().sum() + leaves["W2"].square().sum()
    expected = F.cross_entropy(torch_scores(leaves, X.double())[0], y) + 0.2 * penalty
    expected.backward()
    assert loss.shape == ()
    torch.testing.assert_close(loss.double(), expected.detach(), rtol=tolerance, atol=tolerance)
    assert grads.keys() == params.keys()
    for name, gradient in grads.items():
        assert gradient.dtype == dtype
        torch.testing.assert_close(gradient.double(), leaves[name].grad, rtol=tolerance, atol=tolerance)
        assert torch.equal(params[name], before[name])


def test_the_network_survives_large_scores(net):
    params, X, y = parameters(dtype=torch.float32), 1e4 * normal(6, 5, dtype=torch.float32), torch.arange(6) % 4
    loss, grads = net.nn_forward_backward(params, X, y)
    torch.testing.assert_close(loss, F.cross_entropy(torch_scores(params, X)[0], y), rtol=1e-4, atol=1e-2)
    assert all(gradient.isfinite().all() for gradient in grads.values())


def test_network_training_steps_decays_and_keeps_histories(net):
    params, X, y = {"W1": torch.zeros(1, dtype=torch.float64)}, normal(10, 5), torch.zeros(10, dtype=torch.int64)
    path, shapes = [0.0], set()

    def loss_func(params, X, y=None, reg=0.0):
        shapes.add((tuple(X.shape), tuple(y.shape), reg))
        path.append(float(params["W1"]))
        return torch.tensor(1.5), {"W1": -torch.ones(1, dtype=torch.float64)}

    def pred_func(params, loss_func, X):
        return torch.arange(len(X)) % 2

    stats = net.nn_train(params, loss_func, pred_func, X, y, X[:4], y[:4], 1.0, 0.5, 0.3, num_iters=5, batch_size=5)
    path.append(float(params["W1"]))
    steps = [after - before for before, after in pairwise(path[1:])]
    assert steps == [1.0, 0.5, 0.5, 0.25, 0.25]  # an epoch is 10 // 5 iterations, and decay follows its first
    assert shapes == {((5, 5), (5,), 0.3)}
    assert stats["loss_history"] == [1.5] * 5
    assert stats["train_acc_history"] == [0.6] * 3
    assert stats["val_acc_history"] == [0.5] * 3


def test_prediction_asks_the_loss_function_for_scores(net):
    scores = normal(6, 4)
    assert torch.equal(net.nn_predict({}, lambda params, X: scores, normal(6, 5)), scores.argmax(dim=1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_network_learns_and_survives_a_file(net, tmp_path, dtype):
    X, y = blobs(60, dtype=dtype)
    model = net.TwoLayerNet(3, 8, 3, dtype=dtype, device="cpu", std=0.1)
    assert {name: tuple(tensor.shape) for name, tensor in model.params.items()} == {
        "W1": (3, 8),
        "b1": (8,),
        "W2": (8, 3),
        "b2": (3,),
    }
    assert all(tensor.dtype == dtype for tensor in model.params.values())
    stats = model.train(X, y, X, y, 0.5, 1.0, 1e-4, num_iters=100, batch_size=30)
    assert stats["loss_history"][-1] < 0.3 < stats["loss_history"][0]
    assert (model.predict(X) == y).double().mean() > 0.95
    model.save(tmp_path / "best.pt")
    again = net.TwoLayerNet(3, 8, 3, dtype=dtype)
    again.load(tmp_path / "best.pt")
    assert torch.equal(again.loss(X), model.loss(X))
    assert torch.load(tmp_path / "best.pt", weights_only=True).keys() == {"W1", "b1", "W2", "b2"}


def test_fresh_weights_have_the_spread_asked_for(net):
    params = net.TwoLayerNet(100, 50, 40).params
    assert params["W1"].std() == pytest.approx(1e-4, rel=0.1)
    assert params["W2"].std() == pytest.approx(1e-4, rel=0.1)
    assert not params["b1"].any()
    assert not params["b2"].any()


def test_the_network_grid_keeps_its_limit(net):
    lists = net.nn_get_search_params()
    assert len(lists) == 4
    size = 1
    for values in lists:
        size *= len(values)
    assert 1 <= size < 256


def test_the_best_network_is_the_one_that_learned(net, monkeypatch):
    train, tried = net.TwoLayerNet.train, []

    def noted(self, *args):
        tried.append((self.params["W1"].shape[1], *args[4:7]))
        return train(self, *args)

    monkeypatch.setattr(net.TwoLayerNet, "train", noted)
    X, y = blobs(60, dtype=torch.float32)
    data = {"X_train": X, "y_train": y, "X_val": X, "y_val": y}
    best, stats, val_acc = net.find_best_net(data, lambda: ([0.0, 0.3], [5, 6], [1e-4], [0.9]))
    assert tried == [(5, 0.0, 0.9, 1e-4), (6, 0.0, 0.9, 1e-4), (5, 0.3, 0.9, 1e-4), (6, 0.3, 0.9, 1e-4)]
    assert val_acc == (best.predict(X) == y).double().mean() > 0.9
    assert len(stats["loss_history"]) == 300  # 15 epochs of 20 batches
    assert stats["loss_history"][-1] < stats["loss_history"][0]
