"""Sums of products as einsum, masks by comparison, updates within new tensors."""

import torch


class Linear:
    @staticmethod
    def forward(x, w, b):
        return torch.einsum("nd,dm->nm", x.flatten(1), w) + b[None, :], [x, w]

    @staticmethod
    def backward(dout, cache):
        x, w = cache
        dx = torch.einsum("nm,dm->nd", dout, w).view_as(x)
        return dx, torch.einsum("nd,nm->dm", x.flatten(1), dout), torch.einsum("nm->m", dout)


class ReLU:
    @staticmethod
    def forward(x):
        return (x + x.abs()) / 2, x > 0

    @staticmethod
    def backward(dout, cache):
        return torch.where(cache, dout, torch.zeros_like(dout))


class Dropout:
    @staticmethod
    def forward(x, dropout_param):
        p, mode, seed = dropout_param["p"], dropout_param["mode"], dropout_param.get("seed")
        if mode not in ("train", "test"):
            raise ValueError(mode)
        mask = torch.ones_like(x)
        if mode == "train":
            if seed is not None:
                torch.manual_seed(seed)
            mask = torch.bernoulli(torch.full_like(x, 1 - p)).div(1 - p)
        return x * mask, (dropout_param, mask)

    @staticmethod
    def backward(dout, cache):
        return dout * cache[1]


class TwoLayerNet:
    def loss(self, X, y=None):
        p = self.params
        h, first = Linear_ReLU.forward(X, p["W1"], p["b1"])
        scores, second = Linear.forward(h, p["W2"], p["b2"])
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        dh, dW2, db2 = Linear.backward(dscores, second)
        _, dW1, db1 = Linear_ReLU.backward(dh, first)
        grads = {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
        for name in ("W1", "W2"):
            grads[name] = torch.add(grads[name], p[name], alpha=2 * self.reg)
        return loss + self.reg * sum(p[name].norm() ** 2 for name in ("W1", "W2")), grads


def sgd_momentum(w, dw, config=None):
    config = dict(config or {})
    lr, mu = config.setdefault("learning_rate", 1e-2), config.setdefault("momentum", 0.9)
    config["velocity"] = mu * config.get("velocity", 0 * w) - lr * dw
    return w + config["velocity"], config


def rmsprop(w, dw, config=None):
    config = {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8, **(config or {})}
    config["cache"] = torch.lerp(dw.square(), config.get("cache", torch.zeros_like(w)), config["decay_rate"])
    return w.addcdiv(dw, config["cache"].sqrt().add(config["epsilon"]), value=-config["learning_rate"]), config


def adam(w, dw, config=None):
    config = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "t": 0, **(config or {})}
    b1, b2, t = config["beta1"], config["beta2"], config["t"] + 1
    m = torch.lerp(dw, config.get("m", torch.zeros_like(w)), b1)
    v = torch.lerp(dw.square(), config.get("v", torch.zeros_like(w)), b2)
    config.update(m=m, v=v, t=t)
    denominator = (v / (1 - b2**t)).sqrt() + config["epsilon"]
    return w - config["learning_rate"] / (1 - b1**t) * m / denominator, config
