"""Checks of A1: k nearest neighbours.

Two conventions are right wherever a check does not ask for one of them: distances with or without the root, which have
the same neighbours, and accuracies in percent or as fractions. One edge check per function asks for the stated one.
"""

import numpy as np
import pytest
import torch
from gradescope_utils.autograder_utils.decorators import hide_errors, number, visibility, weight

from grader.contract.verdict import CheckFailed, Explanation, StudentError

SHAPES = [(7,), (3, 4), (3, 4, 4)]
IMAGE, VECTOR = (1, 2, 3), (6,)
DEFAULT_K = [1, 3, 5, 8, 10, 12, 15, 20, 50, 100]
LARGER_DRAW = "A second draw with larger sizes came out wrong. Compare your function with a slow and simple version."


# ---- helpers -------------------------------------------------------------------------------------------------------


def rows(draw, num_train, num_test, *shape, dtype=torch.float64):
    """Training and test rows whose distances lie well away from 0 and 1, so that a root shows."""
    return draw.normal(num_train, *shape, dtype=dtype, scale=2.0), draw.normal(num_test, *shape, dtype=dtype, scale=2.0)


def taken_shape(function, draw, image=IMAGE, vector=VECTOR):
    """The shape of rows for a check: images, as in the course, or vectors where the function does not take images.

    That rows of any shape are taken is a check of its own, and a function that fails it fails no other for that.
    """
    x_train, x_test = rows(draw, 3, 2, *IMAGE)
    try:
        got = function(x_train, x_test)
    except StudentError:
        return vector
    return image if torch.is_tensor(got) and got.shape == (3, 2) else vector


def squared_distances(x_train, x_test):
    """What the distance functions should return, by the definition, in float64."""
    a, b = x_train.double().flatten(1), x_test.double().flatten(1)
    return ((a[:, None] - b[None]) ** 2).sum(dim=2)


def is_root_of(got, squared):
    """Whether the answer holds the distances themselves."""
    is_tensor = torch.is_tensor(got) and got.shape == squared.shape and got.is_floating_point()
    return is_tensor and torch.allclose(got.double(), squared.sqrt(), rtol=1e-4, atol=1e-6)


def expect_distances(expect, got, x_train, x_test, dtype=False):
    """Distances or their squares, in the precision of x_train."""
    squared = squared_distances(x_train, x_test)
    expected = squared.sqrt() if is_root_of(got, squared) else squared
    expect(got, "dists").matches(expected.to(x_train.dtype), dtype=dtype, sizes={"D": x_train[0].numel()})


def check_shapes(function, draw, expect):
    for shape in SHAPES:
        x_train, x_test = rows(draw, 6, 4, *shape)
        expect_distances(expect, function(x_train, x_test), x_train, x_test)


def check_distances(function, draw, expect):
    x_train, x_test = rows(draw, 7, 5, *taken_shape(function, draw))
    expect_distances(expect, function(x_train, x_test), x_train, x_test)


def check_dtype_and_inputs(function, draw, expect):
    shape = taken_shape(function, draw)
    for dtype in (torch.float32, torch.float64):
        x_train, x_test = rows(draw, 5, 4, *shape, dtype=dtype)
        got, (train_after, test_after) = function.observed(x_train.clone(), x_test.clone())
        expect_distances(expect, got, x_train, x_test, dtype=True)
        expect(train_after, "x_train").is_unchanged_from(x_train)
        expect(test_after, "x_test").is_unchanged_from(x_test)


def check_squared(function, draw, expect):
    x_train, x_test = rows(draw, 5, 4, *taken_shape(function, draw))
    got = function(x_train, x_test)
    squared = squared_distances(x_train, x_test)
    if is_root_of(got, squared):
        raise CheckFailed(
            Explanation(
                "These are the distances; the squared distances are asked for. Leave the square root out.",
                expected=f"dists[0, 0] = {squared[0, 0]:.6g}",
                got=f"dists[0, 0] = {float(got[0, 0]):.6g}",
            )
        )
    expect(got, "dists").matches(squared, dtype=False)


def two_sizes(function, draw):
    """Arguments for the rule checks, a small and a large pair."""
    shape = taken_shape(function, draw, image=(1, 1), vector=())
    return rows(draw, 4, 3, *shape, 5), rows(draw, 24, 20, *shape, 30)


def ladder(draw, num_train, num_test):
    """Distances without ties in a column: every gap between neighbouring entries is at least 0.1."""
    steps = draw.uniform(num_train, num_test, low=0.1, high=1.0).cumsum(dim=0)
    return torch.stack([column[draw.permutation(num_train)] for column in steps.T], dim=1)


def untied(dists, y_train, k):
    """Which test columns have a single winner among their k nearest labels."""
    nearest = y_train[dists.argsort(dim=0)[:k]]
    votes = (nearest[None] == torch.arange(int(y_train.max()) + 1)[:, None, None]).sum(dim=1)
    first, second = votes.sort(dim=0, descending=True).values[:2]
    return first > second


def untied_vote(draw, num_train, num_test, classes, k):
    """Distances and labels for a vote of k rows in which no test column ends in a tie."""
    dists, y_train = ladder(draw, num_train, 4 * num_test), draw.labels(num_train, classes)
    clear = untied(dists, y_train, k)
    return dists[:, clear][:, :num_test].contiguous(), y_train


def expect_labels(expect, reference, got, dists, y_train, *, k):
    expect(got, "y_pred").matches(reference.knn.predict_labels(dists, y_train, k=k), dtype=False)


def clusters(draw, big, small, lonely):
    """Two far-apart clusters with labels 0 and 1, and ``lonely`` rows with label 2 near the big one.

    A lonely row that is not remembered itself is always taken for 0, all other rows are always recognised, as long as
    a few rows of each cluster are left. Whatever the folds, the mean accuracy for small k is therefore known.
    """
    d = lonely + 1
    centres = torch.cat([torch.zeros(big, d), 100 * torch.eye(d)[-1:].expand(small, d), 10 * torch.eye(d)[:lonely]])
    y = torch.tensor([0] * big + [1] * small + [2] * lonely)
    x = centres.double() + draw.uniform(len(y), d, low=-0.1, high=0.1)
    order = draw.permutation(len(y))
    return x[order], y[order]


def number_from(expect, value, low, high, name):
    """A real number, whether it came as a Python number or as a tensor of shape ()."""
    expect(value, name).has_shape().is_between(low, high)
    return float(value)


def fold_accuracies(expect, got, k, num_folds):
    """The accuracies for one k, as they came."""
    if type(got) is not dict or k not in got:
        raise CheckFailed(f"The result should be a dict with one entry per k, but it has no entry for k = {k}.")
    found = got[k].tolist() if isinstance(got[k], torch.Tensor | np.ndarray) else got[k]
    if type(found) not in (list, tuple) or len(found) != num_folds:
        raise CheckFailed(f"The entry for k = {k} should be a list of {num_folds} accuracies, one per fold.")
    return [number_from(expect, value, 0.0, 100.001, f"accuracy for k = {k}") for value in found]


def mean_percent(accuracies):
    """The mean in percent; where no accuracy exceeds 1, they are fractions."""
    factor = 1.0 if max(accuracies) > 1 else 100.0
    return factor * sum(accuracies) / len(accuracies)


def expect_mean(expect, accuracies, percent, k):
    expect(mean_percent(accuracies), f"mean accuracy for k = {k}").is_between(percent - 0.01, percent + 0.01)


def expect_of_these_data(student, draw, expect, n):
    """Accuracies are low where every row occurs once more, with another label: they are measured, not written down."""
    y = draw.labels(n // 2, 6)
    x, y = (50 * draw.normal(n // 2, 6)).repeat(2, 1), torch.cat([y, y + 1])
    order = draw.permutation(n)
    got = student.knn.knn_cross_validate(x[order], y[order], num_folds=5, k_choices=[1])
    mean = mean_percent(fold_accuracies(expect, got, k=1, num_folds=5))
    if mean > 65.0:
        raise CheckFailed(
            Explanation(
                "Accuracies come out high for rows of which each occurs twice, with different labels. They have to be "
                "measured on the rows and labels that the function is given.",
                expected="at most 65 % on average",
                got=f"{mean:.4g} %",
            )
        )


def memory_test(draw):
    """What a classifier is asked in the checks below: training rows, and test rows with the labels they are near to."""
    # 19 or 21 test rows: a percentage of them that is a whole number would hide that it was rounded.
    x_train, y_train = clusters(draw, big=12, small=9, lonely=draw.choice([3, 5]))
    chosen = torch.cat([torch.where(y_train == label)[0][:8] for label in range(3)])
    chosen = chosen[draw.permutation(len(chosen))]
    return x_train, y_train, x_train[chosen] + 0.01 * draw.normal(len(chosen), x_train.shape[1]), y_train[chosen]


def own_predictions(expect, classifier, x_test, truth):
    """The submission's own predictions for k = 1, once they are good enough to say anything about accuracy."""
    y_pred = classifier.predict(x_test, k=1)
    expect(y_pred, "y_pred").has_shape(len(truth))
    right = float((torch.as_tensor(y_pred) == truth).double().mean())
    expect(right, "share of test rows that predict recognises beside a training row").is_between(0.7, 1.0)
    return torch.as_tensor(y_pred)


def spoil(draw, truth):
    """The labels with some of them changed, so that no accuracy is perfect, nor known beforehand."""
    changed = truth.clone()
    where = draw.permutation(len(truth))[: int(draw.integers(3, 10))]
    changed[where] = (changed[where] + 1) % 3
    return changed


# ---- 1. compute_distances_two_loops --------------------------------------------------------------------------------


@number("1.1")
@weight(4)
@visibility("visible")
def test_two_loops(student, draw, expect):
    """compute_distances_two_loops returns the distance of every training row (first index) to every test row."""
    check_distances(student.knn.compute_distances_two_loops, draw, expect)


@number("1.2")
@weight(2)
@visibility("visible")
def test_two_loops_shapes(student, draw, expect):
    """compute_distances_two_loops takes rows of any shape: vectors, grey images, colour images."""
    check_shapes(student.knn.compute_distances_two_loops, draw, expect)


@number("1.3")
@weight(1.5)
@visibility("visible")
def test_two_loops_dtype_and_inputs(student, draw, expect):
    """compute_distances_two_loops answers in the dtype of x_train and leaves its inputs as they were."""
    check_dtype_and_inputs(student.knn.compute_distances_two_loops, draw, expect)


@number("1.4")
@weight(2)
@visibility("visible")
def test_two_loops_has_two_loops(student, draw, expect, rules):
    """compute_distances_two_loops works through the pairs of rows in two nested loops."""
    function = student.knn.compute_distances_two_loops
    small, large = two_sizes(function, draw)
    expect_distances(expect, function(*small), *small)
    rules.loops(function, small, large, at_least=2, at_most=3)


@number("1.5")
@weight(2.5)
@visibility("visible")
def test_two_loops_squared(student, draw, expect):
    """compute_distances_two_loops returns squared distances, without the root."""
    check_squared(student.knn.compute_distances_two_loops, draw, expect)


# ---- 2. compute_distances_one_loop ---------------------------------------------------------------------------------


@number("2.1")
@weight(4.5)
@visibility("visible")
def test_one_loop(student, draw, expect):
    """compute_distances_one_loop returns the distance of every training row (first index) to every test row."""
    check_distances(student.knn.compute_distances_one_loop, draw, expect)


@number("2.2")
@weight(2)
@visibility("visible")
def test_one_loop_shapes(student, draw, expect):
    """compute_distances_one_loop takes rows of any shape: vectors, grey images, colour images."""
    check_shapes(student.knn.compute_distances_one_loop, draw, expect)


@number("2.3")
@weight(1.5)
@visibility("visible")
def test_one_loop_dtype_and_inputs(student, draw, expect):
    """compute_distances_one_loop answers in the dtype of x_train and leaves its inputs as they were."""
    check_dtype_and_inputs(student.knn.compute_distances_one_loop, draw, expect)


@number("2.4")
@weight(3)
@visibility("visible")
def test_one_loop_has_one_loop(student, draw, expect, rules):
    """compute_distances_one_loop works through the rows of one of the two sets in a single loop."""
    function = student.knn.compute_distances_one_loop
    small, large = two_sizes(function, draw)
    expect_distances(expect, function(*small), *small)
    rules.loops(function, small, large, at_least=1, at_most=1)


@number("2.5")
@weight(3)
@visibility("visible")
def test_one_loop_squared(student, draw, expect):
    """compute_distances_one_loop returns squared distances, without the root."""
    check_squared(student.knn.compute_distances_one_loop, draw, expect)


# ---- 3. compute_distances_no_loops ---------------------------------------------------------------------------------


@number("3.1")
@weight(5)
@visibility("visible")
def test_no_loops(student, draw, expect):
    """compute_distances_no_loops returns the distance of every training row (first index) to every test row."""
    check_distances(student.knn.compute_distances_no_loops, draw, expect)


@number("3.2")
@weight(2.5)
@visibility("visible")
def test_no_loops_shapes(student, draw, expect):
    """compute_distances_no_loops takes rows of any shape: vectors, grey images, colour images."""
    check_shapes(student.knn.compute_distances_no_loops, draw, expect)


@number("3.3")
@weight(1.5)
@visibility("visible")
def test_no_loops_dtype_and_inputs(student, draw, expect):
    """compute_distances_no_loops answers in the dtype of x_train and leaves its inputs as they were."""
    check_dtype_and_inputs(student.knn.compute_distances_no_loops, draw, expect)


@number("3.4")
@weight(5)
@visibility("visible")
def test_no_loops_has_no_loop(student, draw, expect, rules):
    """compute_distances_no_loops computes all distances at once, without a Python loop."""
    function = student.knn.compute_distances_no_loops
    small, large = two_sizes(function, draw)
    expect_distances(expect, function(*small), *small)
    rules.vectorised(function, small=small, large=large)
    rules.traced(function, *small)


@number("3.5")
@weight(1)
@visibility("hidden")
@hide_errors(LARGER_DRAW)
def test_no_loops_larger(student, draw, expect):
    """compute_distances_no_loops is right for larger sets of rows, too."""
    function = student.knn.compute_distances_no_loops
    shape = taken_shape(function, draw, image=(3, 5, 5), vector=(75,))
    x_train, x_test = rows(draw, 60, 83, *shape)
    x_test[:5] = x_train[:5] + 0.05 * draw.normal(5, *shape)  # some lie close together
    expect_distances(expect, function(x_train, x_test), x_train, x_test)


@number("3.6")
@weight(2.5)
@visibility("visible")
def test_no_loops_squared(student, draw, expect):
    """compute_distances_no_loops returns squared distances, without the root."""
    check_squared(student.knn.compute_distances_no_loops, draw, expect)


@number("3.7")
@weight(2.5)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=5)
def test_no_loops_memory(student, draw, expect, cost):
    """compute_distances_no_loops does without a tensor that holds every difference of every pair of rows."""
    num_train, num_test, d = 500, 400, 512
    function = student.knn.compute_distances_no_loops
    shape = taken_shape(function, draw, image=(2, 16, 16), vector=(d,))
    x_train, x_test = rows(draw, num_train, num_test, *shape, dtype=torch.float32)
    spent = cost(function, x_train, x_test)
    a, b = x_train.flatten(1), x_test.flatten(1)
    squared = ((a**2).sum(dim=1)[:, None] + (b**2).sum(dim=1) - 2 * a @ b.T).double()
    expected = squared.sqrt() if is_root_of(spent.result, squared) else squared
    expect(spent.result, "dists").matches(expected.float(), dtype=False)
    differences = 4 * num_train * num_test * d
    if spent.peak_bytes > 0.9 * differences:
        raise CheckFailed(
            Explanation(
                "The function builds a tensor with one entry per training row, test row and feature, which would not "
                "fit into memory for real images. Expand the square of the difference instead.",
                expected=f"far less than {differences / 1e6:.0f} MB",
                got=f"{spent.peak_bytes / 1e6:.0f} MB for distances that fill {4e-6 * num_train * num_test:.1f} MB",
            )
        )


# ---- 4. predict_labels ---------------------------------------------------------------------------------------------


@number("4.1")
@weight(4)
@visibility("visible")
def test_predict_labels_nearest(student, reference, draw, expect):
    """predict_labels gives every test column the label of its nearest training row when k is left at 1."""
    dists, y_train = ladder(draw, 9, 20), draw.labels(9, 4)
    expect_labels(expect, reference, student.knn.predict_labels(dists, y_train), dists, y_train, k=1)


@number("4.2")
@weight(4)
@visibility("visible")
def test_predict_labels_majority(student, reference, draw, expect):
    """predict_labels lets the k nearest training rows vote, and takes the label with most votes."""
    for k in (3, 6):
        dists, y_train = untied_vote(draw, num_train=14, num_test=20, classes=4, k=k)
        expect_labels(expect, reference, student.knn.predict_labels(dists, y_train, k=k), dists, y_train, k=k)


@number("4.3")
@weight(3.5)
@visibility("visible")
def test_predict_labels_tie(student, draw, expect):
    """predict_labels gives a tied vote to the smallest of the tied labels, wherever the nearest rows stand."""
    low, high = 1 + int(draw.integers(0, 3)), 5 + int(draw.integers(0, 3))
    y_train = torch.tensor([high, low, high, low, 0, 9])
    near_high = torch.tensor([1.0, 2.0, 3.0, 4.0, 8.0, 9.0]).double()
    near_low = near_high[[1, 0, 3, 2, 4, 5]]
    dists = torch.stack([near_high, near_low, near_high + draw.uniform(6, high=0.1)], dim=1)
    for k in (2, 4):
        got = student.knn.predict_labels(dists, y_train, k=k)
        expect(got, "y_pred").matches(torch.full((3,), low), dtype=False)


@number("4.4")
@weight(1)
@visibility("hidden")
@hide_errors(LARGER_DRAW)
def test_predict_labels_larger(student, reference, draw, expect):
    """predict_labels is right for more rows, more classes and larger k, too."""
    for k in (11, 40):
        dists, y_train = untied_vote(draw, num_train=70, num_test=50, classes=12, k=k)
        expect_labels(expect, reference, student.knn.predict_labels(dists, y_train, k=k), dists, y_train, k=k)


@number("4.5")
@weight(1.5)
@visibility("visible")
def test_predict_labels_int64(student, reference, draw, expect):
    """predict_labels returns labels as an int64 tensor."""
    dists, y_train = ladder(draw, 9, 20), draw.labels(9, 4)
    got = student.knn.predict_labels(dists, y_train, k=1)
    expect_labels(expect, reference, got, dists, y_train, k=1)
    if not torch.is_tensor(got) or got.dtype != torch.int64:
        raise CheckFailed("The labels are right, but they should be an int64 tensor, like y_train.")


@number("4.6")
@weight(2)
@visibility("visible")
def test_predict_labels_inputs(student, reference, draw, expect):
    """predict_labels leaves the distances and the labels as they were."""
    dists, y_train = ladder(draw, 9, 20), draw.labels(9, 4)
    expect_labels(expect, reference, student.knn.predict_labels(dists, y_train, k=1), dists, y_train, k=1)
    got, after = student.knn.predict_labels.observed(dists.clone(), y_train.clone(), 3)
    expect(got, "y_pred").has_shape(20)
    for name, value, original in zip(("dists", "y_train"), after, (dists, y_train), strict=False):
        expect(value, name).is_unchanged_from(original)


# ---- 5. KnnClassifier.predict --------------------------------------------------------------------------------------


@number("5.1")
@weight(7)
@visibility("visible")
def test_classifier_remembers(student, draw, expect):
    """KnnClassifier remembers x_train and y_train, and predict finds the nearest row when k is left at 1."""
    x_train, y_train, x_test, truth = memory_test(draw)
    classifier = student.knn.KnnClassifier(x_train, y_train)
    expect(classifier.predict(x_test), "y_pred").matches(truth, dtype=False)
    expect(classifier.x_train, "x_train").equals(x_train)
    expect(classifier.y_train, "y_train").equals(y_train)


@number("5.2")
@weight(6)
@visibility("visible")
def test_classifier_votes(student, reference, draw, expect):
    """KnnClassifier.predict lets the k nearest rows vote."""
    (x_train, x_test), y_train = rows(draw, 16, 80, 4), draw.labels(16, 3)
    for k in (3, 6):
        dists = squared_distances(x_train, x_test)
        clear = untied(dists, y_train, k)
        got = student.knn.KnnClassifier(x_train, y_train).predict(x_test[clear], k=k)
        expect_labels(expect, reference, got, dists[:, clear], y_train, k=k)


@number("5.3")
@weight(2)
@visibility("visible")
def test_classifier_images(student, reference, draw, expect):
    """KnnClassifier.predict takes colour images as they are."""
    (x_train, x_test), y_train = rows(draw, 12, 20, 3, 4, 4), draw.labels(12, 4)
    got = student.knn.KnnClassifier(x_train, y_train).predict(x_test)
    expect_labels(expect, reference, got, squared_distances(x_train, x_test), y_train, k=1)


@number("5.4")
@weight(1)
@visibility("visible")
def test_classifiers_are_independent(student, draw, expect):
    """Two classifiers beside each other keep their own training data."""
    first, (x_train, y_train, x_test, truth) = memory_test(draw), memory_test(draw)
    second = x_train, (y_train + 1) % 3, x_test, (truth + 1) % 3  # where the rows lie is known, so the labels must tell
    classifiers = [student.knn.KnnClassifier(x_train=problem[0], y_train=problem[1]) for problem in (first, second)]
    for classifier, (_, _, x_test, truth) in zip(classifiers, (first, second), strict=True):
        expect(classifier.predict(x_test, k=1), "y_pred").matches(truth, dtype=False)


# ---- 6. KnnClassifier.check_accuracy -------------------------------------------------------------------------------


@number("6.1")
@weight(1)
@visibility("visible")
def test_check_accuracy(student, draw, expect):
    """check_accuracy returns the share of test rows that predict labels correctly."""
    x_train, y_train, x_test, truth = memory_test(draw)
    classifier = student.knn.KnnClassifier(x_train, y_train)
    y_test = spoil(draw, truth)
    right = 100.0 * float((own_predictions(expect, classifier, x_test, truth) == y_test).double().mean())
    got = number_from(expect, classifier.check_accuracy(x_test, y_test), 0.0, 100.001, "accuracy")
    expect_mean(expect, [got], right, k=1)


@number("6.2")
@weight(0.5)
@visibility("visible")
def test_check_accuracy_k(student, draw, expect):
    """check_accuracy predicts with the k that it is given."""
    x_train, y_train, x_test, truth = memory_test(draw)
    classifier = student.knn.KnnClassifier(x_train, y_train)
    own_predictions(expect, classifier, x_test, truth)
    y_pred = classifier.predict(x_test, k=5)
    expect(y_pred, "y_pred").has_shape(len(truth))
    right = 100.0 * float((torch.as_tensor(y_pred) == truth).double().mean())
    got = number_from(expect, classifier.check_accuracy(x_test, truth, k=5, quiet=True), 0.0, 100.001, "accuracy")
    expect_mean(expect, [got], right, k=5)


@number("6.3")
@weight(0.5)
@visibility("visible")
def test_check_accuracy_percent(student, draw, expect):
    """check_accuracy returns a percentage between 0 and 100."""
    x_train, y_train, x_test, truth = memory_test(draw)
    classifier = student.knn.KnnClassifier(x_train, y_train)
    y_test = spoil(draw, truth)
    right = 100.0 * float((own_predictions(expect, classifier, x_test, truth) == y_test).double().mean())
    got = number_from(expect, classifier.check_accuracy(x_test, y_test, quiet=True), 0.0, 100.001, "accuracy")
    expect(got, "accuracy").is_between(right - 0.01, right + 0.01)


# ---- 7. knn_cross_validate -----------------------------------------------------------------------------------------


@number("7.1")
@weight(4)
@visibility("visible")
def test_cross_validate_holds_out(student, draw, expect):
    """knn_cross_validate predicts every fold without having seen its rows, and returns one accuracy per fold."""
    # Clusters so big that even a single fold holds rows of both: who remembers too little is told by the next check.
    lonely = int(draw.integers(10, 31))
    x, y = clusters(draw, big=90 - lonely, small=60, lonely=lonely)
    got = student.knn.knn_cross_validate(x, y, num_folds=5, k_choices=[1])
    expect_mean(expect, fold_accuracies(expect, got, k=1, num_folds=5), 100 * (150 - lonely) / 150, k=1)


@number("7.2")
@weight(2.5)
@visibility("visible")
def test_cross_validate_uses_the_rest(student, draw, expect):
    """knn_cross_validate trains on all the other folds, not on some of them only."""
    # Triples of twins with one of six labels: with four folds of five remembered, a row loses both of its twins in one
    # case of 25; with a single fold remembered, in two cases of three.
    centres, labels = 50 * draw.normal(40, 6), draw.labels(40, 6)
    order = draw.permutation(120)
    x = centres.repeat(3, 1)[order] + 0.01 * draw.normal(120, 6)
    got = student.knn.knn_cross_validate(x, labels.repeat(3)[order], num_folds=5, k_choices=[1])
    accuracies = fold_accuracies(expect, got, k=1, num_folds=5)
    expect(mean_percent(accuracies), "mean accuracy for k = 1").is_between(70.0, 100.0)
    expect_of_these_data(student, draw, expect, 120)


@number("7.3")
@weight(2.5)
@visibility("visible")
def test_cross_validate_k(student, draw, expect):
    """knn_cross_validate tries each k in k_choices, with as many folds as it is told."""
    big = int(draw.integers(36, 39))
    x, y = clusters(draw, big=big, small=43 - big, lonely=5)
    got = student.knn.knn_cross_validate(x, y, num_folds=4, k_choices=[36, 1])
    everybody, nearest = (fold_accuracies(expect, got, k, num_folds=4) for k in (36, 1))
    # With k = 36 all remembered rows vote, and the big cluster wins.
    expect_mean(expect, everybody, 100 * big / 48, k=36)
    expect(mean_percent(nearest), "mean accuracy for k = 1").is_between(80.0, 100.0)


@number("7.4")
@weight(1.5)
@visibility("visible")
def test_cross_validate_defaults(student, draw, expect):
    """knn_cross_validate has five folds and ten values of k, from 1 to 100, unless it is told otherwise."""
    x, y = clusters(draw, big=104, small=40, lonely=6)
    got = student.knn.knn_cross_validate(x, y)
    expect(mean_percent(fold_accuracies(expect, got, 1, num_folds=5)), "mean accuracy for k = 1").is_between(
        80.0, 100.0
    )
    expect(dict.fromkeys(got, 0), "result").equals(dict.fromkeys(DEFAULT_K, 0))
    expect_of_these_data(student, draw, expect, 150)


@number("7.5")
@weight(3.5)
@visibility("visible")
def test_cross_validate_percent(student, draw, expect):
    """knn_cross_validate returns its accuracies in percent."""
    x, y = clusters(draw, big=31, small=13, lonely=6)
    got = student.knn.knn_cross_validate(x, y, num_folds=5, k_choices=[1])
    for accuracy in fold_accuracies(expect, got, 1, num_folds=5):
        expect(accuracy, "accuracy for k = 1").is_between(35.0, 100.001)
    expect_of_these_data(student, draw, expect, 50)


# ---- 8. knn_get_best_k ---------------------------------------------------------------------------------------------


@number("8.1")
@weight(2)
@visibility("visible")
def test_best_k(student, draw, expect):
    """knn_get_best_k returns the k with the highest mean accuracy, not the one with the single best fold."""
    best = draw.choice([3, 5, 8])
    accuracies = {k: [20.0 + k, 30.0, 25.0, 21.0] for k in (1, 2, 3, 5, 8, 10)}
    accuracies[best] = [33.0, 34.0, 32.5, 33.5]
    accuracies[2] = [12.4, 40.5, 40.0, 39.5]  # a higher median, and the same mean once its decimals are cut off
    accuracies[1] = [60.0, 12.0, 11.0, 13.0]
    expect(student.knn.knn_get_best_k(accuracies), "best k").equals(best)


@number("8.2")
@weight(1.5)
@visibility("visible")
def test_best_k_tie(student, draw, expect):
    """knn_get_best_k returns the smallest k where several have the highest mean."""
    low = draw.choice([3, 5])
    accuracies = {1: [20.0, 21.0], 3: [22.0, 22.0], 5: [22.0, 23.0], 8: [30.5, 27.5], 12: [29.0, 29.0], 20: [1.0, 2.0]}
    accuracies[low] = [27.0, 31.0]
    expect(student.knn.knn_get_best_k(accuracies), "best k").equals(low)


@number("8.3")
@weight(1)
@visibility("visible")
def test_best_k_unsorted(student, draw, expect):
    """knn_get_best_k finds the best k in a dict whose keys are in no particular order."""
    best = int(draw.integers(9, 30))
    orders = [(50, best, 3, 8), (8, 50, 3, best), (best, 50, 8, 3)]  # never where it would stand among sorted keys
    accuracies = {k: [80.0 - abs(k - best), 81.0 - abs(k - best)] for k in draw.choice(orders)}
    expect(student.knn.knn_get_best_k(accuracies), "best k").equals(best)


@number("8.4")
@weight(1.5)
@visibility("visible")
def test_best_k_unsorted_tie(student, draw, expect):
    """knn_get_best_k returns the smallest of several best k even if a larger one comes first in the dict."""
    low = draw.choice([3, 4, 5])
    accuracies = {20: [40.0, 42.0], 10: [41.0, 41.0], low: [42.0, 40.0], 15: [41.5, 40.5], 1: [30.0, 30.0]}
    expect(student.knn.knn_get_best_k(accuracies), "best k").equals(low)


# ---- 9. real images ------------------------------------------------------------------------------------------------


def first_images(data, num_train=5000, num_test=500):
    """The first images of CIFAR-10 in canonical order, as raw pixels from 0 to 1."""
    cifar = data.cifar10()
    x_train, x_test = (torch.as_tensor(x) / 255 for x in (cifar.x_train[:num_train], cifar.x_test[:num_test]))
    return x_train, torch.as_tensor(cifar.y_train[:num_train]), x_test, torch.as_tensor(cifar.y_test[:num_test])


def expect_accuracy_on_images(expect, classifier, x_test, y_test, *, k, percent):
    """Right predictions reach the known accuracy; rounding may move one image."""
    y_pred = classifier.predict(x_test, k=k)
    expect(y_pred, "y_pred").has_shape(len(y_test))
    accuracy = 100.0 * float((torch.as_tensor(y_pred) == y_test).double().mean())
    one_image = 100.0 / len(y_test)
    expect(accuracy, f"accuracy for k = {k} in percent").is_between(
        percent - 1.01 * one_image, percent + 1.01 * one_image
    )


@number("9.1")
@weight(3)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=60)
def test_images_nearest(student, data, expect):
    """On 5,000 real images, KnnClassifier recognises 27.40 % of 500 others with k = 1 and 27.80 % with k = 5."""
    x_train, y_train, x_test, y_test = first_images(data)
    classifier = student.knn.KnnClassifier(data.share("x_train", x_train), y_train)
    for k, percent in ((1, 27.4), (5, 27.8)):
        expect_accuracy_on_images(expect, classifier, data.share("x_test", x_test), y_test, k=k, percent=percent)


@number("9.2")
@weight(2)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=60)
def test_images_best_k(student, reference, data, expect):
    """On 5,000 real images, knn_get_best_k chooses k = 10, which recognises 28.20 % of 500 others."""
    x_train, y_train, x_test, y_test = first_images(data)
    # Contiguous folds; for k = 1 they give 26.3, 25.7, 26.4, 27.8 and 26.6 %.
    accuracies = reference.knn.knn_cross_validate(x_train, y_train)
    best = student.knn.knn_get_best_k(accuracies)
    expect(best, "best k").equals(10)
    classifier = student.knn.KnnClassifier(data.share("x_train", x_train), y_train)
    expect_accuracy_on_images(expect, classifier, data.share("x_test", x_test), y_test, k=best, percent=28.2)


# ---- 10. all images ------------------------------------------------------------------------------------------------


@number("10.1")
@weight(5)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=600)
def test_all_images(student, data, accuracy):
    """With all training images of the data set and k = 10, KnnClassifier recognises test images it has not seen."""
    images = data.images()
    x_train = data.share("all_images", lambda: torch.from_numpy(images.x_train) / 255)
    classifier = student.knn.KnnClassifier(x_train, torch.from_numpy(images.y_train))
    accuracy(lambda x: classifier.predict(x / 255, k=10))
