"""The ladder: how well the reference's classifiers recognise a set of images, and what that costs.

    python benchmarks/ladder.py [NAME|PATH ...]

Trains kNN, softmax, the two-layer net and a small convolutional net on the first four fifths of the training images and
tests them on the test images; the default is shapes10, which needs no network. Prints accuracies, with the half width
of the 95 % interval, and CPU-seconds of one thread.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import torch

from grader.datasets.imageset import ImageSet
from grader.datasets.store import Store
from grader.judge.statistics import wilson

COURSE = Path(__file__).resolve().parent.parent
# On CIFAR-10, with the recipes of a course: what shapes10 is made to come near to.
USUAL = {"kNN, k = 10": 34, "softmax": 40, "two-layer net": 52, "small convolutional net": 72}
"""Accuracies in percent."""


@dataclass(frozen=True, eq=False)
class Split:
    """Images of values from 0 to 1, less the mean of each channel, and labels."""

    x_train: torch.Tensor
    y_train: torch.Tensor
    x_val: torch.Tensor
    y_val: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=["shapes10"], metavar="NAME|PATH", help="default: shapes10")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rungs = reference_rungs()
    for request in options.sets:
        images = Store.default(lambda text: print(text, file=sys.stderr)).images(request)
        print(f"{images.summary}\n{'':<26} {'test %':>14} {'CPU-s':>7}   usual on CIFAR-10")
        split = split_of(images)
        for name, train in rungs.items():
            climb(name, train, split)


def climb(name: str, train: Callable[[Split], Callable[[torch.Tensor], torch.Tensor]], split: Split) -> None:
    """Trains and tests one classifier, and prints its line."""
    torch.manual_seed(0)
    start = time.process_time()
    predict = train(split)
    predicted = torch.cat([predict(x) for x in split.x_test.split(500)])
    right = int((predicted == split.y_test).sum())
    seconds = time.process_time() - start
    interval = wilson(right, len(split.y_test))
    accuracy = f"{100 * right / len(split.y_test):.1f} ± {100 * interval.half_width:.1f}"
    print(f"{name:<26} {accuracy:>14} {seconds:>7.1f}   {USUAL[name]}", flush=True)


def split_of(images: ImageSet) -> Split:
    """The last fifth of the training images is for validation."""
    x, x_test = (torch.from_numpy(part).float() / 255 for part in (images.x_train, images.x_test))
    y, y_test = torch.from_numpy(images.y_train), torch.from_numpy(images.y_test)
    n = len(x) * 4 // 5
    mean = x[:n].mean(dim=(0, 2, 3), keepdim=True)
    x -= mean
    return Split(x[:n], y[:n], x[n:], y[n:], x_test - mean, y_test)


def reference_rungs() -> dict[str, Callable[[Split], Callable[[torch.Tensor], torch.Tensor]]]:
    """Name -> what trains a classifier of the reference and returns its prediction."""
    folders = [COURSE / "reference" / name for name in ("a1", "a2", "a3")]
    sys.path[:0] = [str(path) for path in (*folders, COURSE / "assignments" / "a3" / "provided")]
    import convolutional_networks
    import knn
    import linear_classifier
    import two_layer_net

    def nearest(split: Split) -> Callable[[torch.Tensor], torch.Tensor]:
        # It has nothing to validate, and remembers all training images.
        x, y = torch.cat([split.x_train, split.x_val]), torch.cat([split.y_train, split.y_val])
        classifier = knn.KnnClassifier(x, y)
        return lambda images: classifier.predict(images, k=10)

    def softmax(split: Split) -> Callable[[torch.Tensor], torch.Tensor]:
        X = with_ones(split.x_train)
        model = linear_classifier.Softmax()
        for learning_rate, iterations in ((0.03, 900), (0.01, 400), (0.003, 200)):
            model.train(X, split.y_train, learning_rate=learning_rate, reg=1e-3, num_iters=iterations, batch_size=200)
        return lambda images: model.predict(with_ones(images))

    def two_layers(split: Split) -> Callable[[torch.Tensor], torch.Tensor]:
        X, X_val = split.x_train.flatten(1), split.x_val.flatten(1)
        net = two_layer_net.TwoLayerNet(X.shape[1], 128, 10, device="cpu", std=(2 / X.shape[1]) ** 0.5)
        steps = 8 * (len(X) // 100)
        net.train(X, split.y_train, X_val, split.y_val, 0.3, 0.85, 1e-3, steps, 100)
        return lambda images: net.predict(images.flatten(1))

    def convolutions(split: Split) -> Callable[[torch.Tensor], torch.Tensor]:
        recipe = replace(convolutional_networks.QUICK, num_epochs=3)
        data = {"X_train": split.x_train, "y_train": split.y_train, "X_val": split.x_val, "y_val": split.y_val}
        solver = convolutional_networks.solver_of(recipe, data, torch.float32, "cpu")
        solver.verbose = False
        solver.train()
        return lambda images: solver.model.loss(images).argmax(dim=1)

    return dict(zip(USUAL, (nearest, softmax, two_layers, convolutions), strict=True))


def with_ones(images: torch.Tensor) -> torch.Tensor:
    """Rows of pixels with a 1 at their end, (N, 3073)."""
    return torch.cat([images.flatten(1), torch.ones(len(images), 1)], dim=1)


if __name__ == "__main__":
    main()
