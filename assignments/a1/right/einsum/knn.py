"""Sums of products as einsum, one-hot votes, sorting instead of topk; distances are computed in float64."""

import torch


def compute_distances_two_loops(x_train, x_test):
    a, b = x_train.flatten(1), x_test.flatten(1)
    dists = a.new_empty(a.shape[0], b.shape[0])
    for j in range(b.shape[0]):
        for i in range(a.shape[0]):
            dists[i, j] = torch.einsum("d,d->", a[i] - b[j], a[i] - b[j])
    return dists


def compute_distances_one_loop(x_train, x_test):
    a, b = x_train.flatten(1), x_test.flatten(1)
    columns = []
    for row in b:
        columns.append(torch.einsum("nd,nd->n", a - row, a - row))
    return torch.stack(columns, dim=1)


def compute_distances_no_loops(x_train, x_test):
    a, b = x_train.flatten(1).double(), x_test.flatten(1).double()
    squares = torch.einsum("nd,nd->n", a, a)[:, None] + torch.einsum("md,md->m", b, b)[None, :]
    return (squares - 2 * torch.einsum("nd,md->nm", a, b)).to(x_train.dtype)


def predict_labels(dists, y_train, k=1):
    order = dists.argsort(dim=0)[:k]
    classes = int(y_train.max()) + 1
    one_hot = (y_train[order][..., None] == torch.arange(classes)).long()
    return torch.einsum("kjc->jc", one_hot).max(dim=1).indices


class KnnClassifier:
    def predict(self, x_test, k=1):
        dists = compute_distances_one_loop(self.x_train, x_test)
        return predict_labels(dists, self.y_train, k=k)

    def check_accuracy(self, x_test, y_test, k=1, quiet=False):
        accuracy = 100 * (self.predict(x_test, k) == y_test).double().mean().item()
        if not quiet:
            print(f"{accuracy:.1f} %")
        return accuracy


def knn_cross_validate(x_train, y_train, num_folds=5, k_choices=(1, 3, 5, 8, 10, 12, 15, 20, 50, 100)):
    part = torch.arange(len(x_train)) * num_folds // len(x_train)
    result = {k: [] for k in k_choices}
    for fold in range(num_folds):
        held_out = part == fold
        classifier = KnnClassifier(x_train[~held_out], y_train[~held_out])
        for k in k_choices:
            result[k].append(classifier.check_accuracy(x_train[held_out], y_train[held_out], k=k, quiet=True))
    return result


def knn_get_best_k(k_to_accuracies):
    ks = sorted(k_to_accuracies)
    means = torch.tensor([k_to_accuracies[k] for k in ks], dtype=torch.float64).mean(dim=1)
    return ks[int(means.argmax())]
