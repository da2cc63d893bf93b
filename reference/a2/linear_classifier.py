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
    # [task] Loop over the rows and the classes. Add up the hinge losses and, beside them, what each contributes to dW.
    # Then take the mean over the rows, and add the regularisation to both.

    # Where a margin s_j - s_y + 1 is positive, the loss grows with s_j = x.W[:, j] and falls with s_y = x.W[:, y]:
    # column j of the gradient gets +x, and column y gets -x. Where it is not, nothing happens.
    N, C = X.shape[0], W.shape[1]
    loss = W.new_zeros(())
    dW = torch.zeros_like(W)
    for i in range(N):
        scores = X[i] @ W  # (C,)
        for j in range(C):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    loss = loss / N + reg * (W * W).sum()
    dW = dW / N + 2 * reg * W
    return loss, dW
    # [end]


def svm_loss_vectorized(W, X, y, reg):
    """Multiclass hinge loss and its gradient, without Python loops; arguments and results as in svm_loss_naive."""
    # [task] Compute the loss and dW of svm_loss_naive without a Python loop.

    # The naive version adds +x_i or -x_i to columns of dW. Counting how often, in dscores (N, C), leaves one product.
    N = X.shape[0]
    rows = torch.arange(N, device=X.device)
    scores = X @ W  # (N, C)
    margins = (scores - scores[rows, y][:, None] + 1).clamp(min=0)  # (N, C)
    margins[rows, y] = 0  # the true class is no rival of itself
    loss = margins.sum() / N + reg * (W * W).sum()

    dscores = (margins > 0).to(X.dtype)  # (N, C)
    dscores[rows, y] = -dscores.sum(dim=1)
    dW = X.T @ dscores / N + 2 * reg * W
    return loss, dW
    # [end]


def softmax_loss_naive(W, X, y, reg):
    """Cross-entropy of the softmax of the scores, and its gradient, with explicit loops.

    Softmax turns scores s into probabilities p_j = exp(s_j) / sum_k exp(s_k); a row with label y costs -log p_y.

    W: (D, C), X: (N, D), y: (N,), reg: strength of the penalty reg * sum(W * W), which has no factor 1/2.
    Returns the loss () and dW (D, C), the gradient of the loss at W. Scores of any size give finite results.
    """
    # [task] Loop over the rows and the classes. Add up the cross-entropies and what each contributes to dW.
    # Then take the mean over the rows, and add the regularisation to both.
    # Take care that large scores do not overflow in the exponential.

    # With L = -log p_y = log sum_k exp(s_k) - s_y, the derivative is
    #     dL/ds_j = exp(s_j) / sum_k exp(s_k) - [j = y] = p_j - [j = y]
    # and s_j = x.W[:, j] hands it on to column j of the gradient, times x.
    # Softmax does not change when a constant is taken from all scores. With the largest taken, no exp exceeds 1.
    N, C = X.shape[0], W.shape[1]
    loss = W.new_zeros(())
    dW = torch.zeros_like(W)
    for i in range(N):
        scores = X[i] @ W  # (C,)
        scores = scores - scores.max()
        log_sum = scores.exp().sum().log()
        loss += log_sum - scores[y[i]]
        for j in range(C):
            p = (scores[j] - log_sum).exp()
            dW[:, j] += (p - 1) * X[i] if j == y[i] else p * X[i]
    loss = loss / N + reg * (W * W).sum()
    dW = dW / N + 2 * reg * W
    return loss, dW
    # [end]


def softmax_loss_vectorized(W, X, y, reg):
    """Softmax cross-entropy and its gradient, without Python loops; arguments and results as in softmax_loss_naive."""
    # [task] Compute the loss and dW of softmax_loss_naive without a Python loop, and as safely for large scores.

    N = X.shape[0]
    rows = torch.arange(N, device=X.device)
    scores = X @ W  # (N, C)
    scores = scores - scores.max(dim=1, keepdim=True).values
    log_p = scores - scores.exp().sum(dim=1, keepdim=True).log()  # (N, C)
    loss = -log_p[rows, y].mean() + reg * (W * W).sum()

    dscores = log_p.exp()  # (N, C): p_j - [j = y], see softmax_loss_naive
    dscores[rows, y] -= 1
    dW = X.T @ dscores / N + 2 * reg * W
    return loss, dW
    # [end]


def sample_batch(X, y, num_train, batch_size):
    """Draw batch_size rows with replacement from the first num_train rows of X and y.

    X: (num_train, D), y: (num_train,). Returns X_batch (batch_size, D) and y_batch (batch_size,).
    """
    # [task] Draw batch_size random indices below num_train, with replacement, and return these rows of X and y.
    index = torch.randint(num_train, (batch_size,), device=X.device)
    return X[index], y[index]
    # [end]


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
        # [task] Sample a batch, compute its loss and gradient, append the loss to loss_history as a float,
        # and take one step of size learning_rate against the gradient.
        X_batch, y_batch = sample_batch(X, y, num_train, batch_size)
        loss, dW = loss_func(W, X_batch, y_batch, reg)
        loss_history.append(float(loss))
        W = W - learning_rate * dW
        # [end]

        if verbose and it % 100 == 0:
            print(f"iteration {it} / {num_iters}: loss {loss_history[-1]:.6f}")
    return W, loss_history


def predict_linear_classifier(W, X):
    """The class with the highest score for every row. W: (D, C), X: (N, D). Returns y_pred (N,) int64."""
    # [task] Compute the scores of all rows, and return for each row the class that scores highest.
    return (X @ W).argmax(dim=1)
    # [end]


def svm_get_search_params():
    """Candidates for the SVM: (learning_rates, regularization_strengths), two lists with 5 to 25 pairs in all."""
    # [task] Choose the learning rates and regularisation strengths to try: at least 5 and at most 25 pairs in all.
    learning_rates = [3e-3, 5e-3, 1e-2]
    regularization_strengths = [1e-3, 1e-2]
    return learning_rates, regularization_strengths
    # [end]


def softmax_get_search_params():
    """Candidates for softmax: (learning_rates, regularization_strengths), two lists with 5 to 25 pairs in all."""
    # [task] Choose the learning rates and regularisation strengths to try: at least 5 and at most 25 pairs in all.
    learning_rates = [3e-2, 5e-2, 1e-1]
    regularization_strengths = [1e-4, 1e-3]
    return learning_rates, regularization_strengths
    # [end]


def test_one_param_set(cls, data_dict, lr, reg, num_iters=2000):
    """Train one classifier with one pair of hyper-parameters.

    cls: an untrained instance of LinearSVM or Softmax. data_dict: X_train, y_train, X_val, y_val.
    Returns the trained cls and its accuracies on the training and the validation set, as fractions from 0 to 1.
    """
    # [task] Train cls on the training set, and measure its accuracy on the training and on the validation set.
    cls.train(data_dict["X_train"], data_dict["y_train"], learning_rate=lr, reg=reg, num_iters=num_iters)
    train_acc = (cls.predict(data_dict["X_train"]) == data_dict["y_train"]).double().mean().item()
    val_acc = (cls.predict(data_dict["X_val"]) == data_dict["y_val"]).double().mean().item()
    return cls, train_acc, val_acc
    # [end]


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
