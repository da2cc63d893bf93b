"""CIFAR-10 as the assignments use it, read from the folder `cifar-10-batches-py` of the official archive."""

import os
import pickle
from pathlib import Path

import torch

_BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")


def cifar10(root=None):
    """-> x_train (50000, 3, 32, 32) uint8, y_train (50000,) int64, x_test (10000, 3, 32, 32), y_test.

    `root` is the folder with the batches, or one above it; without it the environment variable CIFAR10 is asked, then
    the working folder. Raises FileNotFoundError where there are no batches.
    """
    folder = _folder(Path(root or os.environ.get("CIFAR10", ".")))
    train = [_batch(folder / name) for name in _BATCHES]
    x_test, y_test = _batch(folder / "test_batch")
    return torch.cat([x for x, _ in train]), torch.cat([y for _, y in train]), x_test, y_test


def preprocess_cifar10(
    cuda=False,
    show_examples=False,
    bias_trick=False,
    flatten=True,
    validation_ratio=0.2,
    dtype=torch.float32,
    root=None,
):
    """Scale to 0 ... 1, take off the mean of each colour, split. -> dict of X_train, y_train, X_val, ..., y_test.

    The last `validation_ratio` of the training images becomes the validation set. X is (N, 3072), or (N, 3073) with the
    bias trick's column of ones, or (N, 3, 32, 32) without `flatten`.
    """
    images = cifar10(root)
    if show_examples:
        x_train, y_train, _, _ = images
        _show(x_train.to(dtype) / 255, y_train)
    data = prepared(*images, validation_ratio, dtype)
    for name in ("X_train", "X_val", "X_test") if flatten or bias_trick else ():
        rows = data[name].flatten(1)
        data[name] = _with_ones(rows) if bias_trick else rows
    return {name: t.cuda() for name, t in data.items()} if cuda else data


def prepared(x_train, y_train, x_test, y_test, validation_ratio=0.2, dtype=torch.float32):
    """Images (N, 3, H, W), uint8, and labels -> dict of X_train, y_train, X_val, ..., y_test as for a Solver.

    Values go from 0 to 1, less the mean of each colour; the last `validation_ratio` of the training images validates.
    """
    x_train, x_test = (x.to(dtype) / 255 for x in (x_train, x_test))
    mean = x_train.mean(dim=(0, 2, 3), keepdim=True)
    x_train, x_test = x_train - mean, x_test - mean
    split = round(len(x_train) * (1 - validation_ratio))
    return {
        "X_train": x_train[:split],
        "y_train": y_train[:split],
        "X_val": x_train[split:],
        "y_val": y_train[split:],
        "X_test": x_test,
        "y_test": y_test,
    }


def _with_ones(rows):
    return torch.cat([rows, torch.ones_like(rows[:, :1])], dim=1)


class _ArraysOnly(pickle.Unpickler):
    """Reads numpy arrays inside plain containers and refuses whatever else a pickle may name."""

    _ALLOWED = (
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("_codecs", "encode"),
    )

    def find_class(self, module, name):
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"A CIFAR-10 batch holds arrays and lists; this one asks for {module}.{name}.")
        return super().find_class(module, name)


def _batch(path):
    with path.open("rb") as file:
        content = _ArraysOnly(file, encoding="latin1").load()
    return torch.from_numpy(content["data"].reshape(-1, 3, 32, 32)), torch.tensor(content["labels"])


def _folder(root):
    for folder in (root, root / "cifar-10-batches-py"):
        if (folder / "test_batch").is_file():
            return folder
    raise FileNotFoundError(
        f"There is no CIFAR-10 in {root}: expected the folder cifar-10-batches-py of the official archive. "
        "Pass root=..., or set the environment variable CIFAR10."
    )


def _show(x, y):
    import matplotlib.pyplot as plt

    from .vis import visualize_dataset

    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    plt.imshow(visualize_dataset(x, y, 12, names))
    plt.axis("off")
    plt.show()
