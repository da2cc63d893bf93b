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
        # [task] Compute the convolution. Loops are fine here, and torch.nn.functional.pad may be used for the zeros
        # around x. Keep in the cache what backward will need.

        (N, C, H, W), (F, _, HH, WW) = x.shape, w.shape
        s, pad = conv_param["stride"], conv_param["pad"]
        OH, OW = 1 + (H + 2 * pad - HH) // s, 1 + (W + 2 * pad - WW) // s
        xp = x.new_zeros(N, C, H + 2 * pad, W + 2 * pad)
        xp[:, :, pad : pad + H, pad : pad + W] = x

        out = b.view(F, 1, 1).repeat(N, 1, OH, OW)
        for p in range(HH):
            for q in range(WW):
                pixels = xp[:, :, p : p + s * OH : s, q : q + s * OW : s]  # (N, C, OH, OW)
                out += torch.einsum("fc,nchw->nfhw", w[:, :, p, q], pixels)
        return out, (xp, w, s, pad)
        # [end]

    @staticmethod
    def backward(dout, cache):
        """dout (N, F, OH, OW) -> dx (N, C, H, W), dw (F, C, HH, WW), db (F,)."""
        # [task] Compute the gradients of the loss with respect to x, w and b. Remember the case without padding.
        xp, w, s, pad = cache
        (HP, WP), (HH, WW), (OH, OW) = xp.shape[2:], w.shape[2:], dout.shape[2:]

        dxp, dw = torch.zeros_like(xp), torch.zeros_like(w)
        for p in range(HH):
            for q in range(WW):
                here = (..., slice(p, p + s * OH, s), slice(q, q + s * OW, s))
                dw[:, :, p, q] = torch.einsum("nfhw,nchw->fc", dout, xp[here])
                dxp[here] += torch.einsum("fc,nfhw->nchw", w[:, :, p, q], dout)
        dx = dxp[:, :, pad : HP - pad, pad : WP - pad]
        return dx, dw, dout.sum(dim=(0, 2, 3))
        # [end]


class MaxPool:
    """out[n, c, i, j] = the largest of the HH x WW pixels that begin at row s i, column s j of channel c."""

    @staticmethod
    def forward(x, pool_param):
        """x (N, C, H, W), pool_param {pool_height, pool_width, stride} -> out (N, C, OH, OW), cache."""
        # [task] Compute the largest pixel of every window. Loops are fine here. Keep in the cache what backward will
        # need.

        N, C, H, W = x.shape
        HH, WW, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
        OH, OW = 1 + (H - HH) // s, 1 + (W - WW) // s
        out = x.new_empty(N, C, OH, OW)
        for i in range(OH):
            for j in range(OW):
                window = x[:, :, s * i : s * i + HH, s * j : s * j + WW]
                out[:, :, i, j] = window.amax(dim=(2, 3))
        return out, (x, pool_param)
        # [end]

    @staticmethod
    def backward(dout, cache):
        """The largest pixel of a window takes its gradient; a pixel that wins in several windows takes the sum."""
        # [task] Compute the gradient with respect to x. Windows may overlap.
        x, pool_param = cache
        N, C, OH, OW = dout.shape
        HH, WW, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
        dx = torch.zeros_like(x)
        for i in range(OH):
            for j in range(OW):
                here = (..., slice(s * i, s * i + HH), slice(s * j, s * j + WW))
                winner = x[here].flatten(2).argmax(dim=2, keepdim=True)  # (N, C, 1)
                dwindow = x.new_zeros(N, C, HH * WW).scatter_(2, winner, dout[:, :, i, j].unsqueeze(2))
                dx[here] += dwindow.view(N, C, HH, WW)
        return dx
        # [end]


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
        # [task] In training, normalise with mean and variance of the batch, and update the running averages in
        # bn_param; at test time, normalise with the running averages. Keep in the cache what backward and backward_alt
        # will need.

        mode, eps, momentum = bn_param["mode"], bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
        zeros = torch.zeros_like(gamma)
        running_mean, running_var = bn_param.get("running_mean", zeros), bn_param.get("running_var", zeros)
        if mode == "train":
            mean = x.mean(dim=0)
            centred = x - mean
            var = (centred * centred).mean(dim=0)
            running_mean = mean.lerp(running_mean, momentum)
            running_var = var.lerp(running_var, momentum)
        elif mode == "test":
            centred, var = x - running_mean, running_var
        else:
            raise ValueError(f"BatchNorm has the modes 'train' and 'test'; got {mode!r}.")
        bn_param["running_mean"], bn_param["running_var"] = running_mean, running_var

        inv_std = (var + eps).rsqrt()
        out = torch.addcmul(beta, centred, gamma * inv_std)  # beta + gamma * xhat, where xhat = centred * inv_std
        return out, (centred, inv_std, gamma, mode)
        # [end]

    @staticmethod
    def backward(dout, cache):
        """dout (N, D) -> dx (N, D), dgamma, dbeta (D,): the steps of forward one by one, in reverse."""
        # [task] Go backwards through the steps of forward, one by one.
        centred, inv_std, gamma, mode = cache
        N = dout.shape[0]
        scale = gamma * inv_std  # out = scale * centred + beta
        dbeta = dout.sum(dim=0)
        dscale = (dout * centred).sum(dim=0)
        dgamma = dscale * inv_std
        if mode == "test":  # mean and deviation were constants
            return dout * scale, dgamma, dbeta

        dinv_std = dscale * gamma
        dvar = -0.5 * inv_std * inv_std * inv_std * dinv_std  # inv_std = (var + eps)^(-1/2)
        dmean = -scale * dbeta  # centred = x - mean; what comes through the variance sums to 0, as centred does
        # x is in centred itself, in the variance, mean of centred^2, and in the mean: dx = dcentred + dmean / N.
        dx = torch.addcmul(dmean / N, centred, 2 / N * dvar).addcmul_(dout, scale)
        return dx, dgamma, dbeta
        # [end]

    @staticmethod
    def backward_alt(dout, cache):
        """The same gradients in one formula.

        x reaches the loss through xhat alone, and no x can change the mean (0) or the mean square (1) of a feature of
        xhat. Of dxhat = gamma * dout only what is orthogonal to both directions, 1 and xhat, gets through:
        dx = (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat)) * inv_std.
        """
        # [task] Simplify the gradient with respect to x on paper, and compute it in a few lines.
        centred, inv_std, gamma, mode = cache
        N = dout.shape[0]
        dbeta = dout.sum(dim=0)
        dgamma = (dout * centred).sum(dim=0) * inv_std
        if mode == "test":
            return gamma * inv_std * dout, dgamma, dbeta
        # dout - mean(dout) - xhat * mean(dout * xhat), where xhat = centred * inv_std
        dx = torch.addcmul(dout - dbeta / N, centred, inv_std * dgamma / N, value=-1)
        return dx.mul_(gamma * inv_std), dgamma, dbeta
        # [end]


class SpatialBatchNorm:
    """Batch normalisation of images: every pixel of every image is one example of its channel."""

    @staticmethod
    def forward(x, gamma, beta, bn_param):
        """x (N, C, H, W), gamma, beta (C,) -> out (N, C, H, W), cache. bn_param as in BatchNorm."""
        # [task] Rearrange the images so that BatchNorm can do the work.
        N, C, H, W = x.shape
        pixels = x.permute(0, 2, 3, 1).reshape(-1, C)
        out, cache = BatchNorm.forward(pixels, gamma, beta, bn_param)
        return out.view(N, H, W, C).permute(0, 3, 1, 2), cache
        # [end]

    @staticmethod
    def backward(dout, cache):
        """dout (N, C, H, W) -> dx (N, C, H, W), dgamma, dbeta (C,)."""
        # [task] Rearrange the gradients so that BatchNorm can do the work.
        N, C, H, W = dout.shape
        pixels = dout.permute(0, 2, 3, 1).reshape(-1, C)
        dx, dgamma, dbeta = BatchNorm.backward_alt(pixels, cache)
        return dx.view(N, H, W, C).permute(0, 3, 1, 2), dgamma, dbeta
        # [end]


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
    # [task] Draw the weights, for a linear layer if K is None and for a convolution otherwise.
    gain = 2 if relu else 1
    shape, fan_in = ((Din, Dout), Din) if K is None else ((Dout, Din, K, K), Din * K * K)
    return (gain / fan_in) ** 0.5 * torch.randn(shape, dtype=dtype, device=device)
    # [end]


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
        # [task] Fill self.params with W1, b1, W2, b2, W3, b3: weights normal with deviation weight_scale, biases zero,
        # of this dtype and on this device. The pool halves height and width.

        C, H, W = input_dims
        shapes = (
            (num_filters, C, filter_size, filter_size),
            (num_filters * (H // 2) * (W // 2), hidden_dim),
            (hidden_dim, num_classes),
        )
        params = {}
        for i, (shape, size) in enumerate(zip(shapes, (num_filters, hidden_dim, num_classes), strict=True), start=1):
            params[f"W{i}"] = weight_scale * torch.randn(shape, dtype=dtype, device=device)
            params[f"b{i}"] = torch.zeros(size, dtype=dtype, device=device)
        self.params = params
        # [end]

    def loss(self, X, y=None):
        """X (N, C, H, W), y (N,) int64 -> (loss, grads); without y, the scores (N, num_classes)."""
        # [task] Compute the scores from Conv_ReLU_Pool, Linear_ReLU and Linear, and return them if y is None. Otherwise
        # compute the loss, softmax_loss plus penalty, and go backwards through the layers. Return the loss and a
        # dictionary with the gradient of every parameter.

        W1, b1, W2, b2, W3, b3 = (self.params[name] for name in ("W1", "b1", "W2", "b2", "W3", "b3"))
        conv_param = {"stride": 1, "pad": (W1.shape[2] - 1) // 2}
        h1, cache1 = Conv_ReLU_Pool.forward(X.to(self.dtype), W1, b1, conv_param, HALVING)
        h2, cache2 = Linear_ReLU.forward(h1, W2, b2)
        scores, cache3 = Linear.forward(h2, W3, b3)
        if y is None:
            return scores

        loss, dscores = softmax_loss(scores, y)
        grads = {}
        dh2, grads["W3"], grads["b3"] = Linear.backward(dscores, cache3)
        dh1, grads["W2"], grads["b2"] = Linear_ReLU.backward(dh2, cache2)
        _, grads["W1"], grads["b1"] = Conv_ReLU_Pool.backward(dh1, cache1, input_grad=False)
        for name in ("W1", "W2", "W3"):
            loss = loss + self.reg * (self.params[name] ** 2).sum()
            grads[name] = grads[name] + 2 * self.reg * self.params[name]
        return loss, grads
        # [end]

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

        # [task] Fill self.params: weights normal with deviation weight_scale, or from weight_initializer or
        # kaiming_initializer; biases and betas zero, gammas one; of this dtype and on this device. Every pool halves
        # height and width.

        def scaled(Din, Dout, K=None, relu=True, device=device, dtype=dtype):
            shape = (Din, Dout) if K is None else (Dout, Din, K, K)
            return weight_scale * torch.randn(shape, dtype=dtype, device=device)

        weights = weight_initializer or (kaiming_initializer if weight_scale == "kaiming" else scaled)
        C, H, W = input_dims
        params = {}
        for i, F in enumerate(num_filters):
            params[f"W{i}"] = weights(C, F, K=3, relu=True, device=device, dtype=dtype)
            params[f"b{i}"] = torch.zeros(F, dtype=dtype, device=device)
            if batchnorm:
                params[f"gamma{i}"] = torch.ones(F, dtype=dtype, device=device)
                params[f"beta{i}"] = torch.zeros(F, dtype=dtype, device=device)
            if i in self.max_pools:
                H, W = H // 2, W // 2
            C = F
        last = self.num_layers - 1
        params[f"W{last}"] = weights(C * H * W, num_classes, relu=False, device=device, dtype=dtype)
        params[f"b{last}"] = torch.zeros(num_classes, dtype=dtype, device=device)
        self.params = params
        # [end]

    def loss(self, X, y=None):
        """X (N, C, H, W), y (N,) int64 -> (loss, grads); without y, the scores (N, num_classes)."""
        # [task] Compute the scores from the sandwich layers above, and return them if y is None. Otherwise compute the
        # loss, softmax_loss plus penalty, and go backwards through the layers. Return the loss and a dictionary with
        # the gradient of every parameter.

        for bn_param in self.bn_params:
            bn_param["mode"] = "test" if y is None else "train"
        last = self.num_layers - 1
        h, caches = X.to(self.dtype), []
        for i in range(last):
            layer, tensors, settings = self._macro_layer(i)
            h, cache = layer.forward(h, *(self.params[name] for name in tensors), *settings)
            caches.append(cache)
        scores, cache = Linear.forward(h, self.params[f"W{last}"], self.params[f"b{last}"])
        if y is None:
            return scores

        loss, dscores = softmax_loss(scores, y)
        grads = {}
        dh, grads[f"W{last}"], grads[f"b{last}"] = Linear.backward(dscores, cache)
        for i in reversed(range(last)):
            layer, tensors, _ = self._macro_layer(i)
            dh, *dtensors = layer.backward(dh, caches[i], input_grad=i > 0)
            grads.update(zip(tensors, dtensors, strict=True))
        for name in (f"W{i}" for i in range(self.num_layers)):
            loss = loss + self.reg * (self.params[name] ** 2).sum()
            grads[name] = grads[name] + 2 * self.reg * self.params[name]
        return loss, grads
        # [end]

    # [solution]
    def _macro_layer(self, i):
        """The i-th layer's class, the names of its parameters, and its settings, both in the order of its arguments."""
        pools = i in self.max_pools
        tensors, settings = [f"W{i}", f"b{i}"], [{"stride": 1, "pad": 1}]
        if self.batchnorm:
            tensors += [f"gamma{i}", f"beta{i}"]
            settings.append(self.bn_params[i])
        if pools:
            settings.append(HALVING)
        with_norm, without = (Conv_BatchNorm_ReLU_Pool, Conv_ReLU_Pool) if pools else (Conv_BatchNorm_ReLU, Conv_ReLU)
        return with_norm if self.batchnorm else without, tensors, settings

    # [end]

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
    # [task] Choose a weight_scale and a learning rate.
    return 1e-1, 3e-3
    # [end]


# [solution]
class AugmentedConvNet(DeepConvNet):
    """A DeepConvNet that sees every training image mirrored half of the time, and moved by up to `shift` pixels."""

    def __init__(self, shift=0, **settings):
        super().__init__(**settings)
        self.shift = shift

    def loss(self, X, y=None):
        """As in DeepConvNet; only images that come with labels are changed."""
        return super().loss(X if y is None else self._augmented(X), y)

    def _augmented(self, X):
        N, C, H, W = X.shape
        mirrored = (torch.rand(N) < 0.5).to(X.device)
        X = torch.where(mirrored.view(N, 1, 1, 1), X.flip(3), X)
        if self.shift == 0:
            return X
        s = self.shift
        padded = X.new_zeros(N, C, H + 2 * s, W + 2 * s)
        padded[:, :, s : s + H, s : s + W] = X
        down, right = torch.randint(2 * s + 1, (2, N))
        return torch.stack([image[:, i : i + H, j : j + W] for image, i, j in zip(padded, down, right, strict=True)])


def one_cycle(update_rule, num_steps, rise=0.2):
    """`update_rule` with a learning rate that climbs to its configured value and then falls to 0, both linearly.

    num_steps: the length of the training; rise: the share of it that goes into the climb. Source: Smith and Topin,
    Super-Convergence (2017).
    """

    def rule(w, dw, config):
        step, peak = config.get("step", 0) + 1, config["learning_rate"]
        height = min(step / (rise * num_steps), (num_steps - step) / ((1 - rise) * num_steps))
        next_w, config = update_rule(w, dw, {**config, "learning_rate": peak * max(height, 0)})
        config.update(learning_rate=peak, step=step)
        return next_w, config

    return rule


@dataclass(frozen=True)
class Recipe:
    """How a three-layer conv - batch norm - ReLU - pool network is trained on CIFAR-10."""

    num_filters: tuple[int, ...]
    num_epochs: int
    learning_rate: float
    reg: float = 0.0
    shift: int = 0
    batch_size: int = 64


QUICK = Recipe(num_filters=(16, 32, 64), num_epochs=3, learning_rate=6e-3)
GOOD = Recipe(num_filters=(32, 64, 128), num_epochs=3, learning_rate=4e-3)
LONG = Recipe(num_filters=(32, 64, 128), num_epochs=18, learning_rate=4e-3, reg=1e-4, shift=2)


def solver_of(recipe, data_dict, dtype, device):
    """An untrained Solver that will train the recipe's network."""
    model = AugmentedConvNet(
        shift=recipe.shift,
        input_dims=tuple(data_dict["X_train"].shape[1:]),
        num_filters=recipe.num_filters,
        max_pools=range(len(recipe.num_filters)),
        batchnorm=True,
        weight_scale="kaiming",
        reg=recipe.reg,
        dtype=dtype,
        device=device,
    )
    num_steps = recipe.num_epochs * max(len(data_dict["X_train"]) // recipe.batch_size, 1)
    return Solver(
        model,
        data_dict,
        update_rule=one_cycle(adam, num_steps),
        optim_config={"learning_rate": recipe.learning_rate, "beta2": 0.99},
        num_epochs=recipe.num_epochs,
        batch_size=recipe.batch_size,
        num_val_samples=2000,
        print_every=100,
        device=device,
    )


# [end]


def create_convolutional_solver_instance(data_dict, dtype, device):
    """An untrained Solver around a deep network that passes 71 % on the validation images of CIFAR-10."""
    # [task] Make a DeepConvNet and a Solver around it that passes 71 % on the validation images within a minute on a
    # GPU. Do not train it here.

    return solver_of(GOOD, data_dict, dtype, device)
    # [end]
