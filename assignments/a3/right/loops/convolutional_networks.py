"""The definitions, window by window; batch normalisation as the steps of a computational graph."""

import torch


class Conv:
    @staticmethod
    def forward(x, w, b, conv_param):
        s, pad = conv_param["stride"], conv_param["pad"]
        N, _, H, W = x.shape
        F, _, HH, WW = w.shape
        xp = torch.nn.functional.pad(x, (pad, pad, pad, pad))
        OH, OW = 1 + (H + 2 * pad - HH) // s, 1 + (W + 2 * pad - WW) // s
        out = torch.zeros((N, F, OH, OW), dtype=x.dtype, device=x.device)
        for n in range(N):
            for f in range(F):
                for i in range(OH):
                    for j in range(OW):
                        window = xp[n, :, i * s : i * s + HH, j * s : j * s + WW]
                        out[n, f, i, j] = (window * w[f]).sum() + b[f]
        return out, (x, w, b, conv_param)

    @staticmethod
    def backward(dout, cache):
        x, w, b, conv_param = cache
        s, pad = conv_param["stride"], conv_param["pad"]
        HH, WW = w.shape[2:]
        xp = torch.nn.functional.pad(x, (pad, pad, pad, pad))
        dxp, dw, db = torch.zeros_like(xp), torch.zeros_like(w), torch.zeros_like(b)
        for n in range(dout.shape[0]):
            for f in range(dout.shape[1]):
                for i in range(dout.shape[2]):
                    for j in range(dout.shape[3]):
                        d = dout[n, f, i, j]
                        rows, columns = slice(i * s, i * s + HH), slice(j * s, j * s + WW)
                        dxp[n, :, rows, columns] += d * w[f]
                        dw[f] += d * xp[n, :, rows, columns]
                        db[f] += d
        return dxp[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]], dw, db


class MaxPool:
    @staticmethod
    def forward(x, pool_param):
        HH, WW, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
        N, C, H, W = x.shape
        out = x.new_zeros(N, C, (H - HH) // s + 1, (W - WW) // s + 1)
        for n in range(N):
            for c in range(C):
                for i in range(out.shape[2]):
                    for j in range(out.shape[3]):
                        out[n, c, i, j] = x[n, c, i * s : i * s + HH, j * s : j * s + WW].max()
        return out, (x, pool_param)

    @staticmethod
    def backward(dout, cache):
        x, pool_param = cache
        HH, WW, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
        dx = torch.zeros_like(x)
        N, C, OH, OW = dout.shape
        for n in range(N):
            for c in range(C):
                for i in range(OH):
                    for j in range(OW):
                        place = int(x[n, c, i * s : i * s + HH, j * s : j * s + WW].argmax())
                        dx[n, c, i * s + place // WW, j * s + place % WW] += dout[n, c, i, j]
        return dx


class BatchNorm:
    @staticmethod
    def forward(x, gamma, beta, bn_param):
        mode, eps, momentum = bn_param["mode"], bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
        D = x.shape[1]
        running_mean = bn_param.get("running_mean", torch.zeros(D, dtype=x.dtype, device=x.device))
        running_var = bn_param.get("running_var", torch.zeros(D, dtype=x.dtype, device=x.device))
        cache = None
        if mode == "train":
            mu = x.sum(dim=0) / x.shape[0]
            xmu = x - mu
            var = (xmu**2).sum(dim=0) / x.shape[0]
            sqrtvar = torch.sqrt(var + eps)
            xhat = xmu / sqrtvar
            out = gamma * xhat + beta
            running_mean = momentum * running_mean + (1 - momentum) * mu
            running_var = momentum * running_var + (1 - momentum) * var
            cache = (xhat, gamma, xmu, sqrtvar)
        elif mode == "test":
            out = gamma * (x - running_mean) / torch.sqrt(running_var + eps) + beta
        else:
            raise ValueError(mode)
        bn_param["running_mean"], bn_param["running_var"] = running_mean.detach(), running_var.detach()
        return out, cache

    @staticmethod
    def backward(dout, cache):
        xhat, gamma, xmu, sqrtvar = cache
        N = dout.shape[0]
        dbeta = dout.sum(dim=0)
        dgamma = (dout * xhat).sum(dim=0)
        dxhat = dout * gamma
        dinvstd = (dxhat * xmu).sum(dim=0)
        dxmu = dxhat / sqrtvar
        dsqrtvar = -dinvstd / sqrtvar**2
        dvar = 0.5 * dsqrtvar / sqrtvar
        dxmu = dxmu + 2 * xmu * dvar / N
        dmu = -dxmu.sum(dim=0)
        return dxmu + dmu / N, dgamma, dbeta

    @staticmethod
    def backward_alt(dout, cache):
        xhat, gamma, _, sqrtvar = cache
        N = dout.shape[0]
        dgamma, dbeta = (dout * xhat).sum(dim=0), dout.sum(dim=0)
        return gamma / (N * sqrtvar) * (N * dout - xhat * dgamma - dbeta), dgamma, dbeta


class SpatialBatchNorm:
    @staticmethod
    def forward(x, gamma, beta, bn_param):
        N, C, H, W = x.shape
        rows = x.permute(0, 2, 3, 1).contiguous().view(-1, C)
        out, cache = BatchNorm.forward(rows, gamma, beta, bn_param)
        return out.view(N, H, W, C).permute(0, 3, 1, 2).contiguous(), cache

    @staticmethod
    def backward(dout, cache):
        N, C, H, W = dout.shape
        dx, dgamma, dbeta = BatchNorm.backward(dout.permute(0, 2, 3, 1).contiguous().view(-1, C), cache)
        return dx.view(N, H, W, C).permute(0, 3, 1, 2).contiguous(), dgamma, dbeta


def kaiming_initializer(Din, Dout, K=None, relu=True, device="cpu", dtype=torch.float32):
    gain = 2.0 if relu else 1.0
    if K is None:
        return torch.zeros(Din, Dout, dtype=dtype, device=device).normal_(0, (gain / Din) ** 0.5)
    weight = torch.zeros(Dout, Din, K, K, dtype=dtype, device=device)
    return weight.normal_(0, (gain / (Din * K * K)) ** 0.5)


class ThreeLayerConvNet:
    def loss(self, X, y=None):
        X = X.to(self.dtype)
        p = self.params
        conv_param = {"stride": 1, "pad": (p["W1"].shape[2] - 1) // 2}
        pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}
        out, c1 = FastConv.forward(X, p["W1"], p["b1"], conv_param)
        out, r1 = ReLU.forward(out)
        out, p1 = FastMaxPool.forward(out, pool_param)
        out, l2 = Linear.forward(out, p["W2"], p["b2"])
        out, r2 = ReLU.forward(out)
        scores, l3 = Linear.forward(out, p["W3"], p["b3"])
        if y is None:
            return scores
        loss, d = softmax_loss(scores, y)
        grads = {}
        d, grads["W3"], grads["b3"] = Linear.backward(d, l3)
        d, grads["W2"], grads["b2"] = Linear.backward(ReLU.backward(d, r2), l2)
        d = ReLU.backward(FastMaxPool.backward(d, p1), r1)
        _, grads["W1"], grads["b1"] = FastConv.backward(d, c1)
        for i in (1, 2, 3):
            loss += self.reg * torch.sum(p[f"W{i}"] ** 2)
            grads[f"W{i}"] += 2 * self.reg * p[f"W{i}"]
        return loss, grads
