"""Example by example and number by number where sizes are small; caches are dicts and lists."""

import torch


class Linear:
    @staticmethod
    def forward(x, w, b):
        out = torch.zeros(x.shape[0], w.shape[1], dtype=x.dtype, device=x.device)
        for i in range(x.shape[0]):
            out[i] = x[i].flatten() @ w
            out[i] += b
        return out, {"x": x, "w": w, "b": b}

    @staticmethod
    def backward(dout, cache):
        x, w = cache["x"], cache["w"]
        dx, dw, db = torch.zeros_like(x), torch.zeros_like(w), torch.zeros_like(cache["b"])
        for i in range(x.shape[0]):
            dx[i] = (w @ dout[i]).view(x[i].shape)
            dw += torch.outer(x[i].flatten(), dout[i])
            db += dout[i]
        return dx, dw, db


class ReLU:
    @staticmethod
    def forward(x):
        out = x.clone()
        out[out < 0] = 0
        return out, x

    @staticmethod
    def backward(dout, cache):
        dx = dout.clone()
        dx[cache <= 0] = 0
        return dx


class Dropout:
    @staticmethod
    def forward(x, dropout_param):
        p, mode = dropout_param["p"], dropout_param["mode"]
        if "seed" in dropout_param:
            torch.manual_seed(dropout_param["seed"])
        if mode == "train":
            mask = (torch.rand_like(x) < 1 - p).type(x.dtype) / (1 - p)
            out = x * mask
        elif mode == "test":
            mask, out = None, x
        else:
            raise ValueError(f"invalid dropout mode {mode}")
        return out, (dropout_param, mask)

    @staticmethod
    def backward(dout, cache):
        dropout_param, mask = cache
        if dropout_param["mode"] == "train":
            return dout * mask
        return dout


class TwoLayerNet:
    def loss(self, X, y=None):
        out, first = Linear.forward(X, self.params["W1"], self.params["b1"])
        out, relu = ReLU.forward(out)
        scores, second = Linear.forward(out, self.params["W2"], self.params["b2"])
        if y is None:
            return scores
        grads = {}
        loss, d = softmax_loss(scores, y)
        for name in ("W1", "W2"):
            loss += self.reg * torch.sum(self.params[name] * self.params[name])
        d, grads["W2"], grads["b2"] = Linear.backward(d, second)
        d = ReLU.backward(d, relu)
        _, grads["W1"], grads["b1"] = Linear.backward(d, first)
        grads["W1"] += 2 * self.reg * self.params["W1"]
        grads["W2"] += 2 * self.reg * self.params["W2"]
        return loss, grads


class FullyConnectedNet:
    def loss(self, X, y=None):
        X = X.to(self.dtype)
        mode = "test" if y is None else "train"
        if self.use_dropout:
            self.dropout_param["mode"] = mode
        out, linear, relu, dropped = X, {}, {}, {}
        for i in range(1, self.num_layers):
            out, linear[i] = Linear.forward(out, self.params["W%d" % i], self.params["b%d" % i])
            out, relu[i] = ReLU.forward(out)
            if self.use_dropout:
                out, dropped[i] = Dropout.forward(out, self.dropout_param)
        last = self.num_layers
        scores, linear[last] = Linear.forward(out, self.params["W%d" % last], self.params["b%d" % last])
        if mode == "test":
            return scores
        loss, d = softmax_loss(scores, y)
        grads = {}
        for i in range(last, 0, -1):
            if i < last:
                if self.use_dropout:
                    d = Dropout.backward(d, dropped[i])
                d = ReLU.backward(d, relu[i])
            d, dw, grads["b%d" % i] = Linear.backward(d, linear[i])
            grads["W%d" % i] = dw + 2 * self.reg * self.params["W%d" % i]
            loss = loss + self.reg * (self.params["W%d" % i] ** 2).sum()
        return loss, grads


def sgd_momentum(w, dw, config=None):
    if config is None:
        config = {}
    config.setdefault("learning_rate", 1e-2)
    config.setdefault("momentum", 0.9)
    v = config.get("velocity", torch.zeros_like(w))
    next_w, new_v = torch.zeros_like(w), torch.zeros_like(v)
    for place in range(w.numel()):
        step = config["momentum"] * v.flatten()[place] - config["learning_rate"] * dw.flatten()[place]
        new_v.view(-1)[place] = step
        next_w.view(-1)[place] = w.flatten()[place] + step
    config["velocity"] = new_v
    return next_w, config


def rmsprop(w, dw, config=None):
    if config is None:
        config = {}
    config.setdefault("learning_rate", 1e-2)
    config.setdefault("decay_rate", 0.99)
    config.setdefault("epsilon", 1e-8)
    config.setdefault("cache", torch.zeros_like(w))
    rate = config["decay_rate"]
    config["cache"] = rate * config["cache"] + (1 - rate) * dw**2
    return w - config["learning_rate"] * dw / (torch.sqrt(config["cache"]) + config["epsilon"]), config


def adam(w, dw, config=None):
    if config is None:
        config = {}
    for name, value in (("learning_rate", 1e-3), ("beta1", 0.9), ("beta2", 0.999), ("epsilon", 1e-8), ("t", 0)):
        config.setdefault(name, value)
    for name in ("m", "v"):
        config.setdefault(name, torch.zeros_like(w))
    config["t"] += 1
    config["m"] = config["beta1"] * config["m"] + (1 - config["beta1"]) * dw
    config["v"] = config["beta2"] * config["v"] + (1 - config["beta2"]) * dw**2
    m = config["m"] / (1 - config["beta1"] ** config["t"])
    v = config["v"] / (1 - config["beta2"] ** config["t"])
    return w - config["learning_rate"] * m / (v.sqrt() + config["epsilon"]), config
