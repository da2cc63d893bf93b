"""Sums of products as einsum, one-hot labels, logsumexp."""

import torch


def _one_hot(y, W):
    return torch.nn.functional.one_hot(y, W.shape[1]).to(W.dtype)


def _penalised(loss, dW, W, reg):
    return loss + reg * torch.einsum("dc,dc->", W, W), dW + 2 * reg * W


def svm_loss_naive(W, X, y, reg):
    loss, dW = 0, torch.zeros_like(W)
    for x, label in zip(X, y, strict=True):
        scores = torch.einsum("d,dc->c", x, W)
        for j, score in enumerate(scores):
            margin = torch.clamp(score - scores[label] + 1, min=0)
            if j != label and margin > 0:
                loss = loss + margin
                dW[:, j] += x
                dW[:, label] -= x
    return _penalised(loss / len(X), dW / len(X), W, reg)


def svm_loss_vectorized(W, X, y, reg):
    truth = _one_hot(y, W)
    scores = torch.einsum("nd,dc->nc", X, W)
    margins = scores - (scores * truth).sum(dim=1, keepdim=True) + 1 - truth
    active = (margins > 0).to(W.dtype)
    d = active - active.sum(dim=1, keepdim=True) * truth
    loss = torch.einsum("nc,nc->", active, margins) / len(X)
    return _penalised(loss, torch.einsum("nd,nc->dc", X, d) / len(X), W, reg)


def softmax_loss_naive(W, X, y, reg):
    loss, dW = torch.zeros((), dtype=W.dtype), torch.zeros_like(W)
    for x, label in zip(X, y, strict=True):
        scores = x @ W
        log_p = scores - torch.logsumexp(scores, dim=0)
        loss -= log_p[label]
        for j in range(W.shape[1]):
            dW[:, j] += (log_p[j].exp() - float(j == label)) * x
    return _penalised(loss / len(X), dW / len(X), W, reg)


def softmax_loss_vectorized(W, X, y, reg):
    truth, scores = _one_hot(y, W), torch.einsum("nd,dc->nc", X, W)
    log_p = scores - torch.logsumexp(scores, dim=1, keepdim=True)
    loss = -torch.einsum("nc,nc->", truth, log_p) / len(X)
    return _penalised(loss, torch.einsum("nd,nc->dc", X, log_p.exp() - truth) / len(X), W, reg)


def sample_batch(X, y, num_train, batch_size):
    index = (torch.rand(batch_size) * num_train).long()
    return X.index_select(0, index), y.index_select(0, index)


def train_linear_classifier(
    loss_func, W, X, y, learning_rate=1e-3, reg=1e-5, num_iters=100, batch_size=200, verbose=False
):
    N, D = X.shape
    if W is None:
        W = 1e-6 * torch.randn(D, int(y.max()) + 1, device=X.device, dtype=X.dtype)
    losses = []
    while len(losses) < num_iters:
        Xb, yb = sample_batch(X, y, N, batch_size)
        loss, dW = loss_func(W, Xb, yb, reg)
        losses.append(float(loss))
        W = torch.add(W, dW, alpha=-learning_rate)
    return W, losses


def predict_linear_classifier(W, X):
    return torch.einsum("nd,dc->nc", X, W).max(dim=1)[1]


def test_one_param_set(cls, data_dict, lr, reg, num_iters=2000):
    cls.train(data_dict["X_train"], data_dict["y_train"], learning_rate=lr, reg=reg, num_iters=num_iters)
    train = 100 * (cls.predict(data_dict["X_train"]) == data_dict["y_train"]).float().mean().item()
    val = 100 * (cls.predict(data_dict["X_val"]) == data_dict["y_val"]).float().mean().item()
    return cls, train, val


def softmax_get_search_params():
    return [0.05], [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
