"""Plain Python wherever the rules allow it: numbers are added up one by one, and votes are counted in dicts."""

from collections import Counter

import torch


def compute_distances_two_loops(x_train, x_test):
    rows_train, rows_test = x_train.flatten(1), x_test.flatten(1)
    dists = torch.zeros(len(rows_train), len(rows_test), dtype=x_train.dtype, device=x_train.device)
    for i, a in enumerate(rows_train):
        for j, b in enumerate(rows_test):
            difference = a - b
            dists[i, j] = torch.dot(difference, difference)
    return dists


def compute_distances_one_loop(x_train, x_test):
    dists = torch.zeros(x_train.shape[0], x_test.shape[0], dtype=x_train.dtype)
    flat = x_test.view(x_test.shape[0], -1)
    for i in range(x_train.shape[0]):
        difference = flat - x_train[i].view(1, -1)
        dists[i, :] = torch.sum(difference * difference, 1)
    return dists


def compute_distances_no_loops(x_train, x_test):
    a, b = x_train.reshape(len(x_train), -1), x_test.reshape(len(x_test), -1)
    return (a * a).sum(1, keepdim=True) - 2 * torch.mm(a, b.t()) + (b * b).sum(1)


def predict_labels(dists, y_train, k=1):
    winners = []
    for j in range(dists.shape[1]):
        nearest = sorted(range(dists.shape[0]), key=lambda i, j=j: float(dists[i, j]))[:k]
        counts = Counter(int(y_train[i]) for i in nearest)
        winners.append(min(counts, key=lambda label, counts=counts: (-counts[label], label)))
    return torch.tensor(winners, dtype=torch.int64)


class KnnClassifier:
    def __init__(self, x_train, y_train):
        self.x_train, self.y_train = x_train, y_train

    def predict(self, x_test, k=1):
        return predict_labels(compute_distances_two_loops(self.x_train, x_test), self.y_train, k)

    def check_accuracy(self, x_test, y_test, k=1, quiet=False):
        right = 0
        for guess, truth in zip(self.predict(x_test, k=k).tolist(), y_test.tolist(), strict=True):
            right += guess == truth
        accuracy = right / len(y_test) * 100
        if not quiet:
            print(accuracy)
        return accuracy


def knn_cross_validate(x_train, y_train, num_folds=5, k_choices=(1, 3, 5, 8, 10, 12, 15, 20, 50, 100)):
    x_folds, y_folds = x_train.chunk(num_folds), y_train.chunk(num_folds)
    result = {}
    for k in k_choices:
        result[k] = []
        for fold in range(num_folds):
            others = [i for i in range(num_folds) if i != fold]
            x_rest = torch.cat([x_folds[i] for i in others])
            y_rest = torch.cat([y_folds[i] for i in others])
            classifier = KnnClassifier(x_rest, y_rest)
            dists = compute_distances_no_loops(classifier.x_train, x_folds[fold])
            guesses = predict_labels(dists, y_rest, k)
            result[k].append(float((guesses == y_folds[fold]).float().mean() * 100))
    return result


def knn_get_best_k(k_to_accuracies):
    best, best_mean = None, -1.0
    for k in sorted(k_to_accuracies):
        mean = sum(k_to_accuracies[k]) / len(k_to_accuracies[k])
        if mean > best_mean:
            best, best_mean = k, mean
    return best
