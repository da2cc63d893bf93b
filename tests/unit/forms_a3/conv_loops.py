"""Right, and as slow as it gets: every product of a convolution, and of its gradients, in a loop of its own."""

import torch


class Conv:
    @staticmethod
    def forward(x, w, b, conv_param):
        s, pad = conv_param["stride"], conv_param["pad"]
        xp = torch.nn.functional.pad(x, (pad, pad, pad, pad))
        height, width = (xp.shape[2] - w.shape[2]) // s + 1, (xp.shape[3] - w.shape[3]) // s + 1
        out = torch.zeros(len(x), len(w), height, width, dtype=x.dtype)
        for n, f, i, j in torch.cartesian_prod(*map(torch.arange, out.shape)).tolist():
            window = xp[n, :, i * s : i * s + w.shape[2], j * s : j * s + w.shape[3]]
            out[n, f, i, j] = (window * w[f]).sum() + b[f]
        return out, (x, w, conv_param)

    @staticmethod
    def backward(dout, cache):
        x, w, conv_param = cache
        s, pad = conv_param["stride"], conv_param["pad"]
        xp = torch.nn.functional.pad(x, (pad, pad, pad, pad))
        dxp, dw = torch.zeros_like(xp), torch.zeros_like(w)
        for n, f, i, j in torch.cartesian_prod(*map(torch.arange, dout.shape)).tolist():
            for c in range(x.shape[1]):
                for p in range(w.shape[2]):
                    for q in range(w.shape[3]):
                        dw[f, c, p, q] += dout[n, f, i, j] * xp[n, c, i * s + p, j * s + q]
                        dxp[n, c, i * s + p, j * s + q] += dout[n, f, i, j] * w[f, c, p, q]
        return dxp[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]], dw, dout.sum(dim=(0, 2, 3))
