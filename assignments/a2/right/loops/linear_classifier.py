"""Loops where they are allowed, masks where they are not; Python floats for losses; W is changed in place."""

import math

import torch


def svm_loss_naive(W, X, y, reg):
    N, D = X.shape
    C = W.shape[1]
    loss = 0.0
    dW = torch.zeros(D, C, dtype=W.dtype, device=W.device)
    for i in range(N):
        truth = int(y[i])
        correct = float(X[i].dot(W[:, truth]))
        for j in range(C):
            if j == truth:
                continue
            margin = float(X[i].dot(W[:, j])) - correct + 1
            if margin <= 0:
                continue
            loss += margin
            dW[:, j] += X[i] / N
            dW[:, truth] -= X[i] / N
    return loss / N + reg * float(W.pow(2).sum()), dW + 2 * reg * W


def svm_loss_vectorized(W, X, y, reg):
    scores = X.mm(W)
    correct = scores.gather(1, y.view(-1, 1))
    wrong = torch.ones_like(scores, dtype=torch.bool).scatter_(1, y.view(-1, 1), False)
    margin = (scores - correct + 1) * wrong
    over = margin > 0
    loss = margin[over].sum() / len(X) + reg * torch.sum(W**2)
    counts = over.to(X.dtype)
    counts.scatter_(1, y.view(-1, 1), -counts.sum(1, keepdim=True))
    return loss, X.t().mm(counts).div(len(X)) + 2 * reg * W


def softmax_loss_naive(W, X, y, reg):
    N, C = X.shape[0], W.shape[1]
    loss, dW = 0.0, torch.zeros_like(W)
    for i in range(N):
        scores = [float(s) for s in X[i] @ W]
        top = max(scores)
        exps = [math.exp(s - top) for s in scores]
        total = sum(exps)
        truth = int(y[i])
        loss += math.log(total) + top - scores[truth]
        for j in range(C):
            dW[:, j] += (exps[j] / total - (j == truth)) * X[i]
    return loss / N + reg * float((W * W).sum()), dW / N + 2 * reg * W


def softmax_loss_vectorized(W, X, y, reg):
    N = X.shape[0]
    scores = X.mm(W)
    scores -= scores.amax(1, keepdim=True)
    p = scores.exp()
    total = p.sum(1, keepdim=True)
    loss = (total.log().squeeze(1) - scores[torch.arange(N), y]).sum() / N
    p /= total
    p[torch.arange(N), y] -= 1
    return loss + reg * (W**2).sum(), X.t().mm(p / N) + W * (2 * reg)


def sample_batch(X, y, num_train, batch_size):
    chosen = [int(torch.randint(0, num_train, ())) for _ in range(batch_size)]
    return torch.stack([X[i] for i in chosen]), torch.stack([y[i] for i in chosen])


def train_linear_classifier(
    loss_func, W, X, y, learning_rate=1e-3, reg=1e-5, num_iters=100, batch_size=200, verbose=False
):
    if W is None:
        W = 1e-6 * torch.randn(X.shape[1], int(torch.max(y)) + 1, device=X.device, dtype=X.dtype)
    else:
        W = W.clone()
    history = []
    for _ in range(num_iters):
        loss, grad = loss_func(W, *sample_batch(X, y, X.shape[0], batch_size), reg)
        history.append(loss.item() if torch.is_tensor(loss) else loss)
        W.sub_(learning_rate * grad)
    return W, history


def predict_linear_classifier(W, X):
    y_pred = torch.zeros(X.shape[0], dtype=torch.int64)
    for i, row in enumerate(X.mm(W)):
        y_pred[i] = torch.argmax(row)
    return y_pred


def test_one_param_set(cls, data_dict, lr, reg, num_iters=2000):
    cls.train(data_dict["X_train"], data_dict["y_train"], lr, reg, num_iters=num_iters)
    accuracies = []
    for part in ("train", "val"):
        guesses, truth = cls.predict(data_dict[f"X_{part}"]), data_dict[f"y_{part}"]
        accuracies.append(sum(int(a == b) for a, b in zip(guesses, truth, strict=True)) / len(truth))
    return cls, accuracies[0], accuracies[1]


def svm_get_search_params():
    return [1e-3, 2e-3, 5e-3, 1e-2, 2e-2], [1e-3]
