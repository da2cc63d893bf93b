"""Convolution as one matrix product over columns of pixels, pooling from the last window to the first."""

import torch


def _columns(xp, HH, WW, s):
    OH, OW = (xp.shape[2] - HH) // s + 1, (xp.shape[3] - WW) // s + 1
    i = s * torch.arange(OH)[:, None, None, None] + torch.arange(HH)[:, None]
    j = s * torch.arange(OW)[:, None, None] + torch.arange(WW)
    return xp[:, :, i, j], i, j  # (N, C, OH, OW, HH, WW)


class Conv:
    @staticmethod
    def forward(x, w, b, conv_param):
        N, F, pad = len(x), len(w), conv_param["pad"]
        xp = x.new_zeros(N, x.shape[1], x.shape[2] + 2 * pad, x.shape[3] + 2 * pad)
        xp[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]] = x
        pixels, _, _ = _columns(xp, *w.shape[2:], conv_param["stride"])
        OH, OW = pixels.shape[2:4]
        product = pixels.permute(0, 2, 3, 1, 4, 5).reshape(N * OH * OW, -1) @ w.reshape(F, -1).T
        return (product + b).reshape(N, OH, OW, F).permute(0, 3, 1, 2), (xp, w, conv_param, x.shape)

    @staticmethod
    def backward(dout, cache):
        xp, w, conv_param, shape = cache
        pad, F = conv_param["pad"], len(w)
        pixels, i, j = _columns(xp, *w.shape[2:], conv_param["stride"])
        rows = dout.permute(0, 2, 3, 1).reshape(-1, F)
        dw = (rows.T @ pixels.permute(0, 2, 3, 1, 4, 5).reshape(len(rows), -1)).reshape(w.shape)
        N, _, OH, OW = dout.shape
        back = (rows @ w.reshape(F, -1)).reshape(N, OH, OW, *w.shape[1:]).permute(0, 3, 1, 2, 4, 5)
        n = torch.arange(N).reshape(-1, 1, 1, 1, 1, 1)
        c = torch.arange(w.shape[1]).reshape(1, -1, 1, 1, 1, 1)
        dxp = torch.zeros_like(xp).index_put((n, c, i[None, None], j[None, None]), back, accumulate=True)
        H, W = shape[2:]
        return dxp[:, :, pad : pad + H, pad : pad + W].clone(), dw, rows.sum(dim=0)


class MaxPool:
    @staticmethod
    def forward(x, pool_param):
        HH, WW, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
        pixels, _, _ = _columns(x, HH, WW, s)
        return pixels.reshape(*pixels.shape[:4], -1).max(dim=-1).values, (x, pool_param)

    @staticmethod
    def backward(dout, cache):
        x, pool_param = cache
        HH, WW, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
        dx = torch.zeros_like(x)
        for i in reversed(range(dout.shape[2])):
            for j in reversed(range(dout.shape[3])):
                window = x[:, :, s * i : s * i + HH, s * j : s * j + WW]
                best = window.amax(dim=(2, 3), keepdim=True)
                won = (window == best).to(x.dtype)
                first = won * (won.flatten(2).cumsum(dim=2).view_as(won) == 1)
                dx[:, :, s * i : s * i + HH, s * j : s * j + WW] += first * dout[:, :, i, j, None, None]
        return dx


class BatchNorm:
    @staticmethod
    def forward(x, gamma, beta, bn_param):
        mode, eps, rho = bn_param["mode"], bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
        mean = bn_param.setdefault("running_mean", torch.zeros_like(x[0]))
        var = bn_param.setdefault("running_var", torch.zeros_like(x[0]))
        if mode == "test":
            return (x - mean) * (gamma * (var + eps) ** -0.5) + beta, None
        if mode != "train":
            raise ValueError(mode)
        m = torch.mean(x, dim=0, keepdim=True)
        v = torch.mean(torch.square(x - m), dim=0, keepdim=True)
        bn_param["running_mean"] = mean + (1 - rho) * (m[0] - mean)
        bn_param["running_var"] = var + (1 - rho) * (v[0] - var)
        std = torch.sqrt(v + eps)
        return beta + gamma * (x - m) / std, (x, m, std, gamma)

    @staticmethod
    def backward(dout, cache):
        x, m, std, gamma = cache
        xhat = (x - m) / std
        dxhat = dout * gamma
        dstd = -(dxhat * xhat).sum(dim=0, keepdim=True) / std
        dv = dstd / (2 * std)
        dm = -dxhat.sum(dim=0, keepdim=True) / std
        dx = dxhat / std + dv * 2 * (x - m) / len(x) + dm / len(x)
        return dx, (dout * xhat).sum(dim=0), dout.sum(dim=0)

    @staticmethod
    def backward_alt(dout, cache):
        x, m, std, gamma = cache
        xhat, N = (x - m) / std, len(x)
        centring = torch.eye(N, dtype=x.dtype) - 1 / N
        inner = centring @ dout - xhat * (xhat * dout).mean(dim=0)
        return inner * gamma / std, (dout * xhat).sum(dim=0), dout.sum(dim=0)


class SpatialBatchNorm:
    @staticmethod
    def forward(x, gamma, beta, bn_param):
        moved = x.movedim(1, -1)
        out, cache = BatchNorm.forward(moved.reshape(-1, x.shape[1]), gamma, beta, bn_param)
        return out.reshape(moved.shape).movedim(-1, 1), cache

    @staticmethod
    def backward(dout, cache):
        moved = dout.movedim(1, -1)
        dx, dgamma, dbeta = BatchNorm.backward(moved.reshape(-1, dout.shape[1]), cache)
        return dx.reshape(moved.shape).movedim(-1, 1), dgamma, dbeta
