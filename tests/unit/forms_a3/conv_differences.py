"""Wrong: a convolution whose gradients come from changing one number after the other."""

import torch


class Conv:
    @staticmethod
    def forward(x, w, b, conv_param):
        s, pad = conv_param["stride"], conv_param["pad"]
        xp = torch.nn.functional.pad(x, (pad, pad, pad, pad))
        height, width = (xp.shape[2] - w.shape[2]) // s + 1, (xp.shape[3] - w.shape[3]) // s + 1
        out = b.view(1, -1, 1, 1).repeat(len(x), 1, height, width)
        for p in range(w.shape[2]):
            for q in range(w.shape[3]):
                pixels = xp[:, :, p : p + s * height : s, q : q + s * width : s]
                out += torch.einsum("fc,nchw->nfhw", w[:, :, p, q], pixels)
        return out, (x, w, b, conv_param)

    @staticmethod
    def backward(dout, cache):
        *point, conv_param = (cache[0].clone(), cache[1].clone(), cache[2].clone(), cache[3])
        before, gradients = Conv.forward(*point, conv_param)[0], []
        for value in point:
            slopes, numbers = torch.zeros_like(value), value.view(-1)
            for i in range(len(numbers)):
                numbers[i] += 1
                slopes.view(-1)[i] = ((Conv.forward(*point, conv_param)[0] - before) * dout).sum()
                numbers[i] -= 1
            gradients.append(slopes)
        return tuple(gradients)
