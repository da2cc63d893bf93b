"""Trains the networks of this assignment on images and prints what they reach and what it costs.

    grader reference a3 [--data NAME|PATH] [quick] [good] [long] [two_layer] [--threads 1] [--seed 0]

The data set is cifar10, what lies at a path, or, where none is given, shapes10. The first four fifths of its training
images train, the rest validate; all test images test the parameters that training ends with. CPU-seconds are those of
this process from the first step to the last, the validations in between included.
"""

import time

import torch
from convolutional_networks import GOOD, LONG, QUICK, solver_of
from eecs598.data import prepared
from fully_connected_networks import create_solver_instance

from grader.kit.program import arguments, row

RECIPES = {"quick": QUICK, "good": GOOD, "long": LONG}
NAMES = (*RECIPES, "two_layer")


def main():
    options = arguments("a3", __doc__.partition("\n")[0], NAMES, ("quick", "good"))
    torch.set_num_threads(options.threads)
    given = options.data
    arrays = given.x_train, given.y_train, given.x_test, given.y_test
    data = prepared(*(torch.tensor(array) for array in arrays))
    rows = [row("", "validation", "test", "CPU-s")]
    for name in options.names:
        torch.manual_seed(options.seed)
        solver = solver_for(name, data)
        cpu_seconds = train(solver)
        accuracies = (solver.check_accuracy(data[f"X_{part}"], data[f"y_{part}"]) for part in ("val", "test"))
        rows.append(row(name, *(f"{accuracy:.2%}" for accuracy in accuracies), f"{cpu_seconds:.0f}"))
    print("", *rows, sep="\n")


def solver_for(name, data):
    if name == "two_layer":
        solver = create_solver_instance(data, torch.float32, "cpu")
    else:
        recipe = RECIPES[name]
        print(f"\n{name}: {recipe}", flush=True)
        solver = solver_of(recipe, data, torch.float32, "cpu")
    return solver


def train(solver):
    """CPU-seconds that the training took."""
    start = time.process_time()
    solver.train(return_best_params=False)
    return time.process_time() - start


if __name__ == "__main__":
    main()
