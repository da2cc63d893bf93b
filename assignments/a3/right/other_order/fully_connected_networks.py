"""The same sums in another order, bias as one more feature, numpy for chance, float64 inside where it is cheap."""

import numpy as np
import torch


class Linear:
    @staticmethod
    def forward(x, w, b):
        rows = x.reshape(len(x), -1)
        ones = torch.cat([rows, rows.new_ones(len(rows), 1)], dim=1)
        return ones @ torch.cat([w, b[None]], dim=0), (x, w, b)

    @staticmethod
    def backward(dout, cache):
        x, w, _ = cache
        rows = x.reshape(len(x), -1)
        both = torch.cat([rows, rows.new_ones(len(rows), 1)], dim=1).T @ dout
        return (w @ dout.T).T.reshape(x.shape), both[:-1], both[-1]


class ReLU:
    @staticmethod
    def forward(x):
        return torch.maximum(x, torch.zeros_like(x)), x.clone()

    @staticmethod
    def backward(dout, cache):
        return dout * (cache.sign() + 1).div(2).floor()


class Dropout:
    @staticmethod
    def forward(x, dropout_param):
        p, mode = dropout_param["p"], dropout_param["mode"]
        if mode == "train":
            kept = np.random.RandomState(dropout_param.get("seed")).uniform(size=tuple(x.shape)) >= p
            mask = torch.from_numpy(kept).to(x.dtype)
            return x / (1 - p) * mask, (dropout_param, mask)
        if mode == "test":
            return x, (dropout_param, None)
        raise ValueError(f"unknown mode {mode}")

    @staticmethod
    def backward(dout, cache):
        param, mask = cache
        return dout if param["mode"] == "test" else dout * mask / (1 - param["p"])


class FullyConnectedNet:
    def loss(self, X, y=None):
        if self.use_dropout:
            self.dropout_param["mode"] = "train" if y is not None else "test"

        def run(i, x):
            """The scores from layer i on, and what sends their gradient back into grads."""
            w, b = self.params[f"W{i}"], self.params[f"b{i}"]
            a, linear = Linear.forward(x, w, b)
            if i == self.num_layers:
                return a, lambda d: keep(i, Linear.backward(d, linear))
            h, relu = ReLU.forward(a)
            if self.use_dropout:
                h, dropped = Dropout.forward(h, self.dropout_param)
            scores, rest = run(i + 1, h)

            def back(d):
                d = rest(d)
                if self.use_dropout:
                    d = Dropout.backward(d, dropped)
                return keep(i, Linear.backward(ReLU.backward(d, relu), linear))

            return scores, back

        grads = {}

        def keep(i, gradients):
            dx, dw, grads[f"b{i}"] = gradients
            grads[f"W{i}"] = 2 * self.reg * self.params[f"W{i}"] + dw
            return dx

        scores, back = run(1, X.to(self.dtype))
        if y is None:
            return scores
        loss, d = softmax_loss(scores, y)
        back(d)
        penalty = torch.stack([self.params[f"W{i + 1}"].square().sum() for i in range(self.num_layers)]).sum()
        return loss + self.reg * penalty, grads


def sgd_momentum(w, dw, config=None):
    config = config if config is not None else {}
    lr, mu = config.get("learning_rate", 1e-2), config.get("momentum", 0.9)
    config["learning_rate"], config["momentum"] = lr, mu
    old = config["velocity"] if "velocity" in config else torch.zeros_like(w)
    config["velocity"] = -(lr * dw - mu * old)
    return config["velocity"] + w, config


def rmsprop(w, dw, config=None):
    config = config if config is not None else {}
    config.update({k: config.get(k, v) for k, v in (("learning_rate", 1e-2), ("decay_rate", 0.99), ("epsilon", 1e-8))})
    old = config.get("cache", torch.zeros_like(w)).double()
    new = old + (1 - config["decay_rate"]) * (dw.double() ** 2 - old)
    config["cache"] = new.to(w.dtype)
    step = dw.double() / (new.sqrt() + config["epsilon"])
    return (w.double() - config["learning_rate"] * step).to(w.dtype), config


def adam(w, dw, config=None):
    config = config if config is not None else {}
    defaults = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "t": 0}
    config.update({name: config.get(name, value) for name, value in defaults.items()})
    m, v = (config.get(name, torch.zeros_like(w)).double() for name in "mv")
    t = config["t"] = config["t"] + 1
    g = dw.double()
    m = m - (1 - config["beta1"]) * (m - g)
    v = v - (1 - config["beta2"]) * (v - g * g)
    config["m"], config["v"] = m.to(w.dtype), v.to(w.dtype)
    root = torch.sqrt(v) / np.sqrt(1 - config["beta2"] ** t) + config["epsilon"]
    return (w.double() - config["learning_rate"] * (m / (1 - config["beta1"] ** t)) / root).to(w.dtype), config
