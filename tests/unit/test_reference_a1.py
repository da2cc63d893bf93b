"""The reference of A1 against oracles that share no code with it: torch.cdist, sorting and counting in plain Python."""

import importlib.util
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

PATH = Path(__file__).parents[2] / "reference" / "a1" / "knn.py"
FORMS = ("two_loops", "one_loop", "no_loops")


class Operations(TorchDispatchMode):
    """Counts the operations dispatched, and the numbers in the largest result."""

    def __init__(self):
        super().__init__()
        self.count = self.largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.count += 1
        if isinstance(result, torch.Tensor):
            self.largest = max(self.largest, result.numel())
        return result


@pytest.fixture(scope="module")
def knn():
    spec = importlib.util.spec_from_file_location("reference_knn", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(n, *shape, dtype=torch.float64, seed=0):
    return torch.randn(n, *shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def labels(n, classes, seed=0):
    return torch.randint(classes, (n,), generator=torch.Generator().manual_seed(seed))


def votes(dists, y_train, k):
    """The label of one test row: sort, count, and take the smallest of the most frequent labels."""
    nearest = sorted(range(len(dists)), key=lambda i: dists[i])[:k]
    counts = Counter(int(y_train[i]) for i in nearest)
    return min(counts, key=lambda label: (-counts[label], label))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 1e-12), (torch.float32, 1e-4)])
@pytest.mark.parametrize("shape", [(5,), (3, 4, 2)])
def test_distances_are_those_of_cdist_squared(knn, form, dtype, atol, shape):
    x_train, x_test = rows(7, *shape, dtype=dtype), rows(4, *shape, dtype=dtype, seed=1)
    train_before, test_before = x_train.clone(), x_test.clone()
    dists = getattr(knn, f"compute_distances_{form}")(x_train, x_test)
    expected = torch.cdist(x_train.double().flatten(1), x_test.double().flatten(1)) ** 2
    assert dists.dtype == dtype
    torch.testing.assert_close(dists.double(), expected, rtol=0, atol=atol)
    assert torch.equal(x_train, train_before)
    assert torch.equal(x_test, test_before)


@pytest.mark.parametrize("form", FORMS)
def test_distances_accept_rows_that_are_not_contiguous(knn, form):
    x_train, x_test = rows(6, 4, 3).transpose(1, 2), rows(5, 4, 3, seed=1).transpose(1, 2)
    dists = getattr(knn, f"compute_distances_{form}")(x_train, x_test)
    torch.testing.assert_close(dists, torch.cdist(x_train.flatten(1), x_test.flatten(1)) ** 2)


def test_the_distance_of_a_row_to_itself_is_never_negative(knn):
    x = 100 + rows(200, 50, dtype=torch.float32)
    assert knn.compute_distances_no_loops(x, x).min() >= 0


def test_no_loops_means_no_loops_and_no_tensor_of_all_differences(knn):
    with Operations() as small:
        knn.compute_distances_no_loops(rows(3, 8), rows(2, 8))
    with Operations() as large:
        knn.compute_distances_no_loops(rows(30, 8), rows(20, 8))
    assert large.count == small.count
    assert large.largest <= 30 * 20


@pytest.mark.parametrize("k", [1, 2, 3, 7, 20])
def test_labels_are_those_of_sorting_and_counting(knn, k):
    dists, y_train = rows(20, 15).square(), labels(20, 4)
    y_pred = knn.predict_labels(dists, y_train, k=k)
    assert y_pred.dtype == torch.int64
    assert y_pred.tolist() == [votes(column.tolist(), y_train, k) for column in dists.T]


def test_a_tied_vote_gives_the_smallest_label(knn):
    dists = torch.tensor([[1.0, 4.0], [2.0, 3.0], [3.0, 2.0], [4.0, 1.0]])
    assert knn.predict_labels(dists, torch.tensor([3, 1, 2, 2]), k=2).tolist() == [1, 2]
    assert knn.predict_labels(dists, torch.tensor([3, 1, 0, 2]), k=4).tolist() == [0, 0]


def test_k_beyond_the_training_rows_lets_all_of_them_vote(knn):
    assert knn.predict_labels(rows(3, 2).square(), torch.tensor([5, 0, 5]), k=100).tolist() == [5, 5]


def test_prediction_in_parts_is_prediction_at_once(knn):
    x_train, y_train, x_test = rows(30, 2, 2), labels(30, 5), rows(4100, 2, 2, seed=1)
    classifier = knn.KnnClassifier(x_train, y_train)
    assert classifier.x_train is x_train
    assert classifier.y_train is y_train
    with Operations() as operations:
        y_pred = classifier.predict(x_test, k=3)
    dists = torch.cdist(x_train.flatten(1), x_test.flatten(1))
    assert y_pred.tolist() == [votes(column.tolist(), y_train, 3) for column in dists.T]
    assert operations.largest < 30 * 4100


def test_accuracy_is_in_percent_and_printed_unless_quiet(knn, capsys):
    classifier = knn.KnnClassifier(torch.tensor([[0.0], [10.0]]), torch.tensor([0, 1]))
    x_test, y_test = torch.tensor([[1.0], [2.0], [9.0], [8.0]]), torch.tensor([0, 1, 1, 1])
    assert classifier.check_accuracy(x_test, y_test, quiet=True) == 75.0
    assert capsys.readouterr().out == ""
    classifier.check_accuracy(x_test, y_test)
    assert "75.00 %" in capsys.readouterr().out


def test_cross_validation_predicts_every_fold_from_the_others(knn):
    x, y = rows(23, 3), labels(23, 3)
    accuracies = knn.knn_cross_validate(x, y, num_folds=4, k_choices=[5, 1])
    assert list(accuracies) == [5, 1]
    for k, found in accuracies.items():
        start, expected = 0, []
        for size in (6, 6, 6, 5):
            fold = range(start, start + size)
            rest = [i for i in range(23) if i not in fold]
            dists = torch.cdist(x[rest], x[list(fold)])
            right = [votes(column.tolist(), y[rest], k) == y[i] for i, column in zip(fold, dists.T, strict=True)]
            expected.append(100 * sum(map(int, right)) / size)
            start += size
        assert found == pytest.approx(expected)


def test_cross_validation_makes_as_many_folds_as_asked(knn):
    accuracies = knn.knn_cross_validate(rows(6, 2), labels(6, 2), num_folds=5, k_choices=[1])
    assert len(accuracies[1]) == 5


@pytest.mark.parametrize(
    ("accuracies", "best"),
    [
        ({1: [10.0, 20.0], 3: [30.0, 40.0], 5: [0.0, 50.0]}, 3),
        ({8: [50.0, 50.0], 3: [40.0, 60.0], 5: [60.0, 40.0]}, 3),
        ({100: [1.0]}, 100),
    ],
)
def test_the_best_k_has_the_highest_mean_and_is_the_smallest_of_equals(knn, accuracies, best):
    assert knn.knn_get_best_k(accuracies) == best
