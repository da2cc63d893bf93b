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
        # Flatten every example to a row of D features, and compute out. Keep in the cache what backward will
        # need.
        raise NotImplementedError(
            "Linear.forward: Flatten every example to a row of D features, and compute out. Keep in the cache what "
            "backward will need."
        )

    @staticmethod
    def backward(dout, cache):
        """dout (N, M) -> dx, in the shape of x; dw (D, M); db (M,)."""
        # Compute the gradients of the loss with respect to x, w and b.
        raise NotImplementedError("Linear.backward: Compute the gradients of the loss with respect to x, w and b.")


class ReLU:
    """out = max(0, x), element by element."""

    @staticmethod
    def forward(x):
        """x of any shape -> out, cache."""
        # Compute out with code of your own, without changing x. Keep in the cache what backward will need.
        raise NotImplementedError(
            "ReLU.forward: Compute out with code of your own, without changing x. Keep in the cache what backward will "
            "need."
        )

    @staticmethod
    def backward(dout, cache):
        """The gradient passes where x was positive and stops where it was not."""
        # Compute the gradient with respect to x, without changing dout.
        raise NotImplementedError("ReLU.backward: Compute the gradient with respect to x, without changing dout.")


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
        # In training, drop each value with probability p, and scale those that are kept by 1 / (1 - p); with a
        # seed in dropout_param, the same mask comes out every time. At test time, hand x on. Keep in the cache what
        # backward will need.
        raise NotImplementedError(
            "Dropout.forward: In training, drop each value with probability p, and scale those that are kept by 1 / (1 "
            "- p); with a seed in dropout_param, the same mask comes out every time. At test time, hand x on. Keep in "
            "the cache what backward will need."
        )

    @staticmethod
    def backward(dout, cache):
        """The gradient goes through the same mask as the values did."""
        # Compute the gradient with respect to x, in both modes.
        raise NotImplementedError("Dropout.backward: Compute the gradient with respect to x, in both modes.")


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
        # Fill self.params with W1, b1, W2, b2: weights normal with deviation weight_scale, biases zero, of this
        # dtype and on this device.
        raise NotImplementedError(
            "TwoLayerNet.__init__: Fill self.params with W1, b1, W2, b2: weights normal with deviation weight_scale, "
            "biases zero, of this dtype and on this device."
        )

    def loss(self, X, y=None):
        """X (N, d1, ..., dk), y (N,) int64 -> (loss, grads); without y, the scores (N, C)."""
        # Compute the scores from the layers above, and return them if y is None. Otherwise compute the loss,
        # softmax_loss plus penalty, and go backwards through the layers. Return the loss and a dictionary with the
        # gradient of every parameter.
        raise NotImplementedError(
            "TwoLayerNet.loss: Compute the scores from the layers above, and return them if y is None. Otherwise "
            "compute the loss, softmax_loss plus penalty, and go backwards through the layers. Return the loss and a "
            "dictionary with the gradient of every parameter."
        )

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

        # Fill self.params with W1, b1, ..., WL, bL: weights normal with deviation weight_scale, biases zero, of
        # this dtype and on this device.
        raise NotImplementedError(
            "FullyConnectedNet.__init__: Fill self.params with W1, b1, ..., WL, bL: weights normal with deviation "
            "weight_scale, biases zero, of this dtype and on this device."
        )

    def loss(self, X, y=None):
        """X (N, d1, ..., dk), y (N,) int64 -> (loss, grads); without y, the scores (N, C), and dropout rests."""
        # Compute the scores from the layers above, with dropout behind every hidden ReLU if self.use_dropout,
        # and return them if y is None. Otherwise compute the loss, softmax_loss plus penalty, and go backwards through
        # the layers. Return the loss and a dictionary with the gradient of every parameter.
        raise NotImplementedError(
            "FullyConnectedNet.loss: Compute the scores from the layers above, with dropout behind every hidden ReLU "
            "if self.use_dropout, and return them if y is None. Otherwise compute the loss, softmax_loss plus penalty, "
            "and go backwards through the layers. Return the loss and a dictionary with the gradient of every "
            "parameter."
        )

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
    # Compute the next w, and update the velocity in config.
    raise NotImplementedError("sgd_momentum: Compute the next w, and update the velocity in config.")


def rmsprop(w, dw, config=None):
    """Every entry is divided by the running root mean square of its own gradients (Tieleman and Hinton, 2012)."""
    # Compute the next w, and update the cache in config.
    raise NotImplementedError("rmsprop: Compute the next w, and update the cache in config.")


def adam(w, dw, config=None):
    """Momentum m over root mean square v, both freed of their bias towards their start at 0.

    After t steps m and v have only collected a share 1 - beta^t of their full weight, so they are divided by it.
    Source: Kingma and Ba, Adam (ICLR 2015), algorithm 1.
    """
    # Compute the next w, and update m, v and t in config. Count t up before you use it.
    raise NotImplementedError(
        "adam: Compute the next w, and update m, v and t in config. Count t up before you use it."
    )


def create_solver_instance(data_dict, dtype, device):
    """An untrained Solver around a TwoLayerNet with 200 hidden units that passes 50 % on the validation images.

    The first weights keep the size of the signal (deviation about sqrt(2 / D)); momentum does the rest.
    """
    # Make a TwoLayerNet with 200 hidden units and a Solver around it that passes 50 % on the validation images.
    # Do not train it here.
    raise NotImplementedError(
        "create_solver_instance: Make a TwoLayerNet with 200 hidden units and a Solver around it that passes 50 % on "
        "the validation images. Do not train it here."
    )


def get_three_layer_network_params():
    """(weight_scale, learning_rate) with which plain SGD fits 50 images perfectly in 20 epochs: three layers."""
    # Choose a weight_scale and a learning rate.
    raise NotImplementedError("get_three_layer_network_params: Choose a weight_scale and a learning rate.")


def get_five_layer_network_params():
    """(weight_scale, learning_rate) with which plain SGD fits 50 images perfectly in 20 epochs: five layers."""
    # Choose a weight_scale and a learning rate.
    raise NotImplementedError("get_five_layer_network_params: Choose a weight_scale and a learning rate.")
