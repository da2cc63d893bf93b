"""Everything is computed in float64 and brought back; numpy where it is at hand; other orders of the same sums."""

import numpy as np
import torch


def svm_loss_naive(W, X, y, reg):
    W64, X64 = W.double(), X.double()
    loss, d = 0.0, torch.zeros(len(X), W.shape[1], dtype=torch.float64)
    for i in range(len(X)):
        s = W64.T @ X64[i]
        for j in range(len(s)):
            if j != int(y[i]) and s[j] - s[y[i]] > -1:
                loss += float(s[j] - s[y[i]]) + 1
                d[i, j] += 1
                d[i, y[i]] -= 1
    loss = loss / len(X) + reg * float((W64**2).sum())
    return torch.tensor(loss, dtype=W.dtype), (X64.T @ d / len(X) + 2 * reg * W64).to(W.dtype)


def svm_loss_vectorized(W, X, y, reg):
    W64, X64 = W.double(), X.double()
    scores = (W64.T @ X64.T).T
    margins = torch.relu(1 + scores - torch.take_along_dim(scores, y[:, None], dim=1))
    rivals = torch.arange(W.shape[1]) != y[:, None]
    loss = (margins * rivals).sum(dim=1).mean() + reg * W64.square().sum()
    hit = (margins > 0) & rivals
    d = hit.double() - (~rivals) * hit.sum(dim=1, keepdim=True)
    return loss.to(W.dtype), ((d.T @ X64).T / len(X) + reg * 2 * W64).to(W.dtype)


def softmax_loss_naive(W, X, y, reg):
    loss, dW = np.float64(0), np.zeros(tuple(W.shape))
    for x, label in zip(X.double().numpy(), y.tolist(), strict=True):
        scores = x @ W.double().numpy()
        shifted = scores - scores.max()
        p = np.exp(shifted) / np.exp(shifted).sum()
        loss += np.log(np.exp(shifted).sum()) - shifted[label]
        for j, share in enumerate(p):
            dW[:, j] += (share - (j == label)) * x
    loss = loss / len(X) + reg * float((W.double() ** 2).sum())
    return torch.tensor(loss, dtype=W.dtype), torch.from_numpy(dW / len(X)).to(W.dtype) + 2 * reg * W


def softmax_loss_vectorized(W, X, y, reg):
    W64, X64, rows = W.double(), X.double(), torch.arange(len(X))
    log_p = (X64 @ W64).log_softmax(dim=1)
    d = log_p.exp()
    d[rows, y] = d[rows, y] - 1
    loss = reg * (W64 * W64).sum() - log_p[rows, y].sum() / len(X)
    return loss.to(W.dtype), (2 * reg * W64 + (X64 / len(X)).T @ d).to(W.dtype)


def sample_batch(X, y, num_train, batch_size):
    index = torch.from_numpy(np.random.randint(0, num_train, size=batch_size))
    return X[index], y[index]


def train_linear_classifier(
    loss_func, W, X, y, learning_rate=1e-3, reg=1e-5, num_iters=100, batch_size=200, verbose=False
):
    if W is None:
        W = torch.zeros(X.shape[1], int(y.max()) + 1, device=X.device, dtype=X.dtype)
        W += 1e-6 * torch.randn_like(W)
    history = [0.0] * num_iters
    for it in range(num_iters):
        X_batch, y_batch = sample_batch(X, y, len(X), batch_size)
        loss, dW = loss_func(W, X_batch, y_batch, reg)
        history[it] = float(loss)
        W = W + (-learning_rate * dW)
    return W, history


def predict_linear_classifier(W, X):
    return torch.from_numpy(np.argmax((X.double() @ W.double()).numpy(), axis=1))


def test_one_param_set(cls, data_dict, lr, reg, num_iters=2000):
    X, y = data_dict["X_train"], data_dict["y_train"]
    cls.W, _ = train_linear_classifier(cls.loss, None, X, y, lr, reg, num_iters)
    guesses = {part: predict_linear_classifier(cls.W, data_dict[f"X_{part}"]) for part in ("train", "val")}
    right = [np.mean((guess == data_dict[f"y_{part}"]).numpy()) for part, guess in guesses.items()]
    return cls, float(right[0]), float(right[1])


def svm_get_search_params():
    return (0.002, 0.004, 0.008), (1e-4, 1e-3)


def softmax_get_search_params():
    return list(np.array([0.01, 0.05, 0.1])), list(np.array([1e-4, 1e-3]))
