"""Classifies images with the k nearest neighbours, and prints how many are right and what it costs.

    grader reference a1 [--data NAME|PATH] [subset] [all] [--threads 1]

`subset` takes the first 5,000 training and the first 500 test images: it tries every k by cross-validation, and tests
k = 1, k = 5 and the best k. `all` takes all images and k = 10; beside every 2,000 test images that are classified,
torch's own cdist and topk find the neighbours of the same images, and the ratio of the two CPU times is printed.
The data set is cifar10, what lies at a path, or, where none is given, shapes10. Pixels go from 0 to 1.
"""

import time

import torch
from knn import KnnClassifier, knn_cross_validate, knn_get_best_k

from grader.kit.program import arguments, row


def main():
    about, names = __doc__.partition("\n")[0], ("subset", "all")
    options = arguments("a1", about, names, names)
    torch.set_num_threads(options.threads)
    given = options.data
    x_train, x_test = (torch.from_numpy(x).float() / 255 for x in (given.x_train, given.x_test))
    y_train, y_test = torch.from_numpy(given.y_train), torch.from_numpy(given.y_test)
    if "subset" in options.names:
        subset(x_train[:5000], y_train[:5000], x_test[:500], y_test[:500])
    if "all" in options.names:
        everything(x_train, y_train, x_test, y_test)


def subset(x_train, y_train, x_test, y_test):
    accuracies = knn_cross_validate(x_train, y_train)
    print("", row("k", *(f"fold {i + 1}" for i in range(5)), "mean"), sep="\n")
    for k, folds in accuracies.items():
        print(row(str(k), *(f"{accuracy:.1f} %" for accuracy in folds), f"{sum(folds) / len(folds):.2f} %"))
    best = knn_get_best_k(accuracies)
    print(f"\nbest k: {best}", row("k", "test"), sep="\n")
    classifier = KnnClassifier(x_train, y_train)
    for k in dict.fromkeys((1, 5, best)):
        print(row(str(k), f"{classifier.check_accuracy(x_test, y_test, k=k, quiet=True):.2f} %"), flush=True)


def everything(x_train, y_train, x_test, y_test, k=10):
    classifier, rows = KnnClassifier(x_train, y_train), x_train.flatten(1)
    right, own, torchs = 0, 0.0, 0.0
    for x, y in zip(x_test.split(2000), y_test.split(2000), strict=True):
        predicted, seconds = timed(lambda x=x: classifier.predict(x, k=k))
        right, own = right + int((predicted == y).sum()), own + seconds
        flat = x.flatten(1)
        _, seconds = timed(lambda flat=flat: torch.cdist(flat, rows).topk(k, dim=1, largest=False))
        torchs += seconds
    print("", row("k", "test", "CPU-s", "cdist, topk", "ratio"), sep="\n")
    print(row(str(k), f"{100 * right / len(y_test):.2f} %", f"{own:.1f}", f"{torchs:.1f}", f"{own / torchs:.2f}"))


def timed(function):
    """What `function` returns, and the CPU-seconds that it took."""
    start = time.process_time()
    result = function()
    return result, time.process_time() - start


if __name__ == "__main__":
    main()
