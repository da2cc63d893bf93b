"""What `grader plots` shows of this assignment: how many images nearest neighbours classify rightly, for each k."""

import time

import torch
from knn import KnnClassifier, knn_cross_validate, knn_get_best_k

from grader.datasets.imageset import ImageSet
from grader.kit.figures import Chart, Line, Section, Tiles, picture, write
from grader.kit.program import figure_arguments

KS = (1, 3, 5, 8, 10, 12, 15, 20, 50, 100)
SHOWN, NEIGHBOURS = 5, 6


def main():
    options, images = figure_arguments("a1", ImageSet)
    train, test = (400, 100) if options.quick else (5000, 1000)
    x_train, x_test = (torch.from_numpy(x) for x in (images.x_train[:train], images.x_test[:test]))
    y_train, y_test = torch.from_numpy(images.y_train[:train]), torch.from_numpy(images.y_test[:test])
    start = time.process_time()
    found = knn_cross_validate(x_train / 255, y_train, k_choices=KS)
    best = knn_get_best_k(found)
    tried = time.process_time() - start
    classifier = KnnClassifier(x_train / 255, y_train)
    tested = {k: classifier.check_accuracy(x_test / 255, y_test, k=k, quiet=True) for k in KS}
    start = time.process_time()
    classifier.predict(x_test / 255, k=best)
    classified = time.process_time() - start
    section = Section(
        title="A1: k nearest neighbours",
        data=f"{images.title}: {train:,} training and {test:,} test images",
        about="Nothing is trained: an image gets the label that most of its k nearest training images have, by the "
        "distance of their pixels. What k is best is found by cross-validation, without a look at the test images. "
        "Few neighbours follow every accident of the data, and many ask about images that are no longer alike.",
        head=("", "cross-validation", "test", "CPU-seconds"),
        rows=(
            ("k = 1", mean(found[1]), f"{tested[1]:.1f} %", ""),
            (f"k = {best}, the best", mean(found[best]), f"{tested[best]:.1f} %", f"{classified:.1f} for the test"),
            ("all k, five folds", "", "", f"{tried:.1f}"),
        ),
        figures=(curve(found, tested), neighbours(x_train, x_test, y_train, y_test, images.classes)),
    )
    write(options.out, [section])


def mean(accuracies):
    return f"{sum(accuracies) / len(accuracies):.1f} %"


def curve(found, tested):
    means = tuple(sum(folds) / len(folds) for folds in found.values())
    dots = [(k, accuracy) for k, folds in found.items() for accuracy in folds]
    return Chart(
        title="Accuracy by k",
        about="Dots are the five folds of the cross-validation: how far they lie apart says how much the choice of one "
        "k over another is worth. The test images had no say in it.",
        x_label="k",
        y_label="accuracy in %",
        lines=(
            Line("one fold", *(tuple(map(float, each)) for each in zip(*dots, strict=True)), style="dots"),
            Line("mean of the folds", tuple(map(float, found)), means),
            Line("test images", tuple(map(float, tested)), tuple(tested.values()), colour=1, style="dashed"),
        ),
        log_x=True,
    )


def neighbours(x_train, x_test, y_train, y_test, classes):
    """Test images, each beside its nearest training images."""
    flat = x_test[:SHOWN].flatten(1).float(), x_train.flatten(1).float()
    nearest = torch.cdist(*flat).topk(NEIGHBOURS, largest=False).indices
    rows = tuple(
        (
            picture(x_test[i].numpy(), classes[y_test[i]]),
            *(picture(x_train[j].numpy(), classes[y_train[j]]) for j in row.tolist()),
        )
        for i, row in enumerate(nearest)
    )
    about = (
        "A test image on the left, and the training images nearest to it. Pixels agree on backgrounds more than on "
        "what they show."
    )
    return Tiles("Neighbours", about, rows, lead=True)


if __name__ == "__main__":
    main()
