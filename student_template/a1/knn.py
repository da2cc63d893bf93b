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
    # Flatten the rows, then fill dists[i, j] in two nested loops: over the training rows i and the test rows j.
    # torch.norm, torch.dist and torch.cdist are not allowed.
    raise NotImplementedError(
        "compute_distances_two_loops: Flatten the rows, then fill dists[i, j] in two nested loops: over the training "
        "rows i and the test rows j. torch.norm, torch.dist and torch.cdist are not allowed."
    )


def compute_distances_one_loop(x_train, x_test):
    """Squared distances as in compute_distances_two_loops, one training row at a time; same arguments and result."""
    # Flatten the rows, then fill the whole row dists[i] at once, in a single loop over the training rows i.
    # torch.norm, torch.dist and torch.cdist are not allowed.
    raise NotImplementedError(
        "compute_distances_one_loop: Flatten the rows, then fill the whole row dists[i] at once, in a single loop over "
        "the training rows i. torch.norm, torch.dist and torch.cdist are not allowed."
    )


def compute_distances_no_loops(x_train, x_test):
    """Squared distances as in compute_distances_two_loops, all pairs at once; same arguments and result."""
    # Compute dists without a Python loop, and without a tensor of num_train * num_test * D numbers.
    # Hint: write the square of a difference as a sum of three terms, one of which is a matrix product.
    # torch.norm, torch.dist and torch.cdist are not allowed.
    raise NotImplementedError(
        "compute_distances_no_loops: Compute dists without a Python loop, and without a tensor of num_train * num_test "
        "* D numbers. Hint: write the square of a difference as a sum of three terms, one of which is a matrix "
        "product. torch.norm, torch.dist and torch.cdist are not allowed."
    )


def predict_labels(dists, y_train, k=1):
    """Label every test row by a majority vote of its k nearest training rows.

    dists: (num_train, num_test); y_train: (num_train,) integers >= 0. If k exceeds num_train, all rows vote.
    Returns y_pred (num_test,) int64. A tied vote goes to the smallest of the tied labels.
    """
    # For every column of dists find the k smallest entries, and let the labels of these rows vote.
    # A tied vote goes to the smallest label.
    raise NotImplementedError(
        "predict_labels: For every column of dists find the k smallest entries, and let the labels of these rows vote. "
        "A tied vote goes to the smallest label."
    )


class KnnClassifier:
    """Remembers x_train (num_train, ...) and y_train (num_train,), and predicts by the vote of the nearest rows."""

    def __init__(self, x_train, y_train):
        # Remember the training data as self.x_train and self.y_train. There is nothing else to train.
        raise NotImplementedError(
            "KnnClassifier.__init__: Remember the training data as self.x_train and self.y_train. There is nothing "
            "else to train."
        )

    def predict(self, x_test, k=1):
        """Labels of x_test (num_test, ...) by the vote of the k nearest rows: (num_test,) int64."""
        # Put compute_distances_no_loops and predict_labels together.
        raise NotImplementedError("KnnClassifier.predict: Put compute_distances_no_loops and predict_labels together.")

    def check_accuracy(self, x_test, y_test, k=1, quiet=False):
        """Accuracy on x_test (num_test, ...) with labels y_test (num_test,), in percent from 0 to 100; printed too."""
        # Predict the labels of x_test, and return how many of 100 are right. Print it, too, unless quiet.
        raise NotImplementedError(
            "KnnClassifier.check_accuracy: Predict the labels of x_test, and return how many of 100 are right. Print "
            "it, too, unless quiet."
        )


def knn_cross_validate(x_train, y_train, num_folds=5, k_choices=(1, 3, 5, 8, 10, 12, 15, 20, 50, 100)):
    """Try every k by cross-validation: each fold is predicted once, from all the other folds.

    x_train: (num_train, ...), y_train: (num_train,).
    Returns {k: [accuracy in percent on fold 0, on fold 1, ...]}.
    """
    # Cut the training data into num_folds parts of nearly equal size. For every part and every k in k_choices,
    # predict the part by means of all the others, and note the accuracy in percent.
    raise NotImplementedError(
        "knn_cross_validate: Cut the training data into num_folds parts of nearly equal size. For every part and every "
        "k in k_choices, predict the part by means of all the others, and note the accuracy in percent."
    )


def knn_get_best_k(k_to_accuracies):
    """The k with the highest mean accuracy over its folds; the smallest such k where means tie.

    k_to_accuracies: {k: [accuracy per fold]}, in any order. Returns an int.
    """
    # Return the k whose accuracies have the highest mean. If several have it, return the smallest of them.
    # The keys of the dictionary come in no particular order.
    raise NotImplementedError(
        "knn_get_best_k: Return the k whose accuracies have the highest mean. If several have it, return the smallest "
        "of them. The keys of the dictionary come in no particular order."
    )
