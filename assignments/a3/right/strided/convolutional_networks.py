"""Windows as views with strides of their own; gradients are gathered by index_add and index_put."""

import torch


class Conv:
    @staticmethod
    def forward(x, w, b, conv_param):
        pad, s = conv_param["pad"], conv_param["stride"]
        xp = torch.nn.functional.pad(x, [pad] * 4)
        (N, C, H, W), (F, _, HH, WW) = xp.shape, w.shape
        OH, OW = (H - HH) // s + 1, (W - WW) // s + 1
        n, c, h, v = xp.stride()
        views = torch.as_strided(xp, (N, C, HH, WW, OH, OW), (n, c, h, v, s * h, s * v))
        columns = views.reshape(N, C * HH * WW, OH * OW)
        out = (w.reshape(F, -1) @ columns).add(b[:, None]).reshape(N, F, OH, OW)
        return out, {"w": w, "columns": columns, "shape": xp.shape, "pad": pad, "stride": s}

    @staticmethod
    def backward(dout, cache):
        w, columns, (N, C, H, W) = cache["w"], cache["columns"], cache["shape"]
        pad, s = cache["pad"], cache["stride"]
        (F, _, HH, WW), (OH, OW) = w.shape, dout.shape[2:]
        d = dout.reshape(N, F, -1)
        dcolumns = (w.reshape(F, -1).T @ d).reshape(N, C, -1)
        rows = torch.arange(HH)[:, None, None, None] + s * torch.arange(OH)[:, None]
        places = rows * W + torch.arange(WW)[:, None, None] + s * torch.arange(OW)
        dxp = dout.new_zeros(N, C, H * W).index_add(2, places.flatten(), dcolumns).view(N, C, H, W)
        dw = (d @ columns.transpose(1, 2)).sum(0).view_as(w)
        return dxp[..., pad : H - pad, pad : W - pad].contiguous(), dw, d.sum((0, 2))


class MaxPool:
    @staticmethod
    def forward(x, pool_param):
        h, w, s = (pool_param[name] for name in ("pool_height", "pool_width", "stride"))
        H, W = x.shape[2:]
        high, wide = s * ((H - h) // s) + 1, s * ((W - w) // s) + 1
        shifted = [x[..., i : i + high : s, j : j + wide : s] for i in range(h) for j in range(w)]
        out, where = torch.stack(shifted).max(dim=0)
        return out, (x.shape, where, pool_param)

    @staticmethod
    def backward(dout, cache):
        shape, where, pool_param = cache
        s, w = pool_param["stride"], pool_param["pool_width"]
        n, c, i, j = torch.meshgrid(*map(torch.arange, dout.shape), indexing="ij")
        at = (n, c, i * s + where.div(w, rounding_mode="floor"), j * s + where % w)
        return dout.new_zeros(shape).index_put_(at, dout, accumulate=True)
