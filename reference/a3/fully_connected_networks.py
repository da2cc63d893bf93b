"""Fully connected networks of any depth, with their gradients written out by hand.

A layer is a pair of functions: `forward` returns the output and a cache with whatever `backward` will need;
`backward` takes `dout`, the gradient of the loss with respect to that output, and returns the gradients with respect to
the inputs. A network chains forwards, then walks the same chain in the opposite direction.

Letters: N examples, D input features, H hidden units, M outputs of a layer, C classes, L layers.
"""

import torch
from a3_helper import softmax_loss
from eecs598 import Solver


class Linear:
    """out = x w + b, where every example is flattened to a row of D features first."""

    @staticmethod
    def forward(x, w, b):
        """x (N, d1, ..., dk), w (D, M) with D = d1 * ... * dk, b (M,) -> out (N, M), cache."""
        # [task] Flatten every example to a row of D features, and compute out. Keep in the cache what backward will
        # need.

        rows = x.reshape(x.shape[0], -1)  # (N, D)
        return rows @ w + b, (x, w)
        # [end]

    @staticmethod
    def backward(dout, cache):
        """dout (N, M) -> dx, in the shape of x; dw (D, M); db (M,)."""
        # [task] Compute the gradients of the loss with respect to x, w and b.
        x, w = cache
        rows = x.reshape(x.shape[0], -1)  # (N, D)
        dx = (dout @ w.t()).reshape(x.shape)
        dw = rows.t() @ dout
        db = dout.sum(dim=0)
        return dx, dw, db
        # [end]


class ReLU:
    """out = max(0, x), element by element."""

    @staticmethod
    def forward(x):
        """x of any shape -> out, cache."""
        # [task] Compute out with code of your own, without changing x. Keep in the cache what backward will need.
        return x.clamp(min=0), x
        # [end]

    @staticmethod
    def backward(dout, cache):
        """The gradient passes where x was positive and stops where it was not."""
        # [task] Compute the gradient with respect to x, without changing dout.
        x = cache
        passes = torch.gt(x, 0, out=torch.empty_like(x))  # 1.0 or 0.0
        return passes.mul_(dout)
        # [end]


class Linear_ReLU:
    """A linear layer and its ReLU, which always come together inside a network."""

    @staticmethod
    def forward(x, w, b):
        """x (N, d1, ..., dk), w (D, M), b (M,) -> out (N, M), cache."""
        a, linear_cache = Linear.forward(x, w, b)
        out, relu_cache = ReLU.forward(a)
        return out, (linear_cache, relu_cache)

    @staticmethod
    def backward(dout, cache):
        """dout (N, M) -> dx, dw, db."""
        linear_cache, relu_cache = cache
        da = ReLU.backward(dout, relu_cache)
        return Linear.backward(da, linear_cache)


class Dropout:
    """Each value is dropped with probability p during training; the survivors are scaled by 1 / (1 - p).

    The scale keeps the expected value of every output equal to its input ("inverted" dropout), so that nothing at all
    needs to be done at test time. Source: Srivastava et al., Dropout (JMLR 15, 2014).
    """

    @staticmethod
    def forward(x, dropout_param):
        """x of any shape -> out, cache.

        dropout_param: `p`, the probability of dropping, 0 <= p < 1; `mode`, "train" or "test"; optionally `seed`, an
        integer that makes the mask repeatable. Raises ValueError for another mode.
        """
        # [task] In training, drop each value with probability p, and scale those that are kept by 1 / (1 - p); with a
        # seed in dropout_param, the same mask comes out every time. At test time, hand x on. Keep in the cache what
        # backward will need.

        p, mode = dropout_param["p"], dropout_param["mode"]
        if mode == "test":
            return x.clone(), (dropout_param, None)
        if mode != "train":
            raise ValueError(f"Dropout has the modes 'train' and 'test'; got {mode!r}.")
        generator = None
        if "seed" in dropout_param:
            generator = torch.Generator(device=x.device).manual_seed(dropout_param["seed"])
        u = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        mask = (u >= p) / (1 - p)  # 0 where dropped, 1 / (1 - p) where kept
        mask = mask.to(x.dtype)
        return x * mask, (dropout_param, mask)
        # [end]

    @staticmethod
    def backward(dout, cache):
        """The gradient goes through the same mask as the values did."""
        # [task] Compute the gradient with respect to x, in both modes.
        dropout_param, mask = cache
        return dout.clone() if dropout_param["mode"] == "test" else dout * mask
        # [end]


class TwoLayerNet:
    """linear - ReLU - linear - softmax, with the penalty reg * (sum W1^2 + sum W2^2).

    `params`: W1 (D, H), b1 (H,), W2 (H, C), b2 (C,). Weights start normal with deviation `weight_scale`, biases at 0.
    """

    def __init__(
        self,
        input_dim=3 * 32 * 32,
        hidden_dim=100,
        num_classes=10,
        weight_scale=1e-3,
        reg=0.0,
        dtype=torch.float32,
        device="cpu",
    ):
        # [task] Fill self.params with W1, b1, W2, b2: weights normal with deviation weight_scale, biases zero, of this
        # dtype and on this device.

        self.reg = reg
        self.params = {
            "W1": weight_scale * torch.randn(input_dim, hidden_dim, dtype=dtype, device=device),
            "b1": torch.zeros(hidden_dim, dtype=dtype, device=device),
            "W2": weight_scale * torch.randn(hidden_dim, num_classes, dtype=dtype, device=device),
            "b2": torch.zeros(num_classes, dtype=dtype, device=device),
        }
        # [end]

    def loss(self, X, y=None):
        """X (N, d1, ..., dk), y (N,) int64 -> (loss, grads); without y, the scores (N, C)."""
        # [task] Compute the scores from the layers above, and return them if y is None. Otherwise compute the loss,
        # softmax_loss plus penalty, and go backwards through the layers. Return the loss and a dictionary with the
        # gradient of every parameter.

        params = self.params
        W1, b1, W2, b2 = (params[name] for name in ("W1", "b1", "W2", "b2"))
        h, hidden_cache = Linear_ReLU.forward(X, W1, b1)  # (N, H)
        scores, scores_cache = Linear.forward(h, W2, b2)  # (N, C)
        if y is None:
            return scores

        loss, dscores = softmax_loss(scores, y)
        loss = loss + self.reg * ((W1 * W1).sum() + (W2 * W2).sum())
        dh, dW2, db2 = Linear.backward(dscores, scores_cache)
        _, dW1, db1 = Linear_ReLU.backward(dh, hidden_cache)
        return loss, {"W1": dW1 + 2 * self.reg * W1, "b1": db1, "W2": dW2 + 2 * self.reg * W2, "b2": db2}
        # [end]

    def save(self, path):
        """Write a checkpoint {reg, params}."""
        torch.save({"reg": self.reg, "params": self.params}, path)

    def load(self, path, dtype, device):
        """Take over reg and params of a checkpoint, as `dtype` on `device`."""
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        self.reg = checkpoint["reg"]
        self.params = {name: p.to(dtype).to(device) for name, p in checkpoint["params"].items()}


class FullyConnectedNet:
    """{linear - ReLU - [dropout]} x (L - 1) - linear - softmax, for any list of hidden sizes.

    `params`: W1, b1, ..., WL, bL. The penalty is reg * (sum of the squares of all weights); biases are free of it.
    """

    def __init__(
        self,
        hidden_dims,
        input_dim=3 * 32 * 32,
        num_classes=10,
        dropout=0.0,
        reg=0.0,
        weight_scale=1e-2,
        seed=None,
        dtype=torch.float,
        device="cpu",
    ):
        self.reg = reg
        self.dtype = dtype
        self.num_layers = 1 + len(hidden_dims)
        self.use_dropout = dropout != 0
        self.dropout_param = {"mode": "train", "p": dropout} if self.use_dropout else {}
        if self.use_dropout and seed is not None:
            self.dropout_param = {**self.dropout_param, "seed": seed}

        # [task] Fill self.params with W1, b1, ..., WL, bL: weights normal with deviation weight_scale, biases zero, of
        # this dtype and on this device.

        params = {}
        dims = [input_dim, *hidden_dims, num_classes]
        for i in range(1, self.num_layers + 1):
            params[f"W{i}"] = weight_scale * torch.randn(dims[i - 1], dims[i], dtype=dtype, device=device)
            params[f"b{i}"] = torch.zeros(dims[i], dtype=dtype, device=device)
        self.params = params
        # [end]

    def loss(self, X, y=None):
        """X (N, d1, ..., dk), y (N,) int64 -> (loss, grads); without y, the scores (N, C), and dropout rests."""
        # [task] Compute the scores from the layers above, with dropout behind every hidden ReLU if self.use_dropout,
        # and return them if y is None. Otherwise compute the loss, softmax_loss plus penalty, and go backwards through
        # the layers. Return the loss and a dictionary with the gradient of every parameter.

        if self.use_dropout:
            self.dropout_param = {**self.dropout_param, "mode": "test" if y is None else "train"}
        params = self.params
        W = [params[f"W{i}"] for i in range(1, self.num_layers + 1)]
        b = [params[f"b{i}"] for i in range(1, self.num_layers + 1)]

        h, caches = X.to(self.dtype), []
        for i in range(self.num_layers - 1):
            h, cache = Linear_ReLU.forward(h, W[i], b[i])
            caches.append(cache)
            if self.use_dropout:
                h, cache = Dropout.forward(h, self.dropout_param)
                caches.append(cache)
        scores, cache = Linear.forward(h, W[-1], b[-1])  # (N, C)
        if y is None:
            return scores

        loss, dscores = softmax_loss(scores, y)
        loss = loss + self.reg * sum((w * w).sum() for w in W)

        dW, db = [None] * self.num_layers, [None] * self.num_layers
        dh, dW[-1], db[-1] = Linear.backward(dscores, cache)
        for i in reversed(range(self.num_layers - 1)):
            if self.use_dropout:
                dh = Dropout.backward(dh, caches.pop())
            dh, dW[i], db[i] = Linear_ReLU.backward(dh, caches.pop())

        grads = {}
        for i in range(self.num_layers):
            grads[f"W{i + 1}"] = dW[i] + 2 * self.reg * W[i]
            grads[f"b{i + 1}"] = db[i]
        return loss, grads
        # [end]

    def save(self, path):
        """Write a checkpoint {reg, dtype, params, num_layers, use_dropout, dropout_param}."""
        names = ("reg", "dtype", "params", "num_layers", "use_dropout", "dropout_param")
        torch.save({name: getattr(self, name) for name in names}, path)

    def load(self, path, dtype, device):
        """Take over a checkpoint, its parameters as `dtype` on `device`."""
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        for name in ("reg", "num_layers", "use_dropout", "dropout_param"):
            setattr(self, name, checkpoint[name])
        self.dtype = dtype
        self.params = {name: p.to(dtype).to(device) for name, p in checkpoint["params"].items()}


def sgd(w, dw, config=None):
    """Stochastic gradient descent: a step against the gradient. -> next_w, config.

    Every update rule takes a parameter `w`, its gradient `dw` of the same shape, and a `config` that holds the
    hyperparameters and whatever the rule remembers; missing entries get their usual values.
    """
    config = {} if config is None else config
    config.setdefault("learning_rate", 1e-2)
    return w - config["learning_rate"] * dw, config


def sgd_momentum(w, dw, config=None):
    """The velocity forgets slowly, and the parameter follows the velocity: v = mu v - lr dw; w = w + v."""
    # [task] Compute the next w, and update the velocity in config.
    config = {} if config is None else config
    config.setdefault("learning_rate", 1e-2)
    config.setdefault("momentum", 0.9)
    v = config.get("velocity", torch.zeros_like(w))

    v = config["momentum"] * v - config["learning_rate"] * dw
    config["velocity"] = v
    return w + v, config
    # [end]


def rmsprop(w, dw, config=None):
    """Every entry is divided by the running root mean square of its own gradients (Tieleman and Hinton, 2012)."""
    # [task] Compute the next w, and update the cache in config.
    config = {} if config is None else config
    config.setdefault("learning_rate", 1e-2)
    config.setdefault("decay_rate", 0.99)
    config.setdefault("epsilon", 1e-8)
    cache = config.get("cache", torch.zeros_like(w))

    cache = config["decay_rate"] * cache + (1 - config["decay_rate"]) * dw * dw
    config["cache"] = cache
    return w - config["learning_rate"] * dw / (cache.sqrt() + config["epsilon"]), config
    # [end]


def adam(w, dw, config=None):
    """Momentum m over root mean square v, both freed of their bias towards their start at 0.

    After t steps m and v have only collected a share 1 - beta^t of their full weight, so they are divided by it.
    Source: Kingma and Ba, Adam (ICLR 2015), algorithm 1.
    """
    # [task] Compute the next w, and update m, v and t in config. Count t up before you use it.
    config = {} if config is None else config
    config.setdefault("learning_rate", 1e-3)
    config.setdefault("beta1", 0.9)
    config.setdefault("beta2", 0.999)
    config.setdefault("epsilon", 1e-8)
    m = config.get("m", torch.zeros_like(w))
    v = config.get("v", torch.zeros_like(w))
    t = config.get("t", 0) + 1
    beta1, beta2 = config["beta1"], config["beta2"]

    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * dw * dw
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    config.update(m=m, v=v, t=t)
    return w - config["learning_rate"] * m_hat / (v_hat.sqrt() + config["epsilon"]), config
    # [end]


def create_solver_instance(data_dict, dtype, device):
    """An untrained Solver around a TwoLayerNet with 200 hidden units that passes 50 % on the validation images.

    The first weights keep the size of the signal (deviation about sqrt(2 / D)); momentum does the rest.
    """
    # [task] Make a TwoLayerNet with 200 hidden units and a Solver around it that passes 50 % on the validation images.
    # Do not train it here.

    D = data_dict["X_train"][0].numel()
    model = TwoLayerNet(input_dim=D, hidden_dim=200, weight_scale=(2 / D) ** 0.5, reg=5e-4, dtype=dtype, device=device)
    return Solver(
        model,
        data_dict,
        update_rule=sgd_momentum,
        optim_config={"learning_rate": 4e-2},
        lr_decay=0.7,
        num_epochs=5,
        batch_size=100,
        print_every=400,
        device=device,
    )
    # [end]


def get_three_layer_network_params():
    """(weight_scale, learning_rate) with which plain SGD fits 50 images perfectly in 20 epochs: three layers."""
    # [task] Choose a weight_scale and a learning rate.
    return 1e-1, 1.5e-1
    # [end]


def get_five_layer_network_params():
    """(weight_scale, learning_rate) with which plain SGD fits 50 images perfectly in 20 epochs: five layers."""
    # [task] Choose a weight_scale and a learning rate.
    return 1.5e-1, 1e-1
    # [end]
