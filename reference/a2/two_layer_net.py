"""A network of two layers: linear, ReLU, linear, softmax.

    hidden = max(0, X W1 + b1)        (N, H)
    scores = hidden W2 + b2           (N, C)
    loss   = mean cross-entropy of softmax(scores) against y  +  reg (sum W1^2 + sum W2^2)

Letters: N rows in a batch, D features, H hidden units, C classes. The parameters are one dictionary with the keys
W1 (D, H), b1 (H,), W2 (H, C) and b2 (C,).
"""

from itertools import product

import torch
from linear_classifier import sample_batch


class TwoLayerNet:
    """The parameters of a network, and the functions of this module applied to them."""

    def __init__(self, input_size, hidden_size, output_size, dtype=torch.float32, device="cpu", std=1e-4):
        """Weights are normal with standard deviation std, biases zero. The sizes are D, H and C."""
        self.params = {
            "W1": std * torch.randn(input_size, hidden_size, dtype=dtype, device=device),
            "b1": torch.zeros(hidden_size, dtype=dtype, device=device),
            "W2": std * torch.randn(hidden_size, output_size, dtype=dtype, device=device),
            "b2": torch.zeros(output_size, dtype=dtype, device=device),
        }

    def loss(self, X, y=None, reg=0.0):
        """Scores, or the loss and the gradients; see nn_forward_backward."""
        return nn_forward_backward(self.params, X, y, reg)

    def train(
        self,
        X,
        y,
        X_val,
        y_val,
        learning_rate=1e-3,
        learning_rate_decay=0.95,
        reg=5e-6,
        num_iters=100,
        batch_size=200,
        verbose=False,
    ):
        """Train self.params; see nn_train. Returns its dictionary of histories."""
        settings = (learning_rate, learning_rate_decay, reg, num_iters, batch_size, verbose)
        return nn_train(self.params, nn_forward_backward, nn_predict, X, y, X_val, y_val, *settings)

    def predict(self, X):
        """The class with the highest score for every row of X (N, D): (N,) int64."""
        return nn_predict(self.params, nn_forward_backward, X)

    def save(self, path):
        """Write the parameters to a file that load reads."""
        torch.save(self.params, path)

    def load(self, path):
        """Read the parameters from a file that save wrote, onto the device of the present ones."""
        self.params = torch.load(path, map_location=self.params["W1"].device, weights_only=True)


def nn_forward_pass(params, X):
    """The first half of the network's work: from the rows to the scores.

    params: the dictionary of parameters. X: (N, D).
    Returns scores (N, C), and hidden (N, H) after the ReLU, which the backward pass needs again.
    """
    # [task] Compute hidden and scores. The ReLU has to be your own: torch.relu and torch.nn are not allowed.
    hidden = (X @ params["W1"] + params["b1"]).clamp(min=0)  # (N, H)
    scores = hidden @ params["W2"] + params["b2"]  # (N, C)
    return scores, hidden
    # [end]


def nn_forward_backward(params, X, y=None, reg=0.0):
    """The scores, or, where labels are given, the loss and its gradients.

    params: the dictionary of parameters. X: (N, D), y: (N,) or None.
    reg: strength of the penalty reg * (sum W1^2 + sum W2^2), which has no factor 1/2 and leaves the biases alone.
    Returns scores (N, C) if y is None; otherwise the loss () and grads, a dictionary with the keys of params, where
    grads[name] has the shape of params[name].
    """
    # [task] Compute the scores, and return them if y is None. Otherwise compute the loss, mean cross-entropy plus
    # penalty, so that large scores do not overflow. Then go backwards through the network, and compute the gradient of
    # the loss for every parameter. Return the loss and the gradients.

    scores, hidden = nn_forward_pass(params, X)
    if y is None:
        return scores

    N = X.shape[0]
    W1, W2 = params["W1"], params["W2"]
    rows = torch.arange(N, device=X.device)
    scores = scores - scores.max(dim=1, keepdim=True).values  # softmax does not notice, and exp cannot overflow
    log_p = scores - scores.exp().sum(dim=1, keepdim=True).log()  # (N, C)
    loss = -log_p[rows, y].mean() + reg * ((W1 * W1).sum() + (W2 * W2).sum())

    # Backwards, one line of the forward pass at a time. For out = in W + b, the chain rule reads
    #     dW = in^T dout,    db = sum of dout over the rows,    din = dout W^T
    # and the ReLU lets the gradient through where it let the number through.
    dscores = log_p.exp()  # (N, C)
    dscores[rows, y] -= 1
    dscores /= N  # d loss / d scores = (p - onehot(y)) / N
    dhidden = dscores @ W2.T * (hidden > 0)  # (N, H), before the ReLU
    grads = {
        "W1": X.T @ dhidden + 2 * reg * W1,
        "b1": dhidden.sum(dim=0),
        "W2": hidden.T @ dscores + 2 * reg * W2,
        "b2": dscores.sum(dim=0),
    }
    return loss, grads
    # [end]


def nn_train(
    params,
    loss_func,
    pred_func,
    X,
    y,
    X_val,
    y_val,
    learning_rate=1e-3,
    learning_rate_decay=0.95,
    reg=5e-6,
    num_iters=100,
    batch_size=200,
    verbose=False,
):
    """Train a network by stochastic gradient descent. The tensors in params are changed in place.

    loss_func: called as loss_func(params, X_batch, y=y_batch, reg=reg), returns the loss and grads.
    pred_func: called as pred_func(params, loss_func, X), returns the predicted labels.
    X: (N, D), y: (N,) to train on; X_val, y_val to validate on.
    learning_rate_decay: factor on the learning rate after every epoch, that is, every N // batch_size iterations.
    Returns a dictionary of lists: loss_history, one float per iteration; train_acc_history (on the batch) and
    val_acc_history, fractions from 0 to 1, one per epoch begun.
    """
    num_train = X.shape[0]
    iterations_per_epoch = max(num_train // batch_size, 1)
    loss_history, train_acc_history, val_acc_history = [], [], []
    for it in range(num_iters):
        # [task] Sample a batch with sample_batch, compute its loss and gradients, append the loss to loss_history as a
        # float, and move every tensor in params one step of size learning_rate against its gradient. In every iteration
        # that begins an epoch, the first one included, then append the two accuracies and decay the learning rate.

        X_batch, y_batch = sample_batch(X, y, num_train, batch_size)
        loss, grads = loss_func(params, X_batch, y=y_batch, reg=reg)
        loss_history.append(float(loss))
        for name in params:
            params[name] -= learning_rate * grads[name]
        if it % iterations_per_epoch == 0:
            train_acc_history.append((pred_func(params, loss_func, X_batch) == y_batch).double().mean().item())
            val_acc_history.append((pred_func(params, loss_func, X_val) == y_val).double().mean().item())
            learning_rate *= learning_rate_decay
        # [end]

        if verbose and it % 100 == 0:
            print(f"iteration {it} / {num_iters}: loss {loss_history[-1]:.6f}")
    return {
        "loss_history": loss_history,
        "train_acc_history": train_acc_history,
        "val_acc_history": val_acc_history,
    }


def nn_predict(params, loss_func, X):
    """The class with the highest score for every row of X (N, D): (N,) int64.

    loss_func: called as loss_func(params, X), returns scores (N, C).
    """
    # [task] Get the scores from loss_func, and return for each row the class that scores highest.
    return loss_func(params, X).argmax(dim=1)
    # [end]


def nn_get_search_params():
    """Candidates for the network, fewer than 256 combinations in all.

    Returns four lists: learning_rates, hidden_sizes, regularization_strengths, learning_rate_decays.
    """
    # [task] Choose the hyper-parameters to try: fewer than 256 combinations in all.
    learning_rates = [0.1, 0.2]
    hidden_sizes = [256]
    regularization_strengths = [1e-3]
    learning_rate_decays = [0.9]
    return learning_rates, hidden_sizes, regularization_strengths, learning_rate_decays
    # [end]


def find_best_net(data_dict, get_param_set_fn):
    """Train one network per combination of hyper-parameters, and keep the best on the validation set.

    data_dict: X_train, y_train, X_val, y_val. get_param_set_fn: returns lists as nn_get_search_params does.
    Returns the best TwoLayerNet, the dictionary that nn_train returned for it, and its validation accuracy at the end
    of training, a fraction from 0 to 1.
    """
    # [task] Train a TwoLayerNet for every combination of the lists that get_param_set_fn returns, and keep the one with
    # the highest accuracy on the validation set.

    X, y = data_dict["X_train"], data_dict["y_train"]
    X_val, y_val = data_dict["X_val"], data_dict["y_val"]
    (N, D), C = X.shape, int(y.max()) + 1
    batch_size = min(200, max(N // 20, 1))  # smaller where rows are few: an epoch needs some steps
    num_iters = 15 * (N // batch_size)  # 15 epochs
    best_net, best_stat, best_val_acc = None, None, -1.0
    for lr, H, reg, decay in product(*get_param_set_fn()):
        # A ReLU halves the mean square of what it is given; the factor 2 makes up for it (He et al., 2015).
        net = TwoLayerNet(D, H, C, dtype=X.dtype, device=X.device, std=(2 / D) ** 0.5)
        stat = net.train(X, y, X_val, y_val, lr, decay, reg, num_iters, batch_size)
        val_acc = (net.predict(X_val) == y_val).double().mean().item()
        if val_acc > best_val_acc:
            best_net, best_stat, best_val_acc = net, stat, val_acc
    return best_net, best_stat, best_val_acc
    # [end]
