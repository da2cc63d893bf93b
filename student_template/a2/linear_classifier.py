"""Linear classifiers: the multiclass SVM and softmax regression, trained by stochastic gradient descent.

A linear classifier gives a row x (D,) one score per class, s = x W with W (D, C), and predicts the class that scores
highest. The two classifiers differ in the loss that says how bad given scores are. Both minimise

    L(W) = 1/N sum_i L_i(x_i W, y_i)  +  reg sum W^2

Letters: N rows in a batch, D features, C classes; X (N, D), y (N,) integer labels in 0 ... C-1, W (D, C).
"""

from abc import ABC, abstractmethod

import torch


def svm_loss_naive(W, X, y, reg):
    """Multiclass hinge loss and its gradient, with explicit loops.

    A row with scores s and label y costs sum over j != y of max(0, s_j - s_y + 1): every wrong class should score at
    least 1 lower than the true one.

    W: (D, C), X: (N, D), y: (N,), reg: strength of the penalty reg * sum(W * W), which has no factor 1/2.
    Returns the loss () and dW (D, C), the gradient of the loss at W.
    """
    # Loop over the rows and the classes. Add up the hinge losses and, beside them, what each contributes to dW.
    # Then take the mean over the rows, and add the regularisation to both.
    raise NotImplementedError(
        "svm_loss_naive: Loop over the rows and the classes. Add up the hinge losses and, beside them, what each "
        "contributes to dW. Then take the mean over the rows, and add the regularisation to both."
    )


def svm_loss_vectorized(W, X, y, reg):
    """Multiclass hinge loss and its gradient, without Python loops; arguments and results as in svm_loss_naive."""
    # Compute the loss and dW of svm_loss_naive without a Python loop.
    raise NotImplementedError("svm_loss_vectorized: Compute the loss and dW of svm_loss_naive without a Python loop.")


def softmax_loss_naive(W, X, y, reg):
    """Cross-entropy of the softmax of the scores, and its gradient, with explicit loops.

    Softmax turns scores s into probabilities p_j = exp(s_j) / sum_k exp(s_k); a row with label y costs -log p_y.

    W: (D, C), X: (N, D), y: (N,), reg: strength of the penalty reg * sum(W * W), which has no factor 1/2.
    Returns the loss () and dW (D, C), the gradient of the loss at W. Scores of any size give finite results.
    """
    # Loop over the rows and the classes. Add up the cross-entropies and what each contributes to dW.
    # Then take the mean over the rows, and add the regularisation to both.
    # Take care that large scores do not overflow in the exponential.
    raise NotImplementedError(
        "softmax_loss_naive: Loop over the rows and the classes. Add up the cross-entropies and what each contributes "
        "to dW. Then take the mean over the rows, and add the regularisation to both. Take care that large scores do "
        "not overflow in the exponential."
    )


def softmax_loss_vectorized(W, X, y, reg):
    """Softmax cross-entropy and its gradient, without Python loops; arguments and results as in softmax_loss_naive."""
    # Compute the loss and dW of softmax_loss_naive without a Python loop, and as safely for large scores.
    raise NotImplementedError(
        "softmax_loss_vectorized: Compute the loss and dW of softmax_loss_naive without a Python loop, and as safely "
        "for large scores."
    )


def sample_batch(X, y, num_train, batch_size):
    """Draw batch_size rows with replacement from the first num_train rows of X and y.

    X: (num_train, D), y: (num_train,). Returns X_batch (batch_size, D) and y_batch (batch_size,).
    """
    # Draw batch_size random indices below num_train, with replacement, and return these rows of X and y.
    raise NotImplementedError(
        "sample_batch: Draw batch_size random indices below num_train, with replacement, and return these rows of X "
        "and y."
    )


def train_linear_classifier(
    loss_func, W, X, y, learning_rate=1e-3, reg=1e-5, num_iters=100, batch_size=200, verbose=False
):
    """Minimise a loss by stochastic gradient descent.

    loss_func: called as loss_func(W, X_batch, y_batch, reg), returns the loss and dW.
    W: (D, C) to start from, left as it is; None for small random numbers. X: (N, D), y: (N,).
    Returns the trained W (D, C), and loss_history, the loss of every batch as a float.
    """
    num_train, D = X.shape
    if W is None:
        C = int(y.max()) + 1
        W = 1e-6 * torch.randn(D, C, device=X.device, dtype=X.dtype)

    loss_history = []
    for it in range(num_iters):
        # Sample a batch, compute its loss and gradient, append the loss to loss_history as a float,
        # and take one step of size learning_rate against the gradient.
        raise NotImplementedError(
            "train_linear_classifier: Sample a batch, compute its loss and gradient, append the loss to loss_history "
            "as a float, and take one step of size learning_rate against the gradient."
        )

        if verbose and it % 100 == 0:
            print(f"iteration {it} / {num_iters}: loss {loss_history[-1]:.6f}")
    return W, loss_history


def predict_linear_classifier(W, X):
    """The class with the highest score for every row. W: (D, C), X: (N, D). Returns y_pred (N,) int64."""
    # Compute the scores of all rows, and return for each row the class that scores highest.
    raise NotImplementedError(
        "predict_linear_classifier: Compute the scores of all rows, and return for each row the class that scores "
        "highest."
    )


def svm_get_search_params():
    """Candidates for the SVM: (learning_rates, regularization_strengths), two lists with 5 to 25 pairs in all."""
    # Choose the learning rates and regularisation strengths to try: at least 5 and at most 25 pairs in all.
    raise NotImplementedError(
        "svm_get_search_params: Choose the learning rates and regularisation strengths to try: at least 5 and at most "
        "25 pairs in all."
    )


def softmax_get_search_params():
    """Candidates for softmax: (learning_rates, regularization_strengths), two lists with 5 to 25 pairs in all."""
    # Choose the learning rates and regularisation strengths to try: at least 5 and at most 25 pairs in all.
    raise NotImplementedError(
        "softmax_get_search_params: Choose the learning rates and regularisation strengths to try: at least 5 and at "
        "most 25 pairs in all."
    )


def test_one_param_set(cls, data_dict, lr, reg, num_iters=2000):
    """Train one classifier with one pair of hyper-parameters.

    cls: an untrained instance of LinearSVM or Softmax. data_dict: X_train, y_train, X_val, y_val.
    Returns the trained cls and its accuracies on the training and the validation set, as fractions from 0 to 1.
    """
    # Train cls on the training set, and measure its accuracy on the training and on the validation set.
    raise NotImplementedError(
        "test_one_param_set: Train cls on the training set, and measure its accuracy on the training and on the "
        "validation set."
    )


class LinearClassifier(ABC):
    """What every linear classifier shares: its weights W (D, C), None before training. A subclass adds the loss."""

    def __init__(self):
        self.W = None

    def train(self, X_train, y_train, learning_rate=1e-3, reg=1e-5, num_iters=100, batch_size=200, verbose=False):
        """Train self.W on X_train (N, D) and y_train (N,); see train_linear_classifier. Returns loss_history."""
        self.W, loss_history = train_linear_classifier(
            self.loss, self.W, X_train, y_train, learning_rate, reg, num_iters, batch_size, verbose
        )
        return loss_history

    def predict(self, X):
        """The class with the highest score for every row of X (N, D): (N,) int64."""
        return predict_linear_classifier(self.W, X)

    @abstractmethod
    def loss(self, W, X_batch, y_batch, reg):
        """The loss () of the weights W (D, C) on a batch, and its gradient dW (D, C)."""

    def save(self, path):
        """Write {"W": W} to a file that load reads."""
        torch.save({"W": self.W}, path)

    def load(self, path):
        """Read W from a file that save wrote. It lies on the CPU afterwards."""
        self.W = torch.load(path, map_location="cpu", weights_only=True)["W"]


class LinearSVM(LinearClassifier):
    """A linear classifier with the multiclass hinge loss."""

    def loss(self, W, X_batch, y_batch, reg):
        """The hinge loss; see svm_loss_vectorized."""
        return svm_loss_vectorized(W, X_batch, y_batch, reg)


class Softmax(LinearClassifier):
    """A linear classifier with the cross-entropy of the softmax."""

    def loss(self, W, X_batch, y_batch, reg):
        """The cross-entropy; see softmax_loss_vectorized."""
        return softmax_loss_vectorized(W, X_batch, y_batch, reg)
