"""What `grader plots` shows of this assignment: how a convolutional net learns, and its first filters."""

from dataclasses import replace

import torch
from convolutional_networks import QUICK, solver_of
from eecs598.data import prepared
from experiments import train

from grader.datasets.imageset import ImageSet
from grader.kit.figures import Chart, Line, Section, Tiles, smoothed, weights, write
from grader.kit.program import figure_arguments

ACROSS = 8


def main():
    options, images = figure_arguments("a3", ImageSet)
    arrays = images.x_train, images.y_train, images.x_test, images.y_test
    data = prepared(*(torch.tensor(array) for array in arrays))
    recipe = QUICK
    if options.quick:
        data, recipe = {name: values[:300] for name, values in data.items()}, replace(QUICK, num_filters=(8, 8, 8))
    torch.manual_seed(options.seed)
    solver = solver_of(recipe, data, torch.float32, "cpu")
    solver.verbose = False
    print("training the net", flush=True)
    cpu_seconds = train(solver)
    reached = [f"{100 * solver.check_accuracy(data[f'X_{part}'], data[f'y_{part}']):.1f} %" for part in ("val", "test")]
    row = f"{'-'.join(map(str, recipe.num_filters))} filters", str(recipe.num_epochs), *reached, f"{cpu_seconds:.1f}"
    section = Section(
        title="A3: a convolutional net",
        data=f"{images.title}: {len(data['X_train']):,} training, {len(data['X_val']):,} validation and "
        f"{len(data['X_test']):,} test images",
        about="Three convolutions with batch normalisation, ReLU and pooling, and a linear layer. A filter looks for "
        "the same thing everywhere, so that it learns from every place of every image: that is why so few "
        "passes over the images are enough.",
        head=("", "epochs", "validation", "test", "CPU-seconds"),
        rows=(row,),
        figures=(losses(solver), accuracies(solver, recipe), filters(solver)),
    )
    write(options.out, [section])


def losses(solver):
    return Chart(
        title="Loss in the course of the training",
        about="The softmax loss of a batch, averaged over a hundredth of the steps at a time. The learning rate rises "
        "first, and then falls to zero.",
        x_label="share of the steps in %",
        y_label="loss",
        lines=(smoothed("", solver.loss_history),),
    )


def accuracies(solver, recipe):
    epochs = tuple(map(float, range(recipe.num_epochs + 1)))
    return Chart(
        title="Accuracy after every epoch",
        about="Before the first step ten classes are guessed. The images that are trained on are ahead by little: in "
        "this time nothing is learnt by heart.",
        x_label="epochs",
        y_label="accuracy in %",
        lines=tuple(
            Line(name, epochs, tuple(100 * value for value in history), colour)
            for colour, (name, history) in enumerate(
                (("validation images", solver.val_acc_history), ("training images", solver.train_acc_history))
            )
        ),
    )


def filters(solver):
    found = solver.model.params["W0"]
    tiles = [weights(each.numpy()) for each in found]
    about = (
        f"All {len(tiles)} filters of 3 x 3 pixels, each from its smallest weight, black, to its largest: edges, spots "
        "and opposed colours."
    )
    return Tiles(
        "First-layer filters", about, tuple(tuple(tiles[i : i + ACROSS]) for i in range(0, len(tiles), ACROSS))
    )


if __name__ == "__main__":
    main()
