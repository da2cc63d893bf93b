"""Trains the networks of this assignment on images and prints what they reach and what it costs.

    grader reference a3 --data NAME|PATH [quick] [good] [long] [two_layer] [--threads 1] [--seed 0]

The data set is cifar10, shapes10, or what lies at a path. The first four fifths of its training images train, the rest
validate; all test images test the parameters that training ends with. CPU-seconds are those of this process from the
first step to the last, the validations in between included.
"""

import argparse
import time

import torch
from convolutional_networks import GOOD, LONG, QUICK, solver_of
from eecs598.data import prepared
from fully_connected_networks import create_solver_instance

from grader.datasets.problems import DataError
from grader.datasets.store import Store

RECIPES = {"quick": QUICK, "good": GOOD, "long": LONG}


def main():
    options = arguments()
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


def arguments():
    parser = argparse.ArgumentParser(prog="grader reference a3", description=__doc__.partition("\n")[0])
    names = [*RECIPES, "two_layer"]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)} (default: quick good)")
    parser.add_argument("--data", metavar="NAME|PATH", type=images, required=True, help="see: grader data list")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.names = options.names or ["quick", "good"]
    unknown = sorted(set(options.names) - set(names))
    if unknown:
        parser.error(f"there is no network {unknown[0]!r}; choose from {', '.join(names)}")
    return options


def images(request):
    try:
        return Store.default(print).images(request)
    except DataError as error:
        raise argparse.ArgumentTypeError(error) from error


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


def row(name, *cells):
    return f"{name:12}" + "".join(f"{cell:>12}" for cell in cells)


if __name__ == "__main__":
    main()
