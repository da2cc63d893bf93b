"""Checks of A3: settings that were found by trying, and Solvers that are made but not yet trained.

Settings are judged by training the right network with them, in the judge: whether 50 images can be learnt by heart says
nothing, then, about the submission's own layers. The images are drawn like photographs: smooth, with a little noise.
"""

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, visibility, weight

from grader.contract.verdict import CheckFailed, Explanation

# Settings with which two trainings in five succeed are found by trying, too, and a training takes a tenth of a second.
ATTEMPTS = 8


# ---- helpers -------------------------------------------------------------------------------------------------------


def photographs(draw, n, dtype=torch.float32):
    """Images (n, 3, 32, 32) with the spectrum and the size of CIFAR-10's after the mean was taken off."""
    image = torch.zeros(n, 3, 32, 32, dtype=torch.float64)
    # Noise on grids from coarse to fine; the shares were fitted to CIFAR-10's deviation and principal components.
    for cells, share in ((1, 0.12), (2, 0.15), (4, 0.165), (8, 0.155), (16, 0.13), (32, 0.05)):
        grey, colour = draw.normal(n, 1, cells, cells), draw.normal(n, 3, cells, cells)
        coarse = share * (0.95 * grey + 0.3 * colour)
        image += torch.nn.functional.interpolate(coarse, size=(32, 32), mode="bilinear", align_corners=False)
    return image.to(dtype)


def labelled(draw, n, flat, dtype=torch.float32):
    """Photographs and labels that have nothing to do with each other."""
    X = photographs(draw, n, dtype)
    return (X.flatten(1) if flat else X), draw.labels(n, 10)


def two_numbers(expect, got):
    """weight_scale and learning_rate."""
    if type(got) not in (tuple, list) or len(got) != 2:
        raise CheckFailed("The function should return two numbers: weight_scale and learning_rate.")
    for value, name in zip(got, ("weight_scale", "learning_rate"), strict=True):
        expect(value, name).has_shape().is_between(1e-12, 1e3)
    return [float(value) for value in got]


def best_accuracy(reference, net, data, num_epochs, **settings):
    """The best accuracy on the training images in the course of training, which ends once all are right."""
    solver = reference.fully_connected_networks.Solver(net, data, print_every=10**9, verbose=False, **settings)
    for epoch in range(1, num_epochs + 1):
        solver.num_epochs = epoch
        solver.train(return_best_params=False)
        if solver.train_acc_history[-1] == 1.0:
            break
    return max(solver.train_acc_history)


def check_overfits(draw, flat, train):
    """`train(data)` learns 50 images by heart, in one of some attempts with other images."""
    best = 0.0
    for _ in range(ATTEMPTS):
        (X, y), (X_val, y_val) = labelled(draw, 50, flat), labelled(draw, 10, flat)
        best = max(best, train({"X_train": X, "y_train": y, "X_val": X_val, "y_val": y_val}))
        if best == 1.0:
            return
    raise CheckFailed(
        Explanation(
            "A network with these settings does not learn 50 images by heart. Try other orders of magnitude.",
            expected=f"100 % of the training images right, in one of {ATTEMPTS} attempts",
            got=f"{best:.0%}",
        )
    )


def plain_settings(reference, function, expect, draw, hidden_dims):
    """The settings of a fully connected network under plain SGD: 20 epochs of 50 images in batches of 25."""
    weight_scale, learning_rate = two_numbers(expect, function())
    fc = reference.fully_connected_networks

    def train(data):
        torch.manual_seed(draw.seed())
        net = fc.FullyConnectedNet(hidden_dims, weight_scale=weight_scale, dtype=torch.float32)
        how = {"update_rule": fc.sgd, "optim_config": {"learning_rate": learning_rate}}
        return best_accuracy(reference, net, data, num_epochs=20, batch_size=25, **how)

    check_overfits(draw, True, train)


def separable(draw, n, flat, classes=10):
    """Images around one photograph for each class."""
    X, y = photographs(draw, classes)[:, None], draw.labels(n, classes)
    X = X[y, 0] + 0.3 * photographs(draw, n)
    return (X.flatten(1) if flat else X), y


def untrained(solver, net):
    """The parameters of a Solver's model, once it is sure that no step was taken."""
    for name in ("model", "loss_history", "train"):
        if not hasattr(solver, name):
            raise CheckFailed(f"The function should return a Solver, around a {net}.")
    history = solver.loss_history
    if type(history) is not list or history:
        raise CheckFailed("The Solver should not be trained yet: its loss_history should be empty.")
    if not hasattr(solver.model, "params") or type(solver.model.params) is not dict:
        raise CheckFailed(f"The Solver's model should be a {net} with params.")
    return solver.model.params


def check_learns(expect, note, solver, seconds):
    """Training makes the loss smaller, where there is time for some steps."""
    solver.train(time_limit=seconds)
    history = solver.loss_history
    if type(history) is not list or not history:
        raise CheckFailed("After train() the Solver's loss_history should hold the loss of every step.")
    for value in history:
        expect(value, "loss").has_shape().is_finite()
    if len(history) < 6:
        note(f"Training got no further than {len(history)} steps here, so that only its losses were looked at.")
        return
    early, late = sum(map(float, history[:3])) / 3, sum(map(float, history[-3:])) / 3
    if late >= early:
        raise CheckFailed(
            Explanation(
                "Training does not make the loss smaller, although the images are easy to tell apart.",
                expected=f"less than {early:.4g} at the end",
                got=f"{late:.4g}",
            )
        )


def small_data(draw, n_train, n_val, flat):
    """Training and validation images that share their classes."""
    X, y = separable(draw, n_train + n_val, flat)
    data = {"X_train": X[:n_train], "y_train": y[:n_train], "X_val": X[n_train:], "y_val": y[n_train:]}
    return {**data, "X_test": data["X_val"], "y_test": data["y_val"]}


# ---- 14. create_solver_instance ------------------------------------------------------------------------------------


@number("14.1")
@weight(1.5)
@visibility("visible")
def test_solver(student, draw, expect, device):
    """create_solver_instance returns a Solver that is not trained yet, around a TwoLayerNet with 200 hidden units."""
    data = small_data(draw, 40, 20, flat=True)
    solver = student.fully_connected_networks.create_solver_instance(data, torch.float32, str(device))
    params = untrained(solver, "TwoLayerNet")
    if sorted(map(str, params)) != ["W1", "W2", "b1", "b2"]:
        raise CheckFailed("The Solver's model should be a TwoLayerNet, with the parameters W1, b1, W2 and b2.")
    expect(params["W1"], "W1").has_shape(3072, 200)
    expect(params["W2"], "W2").has_shape(200, 10)
    if not torch.is_tensor(params["W1"]) or params["W1"].dtype != torch.float32:
        raise CheckFailed("The model should have the dtype that create_solver_instance was told.")


@number("14.2")
@weight(1.5)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=20)
def test_solver_learns(student, draw, expect, note, device):
    """create_solver_instance chooses settings with which training makes the loss smaller."""
    data = small_data(draw, 400, 100, flat=True)
    solver = student.fully_connected_networks.create_solver_instance(data, torch.float32, str(device))
    untrained(solver, "TwoLayerNet")
    check_learns(expect, note, solver, 2)


# ---- 15., 16. settings of fully connected networks -----------------------------------------------------------------


@number("15.1")
@weight(2)
@visibility("visible")
def test_three_layer_settings(student, reference, draw, expect):
    """get_three_layer_network_params: three layers learn 50 images by heart with these settings, within 20 epochs."""
    function = student.fully_connected_networks.get_three_layer_network_params
    plain_settings(reference, function, expect, draw, [100, 100])


@number("16.1")
@weight(2)
@visibility("visible")
def test_five_layer_settings(student, reference, draw, expect):
    """get_five_layer_network_params: five layers learn 50 images by heart with these settings, within 20 epochs."""
    function = student.fully_connected_networks.get_five_layer_network_params
    plain_settings(reference, function, expect, draw, [100, 100, 100, 100])


# ---- 25. find_overfit_parameters -----------------------------------------------------------------------------------


@number("25.1")
@weight(3)
@visibility("visible")
def test_conv_settings(student, reference, draw, expect):
    """find_overfit_parameters: a DeepConvNet learns 50 images by heart with these settings, within 30 epochs."""
    weight_scale, learning_rate = two_numbers(expect, student.convolutional_networks.find_overfit_parameters())
    cnn = reference.convolutional_networks

    def train(data):
        torch.manual_seed(draw.seed())
        net = cnn.DeepConvNet((3, 32, 32), (8, 16, 32, 64), range(4), weight_scale=weight_scale, reg=1e-5)
        how = {"update_rule": cnn.adam, "optim_config": {"learning_rate": learning_rate}}
        return best_accuracy(reference, net, data, num_epochs=30, batch_size=10, **how)

    check_overfits(draw, False, train)


# ---- 27. create_convolutional_solver_instance ----------------------------------------------------------------------


@number("27.1")
@weight(1.5)
@visibility("visible")
def test_conv_solver(student, draw, expect, device):
    """create_convolutional_solver_instance returns a Solver that is not trained yet, around a DeepConvNet."""
    data = small_data(draw, 20, 10, flat=False)
    solver = student.convolutional_networks.create_convolutional_solver_instance(data, torch.float32, str(device))
    params = untrained(solver, "DeepConvNet")
    weights = [value for value in params.values() if torch.is_tensor(value) and value.dim() == 4]
    if not weights or all(value.shape[1] != 3 for value in weights):
        raise CheckFailed("The Solver's model should be a DeepConvNet, whose first convolution takes 3 channels.")
    if any(value.dtype != torch.float32 for value in weights):
        raise CheckFailed("The model should have the dtype that create_convolutional_solver_instance was told.")


@number("27.2")
@weight(1.5)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=30)
def test_conv_solver_learns(student, draw, expect, note, device):
    """create_convolutional_solver_instance chooses settings with which training makes the loss smaller."""
    data = small_data(draw, 128, 20, flat=False)
    solver = student.convolutional_networks.create_convolutional_solver_instance(data, torch.float32, str(device))
    untrained(solver, "DeepConvNet")
    check_learns(expect, note, solver, 3)
