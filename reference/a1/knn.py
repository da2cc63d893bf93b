"""k nearest neighbours: a classifier that learns by remembering.

Training keeps the data. Prediction looks up the k training rows closest to a test row and lets their labels vote.

Rows may have any shape: an image (3, 32, 32) is flattened to D = 3072 numbers before distances are taken. All distances
are squared Euclidean ones. The root is monotone, so leaving it out changes no neighbour.
"""

import torch


def compute_distances_two_loops(x_train, x_test):
    """Squared distances between all training and all test rows, one pair at a time.

    x_train: (num_train, ...), x_test: (num_test, ...), floating point.
    Returns dists (num_train, num_test) in the dtype of x_train; dists[i, j] lies between x_train[i] and x_test[j].
    """
    # [task] Flatten the rows, then fill dists[i, j] in two nested loops: over the training rows i and the test rows j.
    # torch.norm, torch.dist and torch.cdist are not allowed.

    num_train, num_test = x_train.shape[0], x_test.shape[0]
    x_train = x_train.reshape(num_train, -1)  # (num_train, D)
    x_test = x_test.reshape(num_test, -1)  # (num_test, D)
    dists = x_train.new_zeros(num_train, num_test)
    for i in range(num_train):
        for j in range(num_test):
            dists[i, j] = ((x_train[i] - x_test[j]) ** 2).sum()
    return dists
    # [end]


def compute_distances_one_loop(x_train, x_test):
    """Squared distances as in compute_distances_two_loops, one training row at a time; same arguments and result."""
    # [task] Flatten the rows, then fill the whole row dists[i] at once, in a single loop over the training rows i.
    # torch.norm, torch.dist and torch.cdist are not allowed.

    num_train, num_test = x_train.shape[0], x_test.shape[0]
    x_train = x_train.reshape(num_train, -1)  # (num_train, D)
    x_test = x_test.reshape(num_test, -1)  # (num_test, D)
    dists = x_train.new_zeros(num_train, num_test)
    for i in range(num_train):
        dists[i] = ((x_train[i] - x_test) ** 2).sum(dim=1)  # (D,) against (num_test, D)
    return dists
    # [end]


def compute_distances_no_loops(x_train, x_test):
    """Squared distances as in compute_distances_two_loops, all pairs at once; same arguments and result."""
    # [task] Compute dists without a Python loop, and without a tensor of num_train * num_test * D numbers.
    # Hint: write the square of a difference as a sum of three terms, one of which is a matrix product.
    # torch.norm, torch.dist and torch.cdist are not allowed.

    # For two rows a and b,
    #     sum (a - b)^2  =  sum a^2  +  sum b^2  -  2 a.b
    # The first two terms need one number per row. The third, for all pairs, is one matrix product, and that is where
    # nearly all the time goes. Rounding may leave a tiny negative number where a = b, hence the clamp.
    x_train = x_train.reshape(x_train.shape[0], -1)  # (num_train, D)
    x_test = x_test.reshape(x_test.shape[0], -1)  # (num_test, D)
    aa = torch.einsum("nd,nd->n", x_train, x_train)  # (num_train,)
    bb = torch.einsum("nd,nd->n", x_test, x_test)  # (num_test,)
    # Made the other way round and turned: the distances of one test row lie side by side, as the vote will read them.
    dists = bb[:, None] + aa  # (num_test, num_train)
    return dists.addmm_(x_test, x_train.T, alpha=-2).clamp_(min=0).T
    # [end]


def predict_labels(dists, y_train, k=1):
    """Label every test row by a majority vote of its k nearest training rows.

    dists: (num_train, num_test); y_train: (num_train,) integers >= 0. If k exceeds num_train, all rows vote.
    Returns y_pred (num_test,) int64. A tied vote goes to the smallest of the tied labels.
    """
    # [task] For every column of dists find the k smallest entries, and let the labels of these rows vote.
    # A tied vote goes to the smallest label.

    num_train, num_test = dists.shape
    nearest = dists.topk(min(k, num_train), dim=0, largest=False).indices  # (k, num_test)
    labels = y_train[nearest].long()  # (k, num_test)
    votes = labels.new_zeros(int(y_train.max()) + 1, num_test)  # votes[c, j]: how many neighbours of j have label c
    votes.scatter_add_(0, labels, torch.ones_like(labels))
    return votes.argmax(dim=0)  # argmax returns the first maximum, which is the smallest label
    # [end]


class KnnClassifier:
    """Remembers x_train (num_train, ...) and y_train (num_train,), and predicts by the vote of the nearest rows."""

    def __init__(self, x_train, y_train):
        # [task] Remember the training data as self.x_train and self.y_train. There is nothing else to train.
        self.x_train = x_train
        self.y_train = y_train
        # [end]

    def predict(self, x_test, k=1):
        """Labels of x_test (num_test, ...) by the vote of the k nearest rows: (num_test,) int64."""
        # [task] Put compute_distances_no_loops and predict_labels together.

        # All distances at once would be 2 GB for 50,000 x 10,000 in float32. Test rows do not depend on each other, so
        # 2,000 at a time give the same answer in a fifth of the memory.
        y_pred = []
        for x_chunk in x_test.split(2000):
            dists = compute_distances_no_loops(self.x_train, x_chunk)  # (num_train, chunk)
            y_pred.append(predict_labels(dists, self.y_train, k=k))
        return torch.cat(y_pred)
        # [end]

    def check_accuracy(self, x_test, y_test, k=1, quiet=False):
        """Accuracy on x_test (num_test, ...) with labels y_test (num_test,), in percent from 0 to 100; printed too."""
        # [task] Predict the labels of x_test, and return how many of 100 are right. Print it, too, unless quiet.
        num_correct = int((self.predict(x_test, k=k) == y_test).sum())
        accuracy = 100.0 * num_correct / y_test.shape[0]
        if not quiet:
            print(f"k = {k}: {num_correct} of {y_test.shape[0]} are right, an accuracy of {accuracy:.2f} %.")
        return accuracy
        # [end]


def knn_cross_validate(x_train, y_train, num_folds=5, k_choices=(1, 3, 5, 8, 10, 12, 15, 20, 50, 100)):
    """Try every k by cross-validation: each fold is predicted once, from all the other folds.

    x_train: (num_train, ...), y_train: (num_train,).
    Returns {k: [accuracy in percent on fold 0, on fold 1, ...]}.
    """
    # [task] Cut the training data into num_folds parts of nearly equal size. For every part and every k in k_choices,
    # predict the part by means of all the others, and note the accuracy in percent.

    x_folds = x_train.tensor_split(num_folds)
    y_folds = y_train.tensor_split(num_folds)
    k_to_accuracies = {k: [] for k in k_choices}
    for fold in range(num_folds):
        x_rest = torch.cat(x_folds[:fold] + x_folds[fold + 1 :])
        y_rest = torch.cat(y_folds[:fold] + y_folds[fold + 1 :])
        dists = compute_distances_no_loops(x_rest, x_folds[fold])  # the same for every k, and by far the dearest part
        for k in k_choices:
            correct = predict_labels(dists, y_rest, k=k) == y_folds[fold]
            k_to_accuracies[k].append(100.0 * correct.double().mean().item())
    return k_to_accuracies
    # [end]


def knn_get_best_k(k_to_accuracies):
    """The k with the highest mean accuracy over its folds; the smallest such k where means tie.

    k_to_accuracies: {k: [accuracy per fold]}, in any order. Returns an int.
    """
    # [task] Return the k whose accuracies have the highest mean. If several have it, return the smallest of them.
    # The keys of the dictionary come in no particular order.

    mean = {k: sum(accuracies) / len(accuracies) for k, accuracies in k_to_accuracies.items()}
    return min(mean, key=lambda k: (-mean[k], k))
    # [end]
