"""Row by row, and unit by unit where it is cheap; parameters are changed within their own storage."""

import torch
from linear_classifier import sample_batch


def nn_forward_pass(params, X):
    W1, b1, W2, b2 = params["W1"], params["b1"], params["W2"], params["b2"]
    hidden = X.mm(W1) + b1
    hidden[hidden < 0] = 0
    scores = hidden.mm(W2) + b2
    return scores, hidden


def nn_forward_backward(params, X, y=None, reg=0.0):
    scores, hidden = nn_forward_pass(params, X)
    if y is None:
        return scores
    N = X.shape[0]
    W1, W2 = params["W1"], params["W2"]
    shifted = scores - scores.max(dim=1).values.view(N, 1)
    p = shifted.exp()
    p = p / p.sum(dim=1).view(N, 1)
    loss = 0.0
    for i in range(N):
        loss = loss - torch.log(p[i, y[i]])
    loss = loss / N + reg * (torch.sum(W1 * W1) + torch.sum(W2 * W2))
    d = p.clone()
    for i in range(N):
        d[i, y[i]] -= 1.0
    d = d / N
    grads = {"W2": hidden.t().mm(d) + 2 * reg * W2, "b2": d.sum(0)}
    dh = d.mm(W2.t())
    dh[hidden == 0] = 0
    grads["W1"] = X.t().mm(dh) + 2 * reg * W1
    grads["b1"] = dh.sum(0)
    return loss, grads


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
    per_epoch = max(X.shape[0] // batch_size, 1)
    stats = {"loss_history": [], "train_acc_history": [], "val_acc_history": []}
    for it in range(num_iters):
        X_batch, y_batch = sample_batch(X, y, X.shape[0], batch_size)
        loss, grads = loss_func(params, X_batch, y=y_batch, reg=reg)
        stats["loss_history"].append(loss.item())
        params["W1"] -= learning_rate * grads["W1"]
        params["b1"] -= learning_rate * grads["b1"]
        params["W2"] -= learning_rate * grads["W2"]
        params["b2"] -= learning_rate * grads["b2"]
        if it % per_epoch == 0:
            train_acc = (pred_func(params, loss_func, X_batch) == y_batch).float().mean().item()
            val_acc = (pred_func(params, loss_func, X_val) == y_val).float().mean().item()
            stats["train_acc_history"].append(train_acc)
            stats["val_acc_history"].append(val_acc)
            learning_rate *= learning_rate_decay
    return stats


def nn_predict(params, loss_func, X):
    scores = loss_func(params, X)
    return torch.stack([row.argmax() for row in scores])


def nn_get_search_params():
    return [0.05, 0.1], [128, 256], [1e-4, 1e-3], [0.95]


def find_best_net(data_dict, get_param_set_fn):
    best = (None, None, 0.0)
    X, y, X_val, y_val = (data_dict[name] for name in ("X_train", "y_train", "X_val", "y_val"))
    lrs, sizes, regs, decays = get_param_set_fn()
    for lr in lrs:
        for size in sizes:
            for reg in regs:
                for decay in decays:
                    net = TwoLayerNet(X.shape[1], size, 10, dtype=X.dtype, device=X.device, std=1e-2)
                    stats = net.train(X, y, X_val, y_val, lr, decay, reg, num_iters=400, batch_size=50)
                    accuracy = (net.predict(X_val) == y_val).float().mean().item()
                    if best[0] is None or accuracy > best[2]:
                        best = (net, stats, accuracy)
    return best
