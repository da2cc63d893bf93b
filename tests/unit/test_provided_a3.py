"""What assignment 3 hands out: Solver, gradient helpers, data."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from grader.judge.reference import importing

PROVIDED = Path(__file__).resolve().parents[2] / "assignments" / "a3" / "provided"


@pytest.fixture
def eecs598():
    """The package as it lies beside a student's code."""
    with importing(PROVIDED):
        yield importlib.import_module("eecs598")


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


class Line:
    """Scores X w of a two-class problem under squared error: small, smooth, and it has something like bn_params."""

    def __init__(self, D=3):
        self.params = {"w": torch.zeros(D, 2)}
        self.bn_params = [{"seen": torch.zeros(())}]

    def loss(self, X, y=None):
        scores = X @ self.params["w"]
        if y is None:
            return scores
        self.bn_params[0]["seen"] = self.bn_params[0]["seen"] + 1
        error = scores - torch.nn.functional.one_hot(y, 2)
        return (error**2).sum() / len(X), {"w": 2 * X.t() @ error / len(X)}


def problem(n=60):
    X = torch.randn(n, 3)
    y = (X[:, 0] > 0).long()
    return {"X_train": X[: n - 20], "y_train": y[: n - 20], "X_val": X[n - 20 :], "y_val": y[n - 20 :]}


def solver(eecs598, data, **settings):
    given = {"optim_config": {"learning_rate": 0.05}, "batch_size": 10, "num_epochs": 3, "verbose": False}
    return eecs598.Solver(Line(), data, **{**given, **settings})


def test_importing_needs_torch_only():
    code = (
        "import sys, torch; before = set(sys.modules); import eecs598, a3_helper; "
        "new = {n.split('.')[0] for n in set(sys.modules) - before} - set(sys.stdlib_module_names); print(sorted(new))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=PROVIDED, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['a3_helper', 'eecs598']"


def test_solver_learns_and_keeps_count(eecs598):
    s = solver(eecs598, problem(), num_epochs=10)
    s.train()
    assert len(s.loss_history) == 40
    assert len(s.train_acc_history) == len(s.val_acc_history) == 11
    assert s.loss_history[-1] < 0.6 * s.loss_history[0]
    assert s.best_val_acc == max(s.val_acc_history) >= 0.9
    assert s.check_accuracy(s.X_val, s.y_val) == s.best_val_acc


def test_solver_applies_the_decay_and_copies_the_configuration(eecs598):
    config = {"learning_rate": 0.5}
    s = solver(eecs598, problem(), optim_config=config, lr_decay=0.5)
    s.train()
    assert s.optim_configs["w"]["learning_rate"] == 0.5**4
    assert config == {"learning_rate": 0.5}


def test_best_parameters_come_back_or_the_last_ones(eecs598):
    def backwards(w, dw, config):
        return w + 0.05 * dw, config

    for keep_best in (True, False):
        s = solver(eecs598, problem(), update_rule=backwards)
        s.model.params["w"] = torch.tensor([[-1.0, 1.0], [0, 0], [0, 0]])
        s.train(return_best_params=keep_best)
        assert (s.check_accuracy(s.X_val, s.y_val) == max(s.val_acc_history)) == keep_best
        assert (s.model.bn_params[0]["seen"] == 0) == keep_best


def test_time_limit_stops_training_and_a_second_call_goes_on(eecs598):
    s = solver(eecs598, problem())
    s.train(time_limit=0, return_best_params=False)
    assert s.iteration == 1
    s.train(return_best_params=False)
    assert s.iteration == len(s.loss_history) == 12


def test_progress_is_printed(eecs598, capsys):
    solver(eecs598, problem(), verbose=True, print_every=4).train()
    lines = capsys.readouterr().out.splitlines()
    assert sum("iteration" in line for line in lines) == 4
    assert sum("validation" in line for line in lines) == 4


def test_unknown_arguments_are_refused(eecs598):
    with pytest.raises(ValueError, match="'learning_rate'"):
        solver(eecs598, problem(), learning_rate=1)


def test_resume_continues_as_if_nothing_had_happened(eecs598, tmp_path):
    data = problem()
    whole = solver(eecs598, data, checkpoint_name=str(tmp_path / "run"))
    whole.train(return_best_params=False)

    torch.manual_seed(99)
    second = solver(eecs598, data)
    second.resume(tmp_path / "run_epoch_1.pt")
    second.train(return_best_params=False)
    assert second.loss_history == whole.loss_history
    assert second.val_acc_history == whole.val_acc_history
    assert torch.equal(second.model.params["w"], whole.model.params["w"])
    assert second.model.bn_params == whole.model.bn_params


def test_resume_refuses_another_network(eecs598, tmp_path):
    s = solver(eecs598, problem())
    s.save(tmp_path / "run.pt")
    s.model.params = {"other": torch.zeros(3, 2)}
    with pytest.raises(ValueError, match="same network"):
        s.resume(tmp_path / "run.pt")


def test_accuracy_of_a_sample(eecs598):
    s = solver(eecs598, problem())
    s.model.params["w"] = torch.tensor([[-1.0, 1.0], [0, 0], [0, 0]])
    assert s.check_accuracy(s.X_val, s.y_val, num_samples=7, batch_size=3) == 1


def test_numeric_gradient(eecs598):
    x, dout = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    before = x.clone()
    got = eecs598.grad.compute_numeric_gradient(lambda x: x**3, x, dout)
    assert eecs598.grad.rel_error(got, 3 * x**2 * dout) < 1e-6
    scalar = eecs598.grad.compute_numeric_gradient(lambda x: (x**2).sum(), x)
    assert eecs598.grad.rel_error(scalar, 2 * x) < 1e-6
    assert torch.equal(x, before)
    with pytest.raises(ValueError, match="contiguous"):
        eecs598.grad.compute_numeric_gradient(lambda x: x, x.t())


def test_rel_error(eecs598):
    assert eecs598.grad.rel_error(torch.tensor([1.0, 2]), torch.tensor([1.0, 3])) == pytest.approx(0.2)
    assert eecs598.grad.rel_error(torch.zeros(2), torch.zeros(2)) == 0


def test_sparse_gradient_check_prints_small_errors(eecs598, capsys):
    x = torch.randn(4, 3, dtype=torch.float64)
    eecs598.grad.grad_check_sparse(lambda x: (x**2).sum(), x, 2 * x, num_checks=3)
    errors = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    assert len(errors) == 3
    assert max(errors) < 1e-5


def write_cifar10(folder, numpy, pickle):
    folder.mkdir()
    for k, name in enumerate(
        ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]
    ):
        batch = {"data": numpy.full((2, 3072), 10 * k, dtype=numpy.uint8), "labels": [k, k + 1]}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))


def test_cifar10_from_a_folder(eecs598, tmp_path):
    numpy, pickle = importlib.import_module("numpy"), importlib.import_module("pickle")
    write_cifar10(tmp_path / "cifar-10-batches-py", numpy, pickle)
    x_train, y_train, x_test, y_test = eecs598.data.cifar10(tmp_path)
    assert x_train.shape == (10, 3, 32, 32)
    assert y_train.tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert (x_test == 50).all()
    assert y_test.tolist() == [5, 6]

    data = eecs598.data.preprocess_cifar10(root=tmp_path, bias_trick=True, dtype=torch.float64)
    assert data["X_train"].shape == (8, 3073)
    assert data["X_val"].shape == (2, 3073)
    assert (data["X_train"][:, -1] == 1).all()
    images = eecs598.data.preprocess_cifar10(root=tmp_path, flatten=False)
    torch.testing.assert_close(images["X_test"], torch.full((2, 3, 32, 32), 30 / 255))


def test_a_batch_that_names_code_is_refused(eecs598, tmp_path):
    numpy, pickle = importlib.import_module("numpy"), importlib.import_module("pickle")
    write_cifar10(tmp_path / "batches", numpy, pickle)
    (tmp_path / "batches" / "test_batch").write_bytes(pickle.dumps({"data": Path}))
    with pytest.raises(pickle.UnpicklingError, match="Path"):
        eecs598.data.cifar10(tmp_path / "batches")


def test_missing_cifar10_is_explained(eecs598, tmp_path):
    with pytest.raises(FileNotFoundError, match="cifar-10-batches-py"):
        eecs598.data.cifar10(tmp_path)


def test_pictures(eecs598):
    X = torch.stack([torch.full((3, 4, 4), k / 10) for k in range(4)])
    grid = eecs598.visualize_dataset(X, torch.tensor([0, 0, 1, 1]), 2, ["a", "b"])
    assert grid.shape == (8, 8, 3)
    assert set(grid[:4].flatten().tolist()) <= {0, 26}
    assert set(grid[4:].flatten().tolist()) <= {51, 76, 77}
