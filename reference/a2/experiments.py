"""Trains the classifiers of this assignment on images and prints what they reach and what it costs.

    grader reference a2 [--data NAME|PATH] [svm] [softmax] [quick] [good] [--threads 1] [--seed 0]

`quick` and `good` are two-layer nets. The data set is cifar10, what lies at a path, or, where none is given, shapes10.
The first four fifths of its training images train, the rest validate; the settings below were chosen by what they reach
on the validation images of CIFAR-10. All test images test the parameters that training ends with. CPU-seconds are
those of the training.
"""

import time
from dataclasses import dataclass

import torch
from linear_classifier import LinearSVM, Softmax
from two_layer_net import TwoLayerNet, nn_forward_backward, nn_predict, nn_train

from grader.kit.program import arguments, row


@dataclass(frozen=True)
class Recipe:
    """A learning rate that climbs to `peak` over the share `rise` of all steps, and then falls to 0.

    With hidden_size 0 it is a linear classifier. With `mirrored`, half of the images are seen in a mirror.
    """

    peak: float
    reg: float
    epochs: int
    batch_size: int = 100
    rise: float = 0.15
    hidden_size: int = 0
    mirrored: bool = False

    def learning_rates(self, stretches):
        """One for each of so many equal stretches of the training."""
        middles = [(i + 0.5) / stretches for i in range(stretches)]
        return [self.peak * min(t / self.rise if self.rise else 1, (1 - t) / (1 - self.rise)) for t in middles]


RECIPES = {
    "svm": Recipe(peak=0.01, reg=1e-2, epochs=30, batch_size=200, rise=0),
    "softmax": Recipe(peak=0.1, reg=1e-4, epochs=8, batch_size=200, rise=0),
    "quick": Recipe(peak=0.3, reg=5e-4, epochs=5, hidden_size=256),
    "good": Recipe(peak=0.3, reg=1e-3, epochs=12, hidden_size=1024, mirrored=True),
}
STRETCHES = 40


def main():
    options = arguments("a2", __doc__.partition("\n")[0], list(RECIPES), list(RECIPES))
    torch.set_num_threads(options.threads)
    data = prepared(options.data)
    rows = [row("", "validation", "test", "CPU-s")]
    for name in options.names:
        torch.manual_seed(options.seed)
        print(f"{name}: {RECIPES[name]}", flush=True)
        start = time.process_time()
        predict, _ = train(name, RECIPES[name], data)
        cpu_seconds = time.process_time() - start
        accuracies = (f"{accuracy(predict, data, part):.2%}" for part in ("val", "test"))
        rows.append(row(name, *accuracies, f"{cpu_seconds:.0f}"))
    print("", *rows, sep="\n")


def accuracy(predict, data, part):
    """The fraction of the images of this part that are recognised."""
    return float((predict(data[f"X_{part}"]) == data[f"y_{part}"]).double().mean())


def prepared(images):
    """Rows of pixels from 0 to 1, less the mean of each colour, and labels, in three parts."""
    x_train, x_test = (torch.from_numpy(x).float() / 255 for x in (images.x_train, images.x_test))
    y_train, split = torch.from_numpy(images.y_train), images.trained_on
    mean = x_train[:split].mean(dim=(0, 2, 3), keepdim=True)
    X_train, X_test = ((x - mean).flatten(1) for x in (x_train, x_test))
    return {
        "X_train": X_train[:split],
        "y_train": y_train[:split],
        "X_val": X_train[split:],
        "y_val": y_train[split:],
        "X_test": X_test,
        "y_test": torch.from_numpy(images.y_test),
    }


def train(name, recipe, data, watch=lambda losses, predict: None):
    """A function that predicts the labels of rows, and the weights (D, H) or (D, C) that see the pixels.

    After each of STRETCHES equal stretches, watch gets the losses of its steps and the function as it is then.
    """
    if recipe.hidden_size:
        return train_net(recipe, data, watch)
    return train_linear(LinearSVM() if name == "svm" else Softmax(), recipe, data, watch)


def steps_of_a_stretch(recipe, data):
    return max(recipe.epochs * len(data["X_train"]) // (recipe.batch_size * STRETCHES), 1)


def train_linear(model, recipe, data, watch):
    X, y, num_iters = with_ones(data["X_train"]), data["y_train"], steps_of_a_stretch(recipe, data)

    def predict(X):
        return model.predict(with_ones(X))

    for learning_rate in recipe.learning_rates(STRETCHES):
        watch(model.train(X, y, learning_rate, recipe.reg, num_iters, recipe.batch_size), predict)
    return predict, model.W[:-1]


def with_ones(X):
    return torch.cat([X, torch.ones(len(X), 1)], dim=1)


def train_net(recipe, data, watch):
    X, y, num_iters = data["X_train"], data["y_train"], steps_of_a_stretch(recipe, data)
    params = TwoLayerNet(X.shape[1], recipe.hidden_size, int(y.max()) + 1, std=(2 / X.shape[1]) ** 0.5).params
    loss = mirrored_loss if recipe.mirrored else nn_forward_backward
    # nn_train validates when it begins, which is at every stretch here: a few images are enough.
    X_val, y_val = data["X_val"][:100], data["y_val"][:100]

    def predict(X):
        return nn_predict(params, nn_forward_backward, X)

    for learning_rate in recipe.learning_rates(STRETCHES):
        how = (learning_rate, 1.0, recipe.reg, num_iters, recipe.batch_size)
        watch(nn_train(params, loss, nn_predict, X, y, X_val, y_val, *how)["loss_history"], predict)
    return predict, params["W1"]


def mirrored_loss(params, X, y=None, reg=0.0):
    """As nn_forward_backward; half of the images that come with labels are turned left to right."""
    if y is not None:
        images = X.view(len(X), 3, 32, 32)
        X = torch.where(torch.rand(len(X), 1, 1, 1) < 0.5, images.flip(3), images).flatten(1)
    return nn_forward_backward(params, X, y, reg)


if __name__ == "__main__":
    main()
