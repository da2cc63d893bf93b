"""All windows at once, by as_strided, and sums of products as einsum; spatial normalisation without rearranging."""

import torch


def _windows(x, HH, WW, s):
    N, C, H, W = x.shape
    a, b, c, d = x.stride()
    shape = (N, C, (H - HH) // s + 1, (W - WW) // s + 1, HH, WW)
    return x.as_strided(shape, (a, b, c * s, d * s, c, d))


class Conv:
    @staticmethod
    def forward(x, w, b, conv_param):
        s, pad = conv_param["stride"], conv_param["pad"]
        xp = torch.nn.functional.pad(x, (pad,) * 4).contiguous()
        out = torch.einsum("ncijpq,fcpq->nfij", _windows(xp, *w.shape[2:], s), w) + b[:, None, None]
        return out, (x, w, b, conv_param)

    @staticmethod
    def backward(dout, cache):
        x, w, _, conv_param = cache
        s, pad = conv_param["stride"], conv_param["pad"]
        xp = torch.nn.functional.pad(x, (pad,) * 4).contiguous()
        dw = torch.einsum("ncijpq,nfij->fcpq", _windows(xp, *w.shape[2:], s), dout)
        dxp = torch.zeros_like(xp)
        dwindows = torch.einsum("nfij,fcpq->ncijpq", dout, w)
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                dxp[:, :, s * i : s * i + w.shape[2], s * j : s * j + w.shape[3]] += dwindows[:, :, i, j]
        H, W = x.shape[2:]
        return dxp.narrow(2, pad, H).narrow(3, pad, W), dw, torch.einsum("nfij->f", dout)


class MaxPool:
    @staticmethod
    def forward(x, pool_param):
        windows = _windows(x.contiguous(), pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"])
        return windows.amax(dim=(4, 5)), (x, pool_param)

    @staticmethod
    def backward(dout, cache):
        x, pool_param = cache
        HH, WW, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
        W = x.shape[3]
        place = _windows(x.contiguous(), HH, WW, s).flatten(4).argmax(dim=4)  # (N, C, OH, OW)
        OH, OW = place.shape[2:]
        rows = s * torch.arange(OH)[:, None] + place // WW
        columns = s * torch.arange(OW) + place % WW
        return (
            torch.zeros_like(x).flatten(2).scatter_add(2, (rows * W + columns).flatten(2), dout.flatten(2)).view_as(x)
        )


class BatchNorm:
    @staticmethod
    def forward(x, gamma, beta, bn_param):
        if bn_param["mode"] not in ("train", "test"):
            raise ValueError(bn_param["mode"])
        momentum = bn_param.get("momentum", 0.9)
        running = [bn_param.get(name, torch.zeros_like(beta)) for name in ("running_mean", "running_var")]
        mean, var = running
        if bn_param["mode"] == "train":
            mean, var = x.mean(dim=0), x.var(dim=0, unbiased=False)
            running = [momentum * old + (1 - momentum) * new for old, new in zip(running, (mean, var), strict=True)]
        bn_param["running_mean"], bn_param["running_var"] = running
        std = torch.sqrt(var + bn_param.get("eps", 1e-5))
        xhat = (x - mean) / std
        return xhat * gamma + beta, {"xhat": xhat, "std": std, "gamma": gamma, "mode": bn_param["mode"]}

    @staticmethod
    def backward(dout, cache):
        xhat, std, gamma = cache["xhat"], cache["std"], cache["gamma"]
        N = len(dout)
        dgamma, dbeta = torch.einsum("nd,nd->d", dout, xhat), torch.einsum("nd->d", dout)
        through = dout - dbeta / N - torch.einsum("nd,d->nd", xhat, dgamma) / N
        return torch.einsum("nd,d->nd", through, gamma / std), dgamma, dbeta

    @staticmethod
    def backward_alt(dout, cache):
        g = dout * cache["gamma"]
        xhat = cache["xhat"]
        dx = (g - g.mean(dim=0) - xhat * (g * xhat).mean(dim=0)) / cache["std"]
        return dx, (dout * xhat).sum(dim=0), dout.sum(dim=0)


class SpatialBatchNorm:
    @staticmethod
    def forward(x, gamma, beta, bn_param):
        N, C, H, W = x.shape
        out, cache = BatchNorm.forward(x.transpose(0, 1).reshape(C, -1).t(), gamma, beta, bn_param)
        return out.t().reshape(C, N, H, W).transpose(0, 1), cache

    @staticmethod
    def backward(dout, cache):
        N, C, H, W = dout.shape
        dx, dgamma, dbeta = BatchNorm.backward(dout.transpose(0, 1).reshape(C, -1).t(), cache)
        return dx.t().reshape(C, N, H, W).transpose(0, 1), dgamma, dbeta


def kaiming_initializer(Din, Dout, K=None, relu=True, device="cpu", dtype=torch.float32):
    shape = (Din, Dout) if K is None else (Dout, Din, K, K)
    fan_in = Din * (1 if K is None else K**2)
    std = torch.sqrt(torch.tensor((1.0 + relu) / fan_in))
    return torch.normal(0.0, float(std), size=shape, device=device, dtype=dtype)


class DeepConvNet:
    def loss(self, X, y=None):
        X = X.to(self.dtype)
        for bn_param in self.bn_params:
            bn_param["mode"] = "train" if y is not None else "test"
        conv_param, pool_param = {"stride": 1, "pad": 1}, {"pool_height": 2, "pool_width": 2, "stride": 2}
        out, caches = X, []
        for i in range(self.num_layers - 1):
            w, b = self.params[f"W{i}"], self.params[f"b{i}"]
            if self.batchnorm:
                norm = self.params[f"gamma{i}"], self.params[f"beta{i}"]
            if self.batchnorm and i in self.max_pools:
                out, cache = Conv_BatchNorm_ReLU_Pool.forward(
                    out, w, b, *norm, conv_param, self.bn_params[i], pool_param
                )
            elif self.batchnorm:
                out, cache = Conv_BatchNorm_ReLU.forward(out, w, b, *norm, conv_param, self.bn_params[i])
            elif i in self.max_pools:
                out, cache = Conv_ReLU_Pool.forward(out, w, b, conv_param, pool_param)
            else:
                out, cache = Conv_ReLU.forward(out, w, b, conv_param)
            caches.append(cache)
        last = self.num_layers - 1
        scores, cache = Linear.forward(out, self.params[f"W{last}"], self.params[f"b{last}"])
        if y is None:
            return scores
        loss, d = softmax_loss(scores, y)
        grads = {}
        d, dw, grads[f"b{last}"] = Linear.backward(d, cache)
        grads[f"W{last}"] = dw + 2 * self.reg * self.params[f"W{last}"]
        loss += self.reg * (self.params[f"W{last}"] ** 2).sum()
        for i in range(last - 1, -1, -1):
            kinds = {
                (True, True): Conv_BatchNorm_ReLU_Pool,
                (True, False): Conv_BatchNorm_ReLU,
                (False, True): Conv_ReLU_Pool,
                (False, False): Conv_ReLU,
            }
            d, dw, *rest = kinds[bool(self.batchnorm), i in self.max_pools].backward(d, caches[i])
            grads[f"W{i}"] = dw + 2 * self.reg * self.params[f"W{i}"]
            for name, value in zip(("b", "gamma", "beta"), rest, strict=False):
                grads[f"{name}{i}"] = value
            loss += self.reg * (self.params[f"W{i}"] ** 2).sum()
        return loss, grads
