"""Max pooling, batch normalisation and a whole conv - norm - ReLU - pool, fast: what the nets train with.

As in fast_convolution.py, images lie channels-last and work is done in chunks that stay in the cache. The layers that
follow a convolution are bound by memory, so what counts is how often an image passes through the processor:

1. Sums and sums of squares come out of one passage; batch norm is affine in what remains.
2. In conv - batch norm - ReLU - pool the pool comes first: max commutes with an increasing function, so the affine map
   and the ReLU touch a quarter of the values, and a chunk's gradient is made just before the convolution consumes it.

Letters: N images, C channels, H x W pixels; F filters; outputs OH x OW; n images in a chunk.
"""

import torch
from fast_convolution import FastConv, chunks_of


class FastMaxPool:
    """The same arguments, values and gradients as MaxPool, overlapping windows included.

    Where several entries of a window are largest, one of them takes the whole gradient.
    """

    @staticmethod
    def forward(x, pool_param):
        """x (N, C, H, W), pool_param {pool_height, pool_width, stride} -> out (N, C, OH, OW), cache."""
        (N, C, H, W), (HH, WW, s) = x.shape, _window(pool_param)
        x = x.permute(0, 2, 3, 1).contiguous()
        out = x.new_empty(N, (H - HH) // s + 1, (W - WW) // s + 1, C)
        for chunk in chunks_of(N, x[:1].numel() * x.element_size()):
            pool_forward(x[chunk], out[chunk], pool_param)
        return out.permute(0, 3, 1, 2), (x, out, pool_param)

    @staticmethod
    def backward(dout, cache):
        """dout (N, C, OH, OW) -> dx (N, C, H, W)."""
        x, out, pool_param = cache
        dout = dout.permute(0, 2, 3, 1).contiguous()
        dx = torch.empty_like(x)
        for chunk in chunks_of(len(x), x[:1].numel() * x.element_size()):
            pool_backward(x[chunk], out[chunk], dout[chunk], dx[chunk], pool_param)
        return dx.permute(0, 3, 1, 2)


def _window(pool_param):
    return pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]


def _is_halving(x, pool_param):
    return _window(pool_param) == (2, 2, 2) and x.shape[1] % 2 == x.shape[2] % 2 == 0


def _entries(x, pool_param):
    """For each position in the window, what x (n, H, W, C) has there, for all windows: (n, OH, OW, C)."""
    (_, H, W, _), (HH, WW, s) = x.shape, _window(pool_param)
    rows, cols = (H - HH) // s * s + 1, (W - WW) // s * s + 1
    return [x[:, p : p + rows : s, q : q + cols : s] for p in range(HH) for q in range(WW)]


def pool_forward(x, out, pool_param):
    """Write the maximum of every window of x (n, H, W, C) to out (n, OH, OW, C)."""
    if _is_halving(x, pool_param):
        upper, lower = _row_pairs(x)
        torch.maximum(*_column_pairs(torch.maximum(upper, lower)), out=out)
        return
    first, *others = _entries(x, pool_param)
    out.copy_(first)
    for entry in others:
        torch.maximum(out, entry, out=out)


def pool_backward(x, out, dout, dx, pool_param):
    """Write to dx, in the shape of x, what dout holds for each window, at the place of the maximum."""
    if _is_halving(x, pool_param):
        upper, lower = _row_pairs(x)
        rows = torch.maximum(upper, lower)
        drows = torch.empty_like(rows)
        _hand_to_larger(dout, _column_pairs(rows), _column_pairs(drows))
        _hand_to_larger(drows, (upper, lower), _row_pairs(dx))
        return
    dx.zero_()
    left = dout.clone()  # what no position of the window has taken yet
    taken = torch.empty_like(left)
    for entry, dentry in zip(_entries(x, pool_param), _entries(dx, pool_param), strict=True):
        torch.eq(entry, out, out=taken).mul_(left)
        dentry.add_(taken)
        left -= taken


def _row_pairs(x):
    """(n, H, W, C) -> its even and its odd rows, (n, H / 2, W, C) each."""
    return x[:, 0::2], x[:, 1::2]


def _column_pairs(x):
    """(n, H, W, C) -> its even and its odd columns, (n, H, W / 2, C) each."""
    return x[:, :, 0::2], x[:, :, 1::2]


def _hand_to_larger(dout, pair, dpair):
    """The gradient of maximum(a, b): all of it to b where b is larger, to a elsewhere."""
    (a, b), (da, db) = pair, dpair
    torch.gt(b, a, out=db).mul_(dout)  # a comparison may write its ones and zeros as floats
    torch.sub(dout, db, out=da)


def _sums(y):
    """y (n, H, W, C) -> the sums over all pixels, (C,): image by image first, so that threads can share the images."""
    return y.flatten(1, 2).sum(dim=1).sum(dim=0)


def _add_sums(y, total, squares):
    """Add the sums of y (n, H, W, C) over all pixels, and of its squares, to total and squares (C,)."""
    total += _sums(y)
    squares += _sums(y * y)


def _statistics(y, total, squares, bn_param):
    """Mean and biased variance of each channel of y (N, H, W, C): of the batch in training, the running ones otherwise.

    total and squares (C,) hold the sums of y and y^2 in training; the running averages are brought up to date.
    """
    zeros = torch.zeros_like(total)
    running_mean, running_var = (bn_param.get(key, zeros) for key in ("running_mean", "running_var"))
    if bn_param["mode"] == "test":
        return running_mean, running_var
    M = y.numel() // len(total)
    mean = total / M
    var = squares / M - mean * mean
    if _far_from_zero(mean, var):
        mean = y.double().mean(dim=(0, 1, 2)).to(y.dtype)
        var = (y - mean).square().mean(dim=(0, 1, 2))
    momentum = bn_param.get("momentum", 0.9)
    bn_param["running_mean"] = mean.lerp(running_mean, momentum)
    bn_param["running_var"] = var.lerp(running_var, momentum)
    return mean, var


def _far_from_zero(mean, var):
    """Whether sums over y would leave too few digits for what remains once the mean is taken off."""
    return bool((mean * mean > 1e3 * var).any())


class FastSpatialBatchNorm:
    """The same arguments, values and gradients as SpatialBatchNorm; backward is for a forward in training mode.

    Sums and sums of squares are taken in one passage over the image. What remains is affine in each channel:
    out = a x + c, and with M values in a channel, dx = a (dout - dbeta / M - xhat dgamma / M) = a dout + k1 x + k0.
    """

    @staticmethod
    def forward(x, gamma, beta, bn_param):
        """x (N, C, H, W), gamma, beta (C,) -> out (N, C, H, W), cache."""
        x = x.permute(0, 2, 3, 1).contiguous()
        total, squares = torch.zeros_like(gamma), torch.zeros_like(gamma)
        chunks = chunks_of(len(x), x[:1].numel() * x.element_size())
        if bn_param["mode"] == "train":
            for chunk in chunks:
                _add_sums(x[chunk], total, squares)
        mean, var = _statistics(x, total, squares, bn_param)
        if _far_from_zero(mean, var):
            x, mean = x - mean, torch.zeros_like(mean)
        inv_std = (var + bn_param.get("eps", 1e-5)).rsqrt()
        a = gamma * inv_std
        out = torch.addcmul(beta - mean * a, x, a)
        return out.permute(0, 3, 1, 2), (x, mean, inv_std, a, chunks)

    @staticmethod
    def backward(dout, cache):
        """dout (N, C, H, W) -> dx (N, C, H, W), dgamma, dbeta (C,)."""
        x, mean, inv_std, a, chunks = cache
        M = x.numel() // len(mean)
        dout = dout.permute(0, 2, 3, 1).contiguous()
        dbeta, dgamma = torch.zeros_like(mean), torch.zeros_like(mean)
        for chunk in chunks:
            dbeta += _sums(dout[chunk])
            dgamma += _sums(x[chunk] * dout[chunk])
        dgamma = (dgamma - mean * dbeta) * inv_std  # the sum of dout * xhat, where xhat = (x - mean) * inv_std
        k0, k1 = _norm_coefficients(mean, inv_std, a, dgamma, dbeta, M)
        dx = torch.empty_like(x)
        for chunk in chunks:
            torch.addcmul(k0, x[chunk], k1, out=dx[chunk]).addcmul_(dout[chunk], a)
        return dx.permute(0, 3, 1, 2), dgamma, dbeta


def _norm_coefficients(mean, inv_std, a, dgamma, dbeta, M):
    """k0, k1 with k1 y + k0 = -a (dbeta / M + xhat dgamma / M), where xhat = (y - mean) inv_std."""
    k1 = -a * inv_std * dgamma / M
    return -a * dbeta / M - k1 * mean, k1


class FastConvNormReluPool:
    """conv - batch norm - ReLU - 2x2 max pool as one layer, for positive gamma and even outputs (see `applies`).

    A positive gamma makes y -> max(0, a y + c) increasing, so pool(relu(a y + c)) = relu(a pool(y) + c). Only y, its
    maxima and the output are ever written; sums and maxima are taken while a chunk of y is in the cache.
    """

    @staticmethod
    def applies(x, w, gamma, conv_param, pool_param):
        """True where the short cut is legal."""
        sizes = [(x.shape[i] + 2 * conv_param["pad"] - w.shape[i]) // conv_param["stride"] + 1 for i in (2, 3)]
        return _window(pool_param) == (2, 2, 2) and all(size % 2 == 0 for size in sizes) and bool((gamma > 0).all())

    @staticmethod
    def forward(x, w, b, gamma, beta, conv_param, bn_param, pool_param):
        """x (N, C, H, W), w (F, C, HH, WW), b, gamma, beta (F,) -> out (N, F, OH / 2, OW / 2), cache.

        bn_param as in BatchNorm: mode, eps, momentum, running_mean, running_var; the last two are brought up to date.
        """
        maxima, total, squares = [], torch.zeros_like(b), torch.zeros_like(b)

        def each_chunk(_chunk, y):
            n, OH, OW, F = y.shape
            maxima.append(y.new_empty(n, OH // 2, OW // 2, F))
            pool_forward(y, maxima[-1], pool_param)
            if bn_param["mode"] == "train":
                _add_sums(y, total, squares)

        y, conv_cache = FastConv.forward(x, w, b, conv_param, each_chunk)
        y = y.permute(0, 2, 3, 1)  # (N, OH, OW, F)
        top = torch.cat(maxima)  # (N, OH / 2, OW / 2, F)
        mean, var = _statistics(y, total, squares, bn_param)
        inv_std = (var + bn_param.get("eps", 1e-5)).rsqrt()
        a = gamma * inv_std
        out = torch.addcmul(beta - mean * a, top, a).clamp_(min=0)
        return out.permute(0, 3, 1, 2), (conv_cache, y, top, out, mean, inv_std, a, pool_param)

    @staticmethod
    def backward(dout, cache, input_grad=True):
        """dout (N, F, OH / 2, OW / 2) -> dx, dw, db, dgamma, dbeta. For a forward in training mode.

        With z = a y + c, batch norm's gradient is dy = a dz + k1 y + k0, and dz is 0 except at the maxima.
        """
        conv_cache, y, top, out, mean, inv_std, a, pool_param = cache
        M = y.numel() // len(mean)
        dz = torch.gt(out, 0, out=torch.empty_like(out)).mul_(dout.permute(0, 2, 3, 1))  # (N, OH / 2, OW / 2, F)
        dbeta = _sums(dz)
        dgamma = _sums((top - mean).mul_(dz)) * inv_std
        k0, k1 = _norm_coefficients(mean, inv_std, a, dgamma, dbeta, M)
        dz *= a

        def dy_of(chunk):
            dy = torch.empty_like(y[chunk])
            pool_backward(y[chunk], top[chunk], dz[chunk], dy, pool_param)
            return dy.addcmul_(y[chunk], k1).add_(k0)

        return *FastConv.backward(dy_of, conv_cache, input_grad), dgamma, dbeta
