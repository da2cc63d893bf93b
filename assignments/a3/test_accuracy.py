"""Checks of A3 on a data set: networks that were handed in as checkpoints, or that are trained here.

A Solver trains in stretches, until its epochs are over, its budget of computing time is used up, or its own validation
says that the bar is safely met. What it recognises then is counted on images that it has not seen.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, visibility, weight

from grader.contract.verdict import CheckFailed, Explanation

# Seconds on the clock between two looks at what a training has reached and cost.
STRETCH = 20
# Validation images vary, and so do test images: a training ends early when it is so many points above the bar.
SAFE = 3.0


class Images:
    """Images of the data set that was given as the course prepares them: 0 to 1, less the mean of each colour."""

    def __init__(self, data):
        images = data.images()
        self.n = images.trained_on
        self.x, self.y = torch.from_numpy(images.x_train), torch.from_numpy(images.y_train)
        self.mean = torch.from_numpy(images.colour_means()).float() / 255

    def prepared(self, x):
        """uint8 -> float32, both (N, 3, 32, 32)."""
        return x / 255 - self.mean

    def shared(self, data, flat):
        """What a Solver is given. The images are mapped by the player."""

        def part(chosen):
            x = self.prepared(self.x[chosen])
            return x.flatten(1) if flat else x

        shape, train, val = "rows" if flat else "images", slice(self.n), slice(self.n, None)
        return {
            "X_train": data.share(f"{shape}_to_train_on", lambda: part(train)),
            "y_train": self.y[train],
            "X_val": data.share(f"{shape}_to_validate_on", lambda: part(val)),
            "y_val": self.y[val],
        }


@dataclass
class Training:
    """Trains a Solver within the budget of a goal.

    Attributes:
        goal: what is needed, in percent, and how many CPU-seconds there are.
        cost: measures a call.
        note: takes a remark for the student.
        tell: takes what is to be seen on the terminal.
        spent: CPU-seconds so far.
    """

    goal: Any
    cost: Any
    note: Any
    tell: Any
    spent: float = field(default=0.0, init=False)

    def __call__(self, solver):
        while not (over := self._stretch(solver)) and self.spent < self.goal.cpu_seconds and not self._safe(solver):
            pass
        why = "" if over or self.spent < self.goal.cpu_seconds else ", which was all there was"
        self.note(f"training took {self.spent:.0f} of {self.goal.cpu_seconds:.0f} CPU-seconds{why}")
        # Puts the best parameters so far in their place, after one more step at most.
        solver.train(time_limit=0)

    def _stretch(self, solver):
        """Trains for a while. Whether it ended by itself."""
        seconds = min(STRETCH, max(self.goal.cpu_seconds - self.spent, 1))
        done = self.cost(solver.train, time_limit=seconds, return_best_params=False)
        self.spent += done.cpu_seconds
        self.tell(f"a training has taken {self.spent:.0f} of {self.goal.cpu_seconds:.0f} CPU-seconds")
        return done.wall_seconds < seconds

    def _safe(self, solver):
        """Whether the bar is met, as far as the Solver itself knows. To lie about it ends the training, no more."""
        best = solver.best_val_acc
        return type(best) is float and 100 * best >= self.goal.needed + SAFE


@pytest.fixture
def training(accuracy, cost, note, tell):
    """`training(solver)`."""
    return Training(accuracy.goal, cost, note, tell)


def require_solver(solver, net):
    if not hasattr(solver, "model") or not hasattr(solver, "train") or not hasattr(solver.model, "params"):
        raise CheckFailed(f"The function should return a Solver around a {net}.")


def params_of(expect, saved, shapes):
    """The parameters of these shapes in the dictionary of a checkpoint, as float32. Their numbers may begin with 0."""
    params = saved.get("params") if type(saved) is dict else None
    first = 0 if type(params) is dict and "W0" in params else 1
    own = {name: f"{name[0]}{int(name[1:]) - 1 + first}" for name in shapes}
    if type(params) is not dict or any(name not in params for name in own.values()):
        raise CheckFailed(f"There should be a dictionary params with {', '.join(shapes)}.")
    for name, shape in shapes.items():
        expect(params[own[name]], own[name]).has_shape(*shape).is_finite()
    return {name: torch.as_tensor(params[own[name]]).float() for name in shapes}


def shapes_of(dims):
    """W1, b1, W2, ... of a fully connected network."""
    shapes = {}
    for layer, (before, behind) in enumerate(pairwise(dims), start=1):
        shapes |= {f"W{layer}": (before, behind), f"b{layer}": (behind,)}
    return shapes


def labels_of(params, x):
    """What a fully connected network sees in images."""
    out, layers = x.flatten(1), len(params) // 2
    for layer in range(1, layers + 1):
        out = out @ params[f"W{layer}"] + params[f"b{layer}"]
        out = out.clamp(min=0) if layer < layers else out
    return out.argmax(dim=1)


# ---- 33. create_solver_instance ------------------------------------------------------------------------------------


@number("33.1")
@weight(5)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=300)
def test_two_layers_on_images(student, data, expect, accuracy, checkpoint, training, device, pictures):
    """The network of best_two_layer_net.pth, or else of create_solver_instance, recognises images it has not seen."""
    images, saved = Images(data), checkpoint("best_two_layer_net.pth")
    if saved is None:
        shared = images.shared(data, flat=True)
        solver = student.fully_connected_networks.create_solver_instance(shared, torch.float32, str(device))
        require_solver(solver, "TwoLayerNet")
        training(solver)
        pictures.curve("loss of each step of the training", lambda: solver.loss_history)
        saved = {"params": solver.model.params}
    params = params_of(expect, saved, shapes_of((3072, 200, 10)))
    pictures.tiles("weights of the first layer, as images", params["W1"].T.reshape(-1, 3, 32, 32))
    accuracy(lambda x: labels_of(params, images.prepared(x)))


# ---- 34. create_convolutional_solver_instance ----------------------------------------------------------------------


@number("34.1")
@weight(10)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=900)
def test_convolutions_on_images(student, data, expect, accuracy, training, device, pictures):
    """The network of create_convolutional_solver_instance, once trained, recognises images that it has not seen."""
    images = Images(data)
    create = student.convolutional_networks.create_convolutional_solver_instance
    solver = create(images.shared(data, flat=False), torch.float32, str(device))
    require_solver(solver, "DeepConvNet")
    training(solver)
    pictures.curve("loss of each step of the training", lambda: solver.loss_history)
    pictures.tiles("filters of the first layer", lambda: solver.model.params["W0"])

    def predict(x):
        scores = solver.model.loss(images.prepared(x).to(device))
        expect(scores, "scores").has_shape(len(x), 10)
        return torch.as_tensor(scores).argmax(dim=1)

    accuracy(predict)


# ---- 35. get_five_layer_network_params -----------------------------------------------------------------------------


@number("35.1")
@weight(2)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=60)
def test_five_layers_by_heart(student, reference, data, expect, checkpoint, draw):
    """best_overfit_five_layer_net.pth, or else a network with your settings, knows 50 training images by heart."""
    images, saved = Images(data), checkpoint("best_overfit_five_layer_net.pth")
    x, y = images.prepared(images.x[:50]), images.y[:50]
    if saved is None:
        right = best_of_training(student, reference, draw, x.flatten(1), y)
    else:
        params = params_of(expect, saved, shapes_of((3072, 100, 100, 100, 100, 10)))
        right = int((labels_of(params, x) == y).sum())
    if right < 50:
        told = "The network does not know the first 50 training images of CIFAR-10 by heart."
        raise CheckFailed(Explanation(told, expected="50 of 50 right", got=f"{right} of 50 right"))


def best_of_training(student, reference, draw, x, y):
    """How many images a right network knows at best, in 20 epochs with the settings of the submission."""
    fc = reference.fully_connected_networks
    weight_scale, learning_rate = map(float, student.fully_connected_networks.get_five_layer_network_params())
    torch.manual_seed(draw.seed())
    net = fc.FullyConnectedNet([100] * 4, weight_scale=weight_scale, dtype=torch.float32)
    how = {"update_rule": fc.sgd, "optim_config": {"learning_rate": learning_rate}, "batch_size": 25, "num_epochs": 20}
    solver = fc.Solver(net, {"X_train": x, "y_train": y, "X_val": x, "y_val": y}, verbose=False, **how)
    solver.train(return_best_params=False)
    return round(50 * max(solver.train_acc_history))
