"""Sums of products as einsum, one-hot labels, logsumexp; new tensors instead of changed ones where that is allowed."""

import itertools

import torch
from linear_classifier import sample_batch


def nn_forward_pass(params, X):
    before = torch.einsum("nd,dh->nh", X, params["W1"]) + params["b1"]
    hidden = torch.where(before > 0, before, torch.zeros_like(before))
    return torch.einsum("nh,hc->nc", hidden, params["W2"]) + params["b2"], hidden


def nn_forward_backward(params, X, y=None, reg=0.0):
    scores, hidden = nn_forward_pass(params, X)
    if y is None:
        return scores
    truth = torch.nn.functional.one_hot(y, scores.shape[1]).to(scores.dtype)
    log_p = scores - torch.logsumexp(scores, dim=1, keepdim=True)
    weights = [params["W1"], params["W2"]]
    loss = -(truth * log_p).sum(dim=1).mean() + reg * sum(torch.einsum("ij,ij->", W, W) for W in weights)
    d = (log_p.exp() - truth) / len(X)
    dh = torch.einsum("nc,hc->nh", d, params["W2"]) * hidden.sign()
    return loss, {
        "W1": torch.einsum("nd,nh->dh", X, dh) + 2 * reg * params["W1"],
        "b1": torch.einsum("nh->h", dh),
        "W2": torch.einsum("nh,nc->hc", hidden, d) + 2 * reg * params["W2"],
        "b2": torch.einsum("nc->c", d),
    }


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
    N = X.shape[0]
    epoch = max(N // batch_size, 1)
    losses, train_accs, val_accs = [], [], []
    for it in range(num_iters):
        Xb, yb = sample_batch(X, y, N, batch_size)
        loss, grads = loss_func(params, Xb, y=yb, reg=reg)
        losses.append(float(loss))
        for name, value in params.items():
            value.add_(grads[name], alpha=-learning_rate)
        if it % epoch == 0:
            for accs, rows, labels in ((train_accs, Xb, yb), (val_accs, X_val, y_val)):
                accs.append(float((pred_func(params, loss_func, rows) == labels).sum()) / len(labels))
            learning_rate = learning_rate * learning_rate_decay
    return {"loss_history": losses, "train_acc_history": train_accs, "val_acc_history": val_accs}


def nn_predict(params, loss_func, X):
    return torch.topk(loss_func(params, X), 1, dim=1).indices.squeeze(1)


def find_best_net(data_dict, get_param_set_fn):
    results = []
    X, y = data_dict["X_train"], data_dict["y_train"]
    classes = len(torch.unique(y))
    for lr, size, reg, decay in itertools.product(*get_param_set_fn()):
        net = TwoLayerNet(X.shape[1], size, classes, dtype=X.dtype, device=X.device, std=0.1)
        stat = net.train(
            X, y, data_dict["X_val"], data_dict["y_val"], learning_rate=lr, learning_rate_decay=decay, reg=reg,
            num_iters=300, batch_size=40,
        )  # fmt: skip
        val = (net.predict(data_dict["X_val"]) == data_dict["y_val"]).double().mean().item()
        results.append((val, net, stat))
    val, net, stat = max(results, key=lambda result: result[0])
    return net, stat, val
