"""What `grader plots` shows of this assignment: how linear classifiers and a two-layer net learn, and their weights."""

import time
from dataclasses import replace

import torch
from experiments import RECIPES, accuracy, prepared, train

from grader.datasets.imageset import ImageSet
from grader.kit.figures import Chart, Line, Section, Tiles, smoothed, weights, write
from grader.kit.program import figure_arguments

NAMES = {"svm": "SVM", "softmax": "softmax", "quick": "two-layer net"}
UNITS, ACROSS = 20, 10
CHOSEN_ON = 40_000
FEW = 1000  # images on which accuracies are measured in the course of a training


class Course:
    """The losses of a training's steps, and its accuracies in percent; CPU-seconds that it took to measure these."""

    def __init__(self, data):
        self.few = {part: {key: data[f"{key}_{part}"][:FEW] for key in "Xy"} for part in ("train", "val")}
        self.losses, self.accuracies, self.cpu_seconds = [], {"train": [], "val": []}, 0.0

    def __call__(self, losses, predict):
        start = time.process_time()
        self.losses += losses
        for part, few in self.few.items():
            right = (predict(few["X"]) == few["y"]).double().mean().item()
            self.accuracies[part].append(100 * right)
        self.cpu_seconds += time.process_time() - start


def main():
    options, images = figure_arguments("a2", ImageSet)
    data = prepared(images)
    if options.quick:
        data = {name: values[:600] for name, values in data.items()}
    rows, courses, seeing = [], {}, {}
    for name, title in NAMES.items():
        recipe = recipe_for(name, data, options.quick)
        print(f"training the {title}", flush=True)
        torch.manual_seed(options.seed)
        courses[title] = Course(data)
        start = time.process_time()
        predict, seeing[title] = train(name, recipe, data, courses[title])
        cpu_seconds = time.process_time() - start - courses[title].cpu_seconds
        reached = (f"{accuracy(predict, data, part):.1%}".replace("%", " %") for part in ("val", "test"))
        rows.append((title, str(recipe.epochs), *reached, f"{cpu_seconds:.1f}"))
    section = Section(
        title="A2: SVM, softmax and a two-layer net",
        data=f"{images.title}: {len(data['X_train']):,} training, {len(data['X_val']):,} validation and "
        f"{len(data['X_test']):,} test images",
        about="A linear classifier has one picture of weights for each class, and scores an image by how much of that "
        "picture it holds. SVM and softmax differ in the loss alone. A hidden layer in between "
        "may know a class in several guises.",
        head=("", "epochs", "validation", "test", "CPU-seconds"),
        rows=tuple(rows),
        figures=(*losses(courses), accuracies(courses), *templates(seeing, images.classes), hidden_units(seeing)),
    )
    write(options.out, [section])


def recipe_for(name, data, quick):
    """The recipe, such that it takes as many steps as on the 40,000 images for which it was chosen."""
    recipe = RECIPES[name]
    if quick:
        return replace(recipe, epochs=1, hidden_size=min(recipe.hidden_size, 32))
    return replace(recipe, epochs=recipe.epochs * CHOSEN_ON // len(data["X_train"]))


def losses(courses):
    """A chart for each kind of loss: they are no measure of each other."""
    lines = {title: smoothed(title, course.losses, colour=i) for i, (title, course) in enumerate(courses.items())}
    hinge = (
        "The mean loss of a batch, the penalty on the weights included, averaged over a hundredth of the steps at a "
        "time. With small weights all scores are alike, and each of the wrong classes costs the margin of 1."
    )
    entropy = "Without the penalty it begins at the logarithm of the number of classes, which is what guessing costs."
    for kind, about, titles in (("SVM", hinge, ["SVM"]), ("softmax", entropy, ["softmax", "two-layer net"])):
        chosen = tuple(lines[title] for title in titles)
        yield Chart(f"Loss of the {kind}", about, "share of the steps in %", "loss", chosen)


def accuracies(courses):
    lines = []
    for i, (title, course) in enumerate(courses.items()):
        for part, style in (("val", "solid"), ("train", "dashed")):
            y = course.accuracies[part]
            x = tuple(100 * (step + 1) / len(y) for step in range(len(y)))
            lines.append(Line(title if part == "val" else "", x, tuple(y), i, style))
    return Chart(
        title="Accuracy in the course of the training",
        about=f"On {FEW:,} validation images, and dashed on as many of the images that are trained on. Where the "
        "dashed line leaves the other below, images are learnt by heart. Learning rates fall, so that all end "
        "calmer than they began.",
        x_label="share of the steps in %",
        y_label="accuracy in %",
        lines=tuple(lines),
    )


def templates(seeing, classes):
    """The weights of each class, of both linear classifiers."""
    about = (
        "The weights of each class as an image, from the smallest, black, to the largest: something like the mean of "
        "all that the class looks like."
    )
    for title in ("SVM", "softmax"):
        images = zip(as_images(seeing[title]), classes, strict=True)
        yield Tiles(f"Weights of the {title}", about, (tuple(weights(each.numpy(), label) for each, label in images),))


def hidden_units(seeing):
    """The first-layer weights of the hidden units that have the longest."""
    images = as_images(seeing["two-layer net"])
    chosen = images.flatten(1).norm(dim=1).argsort(descending=True)[:UNITS]
    tiles = [weights(images[i].numpy()) for i in chosen.tolist()]
    about = (
        f"The {len(tiles)} hidden units, of {len(images)}, with the largest weights. A unit is no class: it is what "
        "several of them share, or differ in."
    )
    return Tiles(
        "First-layer weights of the two-layer net",
        about,
        tuple(tuple(tiles[i : i + ACROSS]) for i in range(0, len(tiles), ACROSS)),
    )


def as_images(matrix):
    """Weights (3072, H) as images (H, 3, 32, 32)."""
    return matrix.T.reshape(-1, 3, 32, 32)


if __name__ == "__main__":
    main()
