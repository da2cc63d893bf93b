"""Everything but the loss is brought back from float64; the backward pass goes unit by unit through transposes."""

import numpy as np
import torch
from linear_classifier import sample_batch


def nn_forward_pass(params, X):
    p = {name: value.double() for name, value in params.items()}
    hidden = torch.maximum(torch.addmm(p["b1"], X.double(), p["W1"]), torch.zeros((), dtype=torch.float64))
    return torch.addmm(p["b2"], hidden, p["W2"]).to(X.dtype), hidden.to(X.dtype)


def nn_forward_backward(params, X, y=None, reg=0.0):
    if y is None:
        return nn_forward_pass(params, X)[0]
    p = {name: value.double() for name, value in params.items()}
    X64, rows = X.double(), np.arange(len(X))
    scores, hidden = nn_forward_pass(p, X64)
    log_p = scores.log_softmax(dim=1)
    loss = -log_p[rows, y.numpy()].mean() + reg * sum(p[name].square().sum() for name in ("W1", "W2"))
    up = log_p.exp().T / len(X)  # (C, N)
    up[y, torch.arange(len(X))] -= 1 / len(X)
    down = (p["W2"] @ up) * (hidden.T > 0)  # (H, N)
    grads = {
        "W1": (down @ X64).T + 2 * reg * p["W1"],
        "b1": down.sum(dim=1),
        "W2": (up @ hidden).T + 2 * reg * p["W2"],
        "b2": up.sum(dim=1),
    }
    return loss, {name: value.to(X.dtype) for name, value in grads.items()}


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
    epoch = max(len(X) // batch_size, 1)
    stats = {name: [] for name in ("loss_history", "train_acc_history", "val_acc_history")}
    for it in range(num_iters):
        rate = learning_rate * learning_rate_decay ** -(-it // epoch)
        X_batch, y_batch = sample_batch(X, y, len(X), batch_size)
        loss, grads = loss_func(params, X_batch, y=y_batch, reg=reg)
        stats["loss_history"].append(float(loss))
        for name in sorted(params):
            params[name].copy_(params[name] - rate * grads[name])
        if it % epoch == 0:
            for which, x, truth in (("train", X_batch, y_batch), ("val", X_val, y_val)):
                stats[f"{which}_acc_history"].append(np.mean((pred_func(params, loss_func, x) == truth).numpy()).item())
    return stats


def nn_predict(params, loss_func, X):
    return loss_func(params, X).max(dim=1).indices


def nn_get_search_params():
    return (0.1,), (64, 128, 256), (1e-3, 1e-4), (0.9, 0.95, 1.0)


def find_best_net(data_dict, get_param_set_fn):
    X, y = data_dict["X_train"], data_dict["y_train"]
    best_net, best_stat, best_val_acc = None, None, -np.inf
    grid = np.meshgrid(*[np.arange(len(values)) for values in get_param_set_fn()], indexing="ij")
    for places in zip(*(axis.ravel() for axis in grid), strict=True):
        lr, size, reg, decay = (values[i] for values, i in zip(get_param_set_fn(), places, strict=True))
        net = TwoLayerNet(X.shape[1], size, int(y.max() + 1), dtype=X.dtype, device=X.device, std=0.05)
        stat = net.train(X, y, data_dict["X_val"], data_dict["y_val"], lr, decay, reg, 350, 64)
        val_acc = float(torch.sum(net.predict(data_dict["X_val"]) == data_dict["y_val"])) / len(data_dict["y_val"])
        if val_acc > best_val_acc:
            best_net, best_stat, best_val_acc = net, stat, val_acc
    return best_net, best_stat, best_val_acc
