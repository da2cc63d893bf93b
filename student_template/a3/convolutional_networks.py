"""Convolutional networks with their gradients written out by hand.

`Conv` and `MaxPool` are the formulas; the networks below train with `FastConv` and `FastMaxPool`, which compute the
same and are explained in fast_convolution.py and fast_layers.py. As before, `forward` returns an output and a cache,
`backward` turns the gradient of the output into the gradients of the inputs.

Letters: N images, C channels, H x W pixels; F filters of HH x WW; outputs OH x OW; s stride; L layers.
"""

from dataclasses import dataclass

import torch
from a3_helper import softmax_loss
from eecs598 import Solver
from fast_convolution import FastConv
from fast_layers import FastConvNormReluPool, FastMaxPool, FastSpatialBatchNorm
from fully_connected_networks import Linear, Linear_ReLU, ReLU, adam


class Conv:
    """out[n, f, i, j] = b[f] + sum over c, p, q of w[f, c, p, q] * xp[n, c, s i + p, s j + q], xp: x with zeros around.

    For one position (p, q) of the filter and all outputs at once, the pixels involved are a shifted, strided copy of
    the image, and what happens to them is a product with the F x C matrix w[:, :, p, q].
    """

    @staticmethod
    def forward(x, w, b, conv_param):
        """x (N, C, H, W), w (F, C, HH, WW), b (F,), conv_param {stride, pad} -> out (N, F, OH, OW), cache.

        OH = 1 + (H + 2 pad - HH) / stride, rounded down; OW likewise.
        """
        # Compute the convolution. Loops are fine here, and torch.nn.functional.pad may be used for the zeros
        # around x. Keep in the cache what backward will need.
        raise NotImplementedError(
            "Conv.forward: Compute the convolution. Loops are fine here, and torch.nn.functional.pad may be used for "
            "the zeros around x. Keep in the cache what backward will need."
        )

    @staticmethod
    def backward(dout, cache):
        """dout (N, F, OH, OW) -> dx (N, C, H, W), dw (F, C, HH, WW), db (F,)."""
        # Compute the gradients of the loss with respect to x, w and b. Remember the case without padding.
        raise NotImplementedError(
            "Conv.backward: Compute the gradients of the loss with respect to x, w and b. Remember the case without "
            "padding."
        )


class MaxPool:
    """out[n, c, i, j] = the largest of the HH x WW pixels that begin at row s i, column s j of channel c."""

    @staticmethod
    def forward(x, pool_param):
        """x (N, C, H, W), pool_param {pool_height, pool_width, stride} -> out (N, C, OH, OW), cache."""
        # Compute the largest pixel of every window. Loops are fine here. Keep in the cache what backward will
        # need.
        raise NotImplementedError(
            "MaxPool.forward: Compute the largest pixel of every window. Loops are fine here. Keep in the cache what "
            "backward will need."
        )

    @staticmethod
    def backward(dout, cache):
        """The largest pixel of a window takes its gradient; a pixel that wins in several windows takes the sum."""
        # Compute the gradient with respect to x. Windows may overlap.
        raise NotImplementedError("MaxPool.backward: Compute the gradient with respect to x. Windows may overlap.")


class BatchNorm:
    """out = gamma * xhat + beta, where xhat is x freed of its mean and divided by its deviation, feature by feature.

    In training, mean and variance are those of the batch (the biased variance, divided by N), and running averages of
    both are kept; at test time those averages take their place. Source: Ioffe and Szegedy, Batch Normalization (2015).
    """

    @staticmethod
    def forward(x, gamma, beta, bn_param):
        """x (N, D), gamma, beta (D,) -> out (N, D), cache.

        bn_param: `mode`, "train" or "test"; `eps` (1e-5); `momentum` (0.9), with running = momentum * running +
        (1 - momentum) * batch; `running_mean`, `running_var`, (D,), zeros at first and updated here in training.
        Raises ValueError for another mode.
        """
        # In training, normalise with mean and variance of the batch, and update the running averages in
        # bn_param; at test time, normalise with the running averages. Keep in the cache what backward and backward_alt
        # will need.
        raise NotImplementedError(
            "BatchNorm.forward: In training, normalise with mean and variance of the batch, and update the running "
            "averages in bn_param; at test time, normalise with the running averages. Keep in the cache what backward "
            "and backward_alt will need."
        )

    @staticmethod
    def backward(dout, cache):
        """dout (N, D) -> dx (N, D), dgamma, dbeta (D,): the steps of forward one by one, in reverse."""
        # Go backwards through the steps of forward, one by one.
        raise NotImplementedError("BatchNorm.backward: Go backwards through the steps of forward, one by one.")

    @staticmethod
    def backward_alt(dout, cache):
        """The same gradients in one formula.

        x reaches the loss through xhat alone, and no x can change the mean (0) or the mean square (1) of a feature of
        xhat. Of dxhat = gamma * dout only what is orthogonal to both directions, 1 and xhat, gets through:
        dx = (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat)) * inv_std.
        """
        # Simplify the gradient with respect to x on paper, and compute it in a few lines.
        raise NotImplementedError(
            "BatchNorm.backward_alt: Simplify the gradient with respect to x on paper, and compute it in a few lines."
        )


class SpatialBatchNorm:
    """Batch normalisation of images: every pixel of every image is one example of its channel."""

    @staticmethod
    def forward(x, gamma, beta, bn_param):
        """x (N, C, H, W), gamma, beta (C,) -> out (N, C, H, W), cache. bn_param as in BatchNorm."""
        # Rearrange the images so that BatchNorm can do the work.
        raise NotImplementedError("SpatialBatchNorm.forward: Rearrange the images so that BatchNorm can do the work.")

    @staticmethod
    def backward(dout, cache):
        """dout (N, C, H, W) -> dx (N, C, H, W), dgamma, dbeta (C,)."""
        # Rearrange the gradients so that BatchNorm can do the work.
        raise NotImplementedError(
            "SpatialBatchNorm.backward: Rearrange the gradients so that BatchNorm can do the work."
        )


class Conv_ReLU:
    """conv - ReLU."""

    @staticmethod
    def forward(x, w, b, conv_param):
        """x (N, C, H, W), w (F, C, HH, WW), b (F,) -> out (N, F, OH, OW), cache."""
        a, conv_cache = FastConv.forward(x, w, b, conv_param)
        out, relu_cache = ReLU.forward(a)
        return out, (conv_cache, relu_cache)

    @staticmethod
    def backward(dout, cache, input_grad=True):
        """-> dx, dw, db. Without input_grad, dx is None: a first layer need not compute it."""
        conv_cache, relu_cache = cache
        return FastConv.backward(ReLU.backward(dout, relu_cache), conv_cache, input_grad)


class Conv_ReLU_Pool:
    """conv - ReLU - pool, computed as conv - pool - ReLU: the maximum of the ReLUs is the ReLU of the maximum."""

    @staticmethod
    def forward(x, w, b, conv_param, pool_param):
        """x (N, C, H, W), w (F, C, HH, WW), b (F,) -> the pooled output, cache."""
        a, conv_cache = FastConv.forward(x, w, b, conv_param)
        p, pool_cache = FastMaxPool.forward(a, pool_param)
        out, relu_cache = ReLU.forward(p)
        return out, (conv_cache, pool_cache, relu_cache)

    @staticmethod
    def backward(dout, cache, input_grad=True):
        """-> dx, dw, db."""
        conv_cache, pool_cache, relu_cache = cache
        da = FastMaxPool.backward(ReLU.backward(dout, relu_cache), pool_cache)
        return FastConv.backward(da, conv_cache, input_grad)


class Conv_BatchNorm_ReLU:
    """conv - batch norm - ReLU."""

    @staticmethod
    def forward(x, w, b, gamma, beta, conv_param, bn_param):
        """x (N, C, H, W), w (F, C, HH, WW), b, gamma, beta (F,) -> out (N, F, OH, OW), cache."""
        a, conv_cache = FastConv.forward(x, w, b, conv_param)
        z, bn_cache = FastSpatialBatchNorm.forward(a, gamma, beta, bn_param)
        out, relu_cache = ReLU.forward(z)
        return out, (conv_cache, bn_cache, relu_cache)

    @staticmethod
    def backward(dout, cache, input_grad=True):
        """-> dx, dw, db, dgamma, dbeta."""
        conv_cache, bn_cache, relu_cache = cache
        da, dgamma, dbeta = FastSpatialBatchNorm.backward(ReLU.backward(dout, relu_cache), bn_cache)
        return *FastConv.backward(da, conv_cache, input_grad), dgamma, dbeta


class Conv_BatchNorm_ReLU_Pool:
    """conv - batch norm - ReLU - pool, with the short cut of fast_layers.py where it is legal."""

    @staticmethod
    def forward(x, w, b, gamma, beta, conv_param, bn_param, pool_param):
        """x (N, C, H, W), w (F, C, HH, WW), b, gamma, beta (F,) -> the pooled output, cache."""
        if FastConvNormReluPool.applies(x, w, gamma, conv_param, pool_param):
            out, cache = FastConvNormReluPool.forward(x, w, b, gamma, beta, conv_param, bn_param, pool_param)
            return out, (cache, None)
        a, cache = Conv_BatchNorm_ReLU.forward(x, w, b, gamma, beta, conv_param, bn_param)
        out, pool_cache = FastMaxPool.forward(a, pool_param)
        return out, (cache, pool_cache)

    @staticmethod
    def backward(dout, cache, input_grad=True):
        """-> dx, dw, db, dgamma, dbeta."""
        cache, pool_cache = cache
        if pool_cache is None:
            return FastConvNormReluPool.backward(dout, cache, input_grad)
        return Conv_BatchNorm_ReLU.backward(FastMaxPool.backward(dout, pool_cache), cache, input_grad)


def kaiming_initializer(Din, Dout, K=None, relu=True, device="cpu", dtype=torch.float32):
    """Weights that keep the size of a signal from layer to layer: N(0, gain / fan_in).

    -> (Din, Dout), or (Dout, Din, K, K) for a K x K convolution. fan_in is the number of values that one output sums
    up: Din, or Din * K * K. A ReLU behind the layer loses half of the power, so the gain is then 2, else 1. Source: He
    et al., Delving Deep into Rectifiers (2015).
    """
    # Draw the weights, for a linear layer if K is None and for a convolution otherwise.
    raise NotImplementedError(
        "kaiming_initializer: Draw the weights, for a linear layer if K is None and for a convolution otherwise."
    )


HALVING = {"pool_height": 2, "pool_width": 2, "stride": 2}


class ThreeLayerConvNet:
    """conv - ReLU - 2x2 max pool - linear - ReLU - linear - softmax, with the penalty reg * (sum of squared weights).

    `params`: W1 (F, C, f, f), b1; W2 (F * H/2 * W/2, hidden_dim), b2; W3 (hidden_dim, num_classes), b3. The convolution
    keeps the image's size.
    """

    def __init__(
        self,
        input_dims=(3, 32, 32),
        num_filters=32,
        filter_size=7,
        hidden_dim=100,
        num_classes=10,
        weight_scale=1e-3,
        reg=0.0,
        dtype=torch.float,
        device="cpu",
    ):
        self.reg = reg
        self.dtype = dtype
        # Fill self.params with W1, b1, W2, b2, W3, b3: weights normal with deviation weight_scale, biases zero,
        # of this dtype and on this device. The pool halves height and width.
        raise NotImplementedError(
            "ThreeLayerConvNet.__init__: Fill self.params with W1, b1, W2, b2, W3, b3: weights normal with deviation "
            "weight_scale, biases zero, of this dtype and on this device. The pool halves height and width."
        )

    def loss(self, X, y=None):
        """X (N, C, H, W), y (N,) int64 -> (loss, grads); without y, the scores (N, num_classes)."""
        # Compute the scores from Conv_ReLU_Pool, Linear_ReLU and Linear, and return them if y is None. Otherwise
        # compute the loss, softmax_loss plus penalty, and go backwards through the layers. Return the loss and a
        # dictionary with the gradient of every parameter.
        raise NotImplementedError(
            "ThreeLayerConvNet.loss: Compute the scores from Conv_ReLU_Pool, Linear_ReLU and Linear, and return them "
            "if y is None. Otherwise compute the loss, softmax_loss plus penalty, and go backwards through the layers. "
            "Return the loss and a dictionary with the gradient of every parameter."
        )

    def save(self, path):
        """Write a checkpoint {reg, dtype, params}."""
        torch.save({"reg": self.reg, "dtype": self.dtype, "params": self.params}, path)

    def load(self, path):
        """Take over reg, dtype and params of a checkpoint."""
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        self.reg, self.dtype, self.params = (checkpoint[name] for name in ("reg", "dtype", "params"))


class DeepConvNet:
    """{conv 3x3 - [batch norm] - ReLU - [2x2 max pool]} x (L - 1) - linear - softmax.

    `params`: W0, b0 (and gamma0, beta0 with batch norm), ..., W{L-1}, b{L-1} of the linear layer. The penalty is reg *
    (sum of squared weights); biases, gammas and betas are free of it. `bn_params`: one bn_param for each normalisation.
    """

    def __init__(
        self,
        input_dims=(3, 32, 32),
        num_filters=(8, 8, 8, 8, 8),
        max_pools=(0, 1, 2, 3, 4),
        batchnorm=False,
        num_classes=10,
        weight_scale=1e-3,
        reg=0.0,
        weight_initializer=None,
        dtype=torch.float,
        device="cpu",
    ):
        """num_filters: one number for each convolution; max_pools: the convolutions that end in a pool, from 0.

        weight_scale: the deviation of the first weights, or "kaiming". weight_initializer: a function with the
        arguments of kaiming_initializer, instead of either.
        """
        self.reg = reg
        self.dtype = dtype
        self.num_layers = len(num_filters) + 1
        self.max_pools = list(max_pools)
        self.batchnorm = batchnorm
        self.bn_params = [{"mode": "train"} for _ in num_filters] if batchnorm else []

        # Fill self.params: weights normal with deviation weight_scale, or from weight_initializer or
        # kaiming_initializer; biases and betas zero, gammas one; of this dtype and on this device. Every pool halves
        # height and width.
        raise NotImplementedError(
            "DeepConvNet.__init__: Fill self.params: weights normal with deviation weight_scale, or from "
            "weight_initializer or kaiming_initializer; biases and betas zero, gammas one; of this dtype and on this "
            "device. Every pool halves height and width."
        )

    def loss(self, X, y=None):
        """X (N, C, H, W), y (N,) int64 -> (loss, grads); without y, the scores (N, num_classes)."""
        # Compute the scores from the sandwich layers above, and return them if y is None. Otherwise compute the
        # loss, softmax_loss plus penalty, and go backwards through the layers. Return the loss and a dictionary with
        # the gradient of every parameter.
        raise NotImplementedError(
            "DeepConvNet.loss: Compute the scores from the sandwich layers above, and return them if y is None. "
            "Otherwise compute the loss, softmax_loss plus penalty, and go backwards through the layers. Return the "
            "loss and a dictionary with the gradient of every parameter."
        )

    def save(self, path):
        """Write a checkpoint {reg, dtype, params, num_layers, max_pools, batchnorm, bn_params}."""
        names = ("reg", "dtype", "params", "num_layers", "max_pools", "batchnorm", "bn_params")
        torch.save({name: getattr(self, name) for name in names}, path)

    def load(self, path, dtype, device):
        """Take over a checkpoint, its tensors as `dtype` on `device`."""
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        for name in ("reg", "num_layers", "max_pools", "batchnorm"):
            setattr(self, name, checkpoint[name])
        self.dtype = dtype

        def placed(value):
            return value.to(dtype).to(device) if torch.is_tensor(value) else value

        self.params = {name: placed(p) for name, p in checkpoint["params"].items()}
        self.bn_params = [{key: placed(v) for key, v in bn.items()} for bn in checkpoint["bn_params"]]


def find_overfit_parameters():
    """(weight_scale, learning_rate) with which Adam fits 50 images perfectly in 30 epochs: filters 8, 16, 32, 64."""
    # Choose a weight_scale and a learning rate.
    raise NotImplementedError("find_overfit_parameters: Choose a weight_scale and a learning rate.")


def create_convolutional_solver_instance(data_dict, dtype, device):
    """An untrained Solver around a deep network that passes 71 % on the validation images of CIFAR-10."""
    # Make a DeepConvNet and a Solver around it that passes 71 % on the validation images within a minute on a
    # GPU. Do not train it here.
    raise NotImplementedError(
        "create_convolutional_solver_instance: Make a DeepConvNet and a Solver around it that passes 71 % on the "
        "validation images within a minute on a GPU. Do not train it here."
    )
