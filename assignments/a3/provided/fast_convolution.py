"""Convolution at the speed of a library, from nothing but matrix products and element-wise arithmetic.

`Conv` in convolutional_networks.py says what is computed; FastConv computes the same. Four ideas make it fast:

1. Images lie channels-last, (N, H, W, C) in memory, so a pixel is a contiguous vector of channels and a convolution is
   matrix products over pixels. Tensors keep the outward shape (N, C, H, W); only their strides tell.
2. Few input channels (a first layer): every window becomes a column, and one product does the image ("im2col").
3. Many channels, 3x3 windows: Winograd's F(4x4, 3x3) makes 4x4 outputs from a 6x6 tile with 36 products instead of 144.
   Its transforms are linear maps of the tile, so they too are matrix products, by Kronecker products of small matrices.
4. Everything happens in chunks of a few images: what one step writes is still in the cache when the next one reads it.

Letters: N images, C input channels, H x W pixels; F filters of HH x WW; outputs OH x OW; n images in a chunk.
"""

import torch

_CHUNK_BYTES = 2**21  # of one chunk's working set: large enough for good matrix products, small enough for the cache


def chunks_of(N, bytes_per_image):
    """0 ... N - 1 as slices of nearly equal length whose working sets fit the cache."""
    count = max(1, min(N, N * bytes_per_image // _CHUNK_BYTES))
    return [slice(i * N // count, (i + 1) * N // count) for i in range(count)]


class FastConv:
    """The same arguments, values and gradients as Conv, for every stride, padding and window."""

    @staticmethod
    def forward(x, w, b, conv_param, each_chunk=None):
        """x (N, C, H, W), w (F, C, HH, WW), b (F,), conv_param {stride, pad} -> out (N, F, OH, OW), cache.

        each_chunk(chunk, out[chunk] as (n, OH, OW, F)), if given, is called while the chunk is still in the cache.
        """
        F, C, HH, WW = w.shape
        stride, pad = conv_param["stride"], conv_param["pad"]
        tiles = (HH, WW, stride) == (3, 3, 1) and min(x.shape[2:]) + 2 * pad >= 6 and min(C, F) >= 16
        method = Winograd if tiles else Im2col
        out, method_cache = method.forward(x, w, b, stride, pad, each_chunk or (lambda chunk, out: None))
        return out.permute(0, 3, 1, 2), (method, method_cache)

    @staticmethod
    def backward(dout, cache, input_grad=True):
        """dout (N, F, OH, OW) -> dx (N, C, H, W), dw (F, C, HH, WW), db (F,).

        A first layer has no use for dx: with input_grad=False None takes its place. Instead of a tensor, dout may be a
        function that makes dout[chunk] as a contiguous (n, OH, OW, F).
        """
        method, method_cache = cache
        if callable(dout):
            return method.backward(dout, method_cache, input_grad)
        dout = dout.permute(0, 2, 3, 1).contiguous()
        return method.backward(lambda chunk: dout[chunk], method_cache, input_grad)


class Im2col:
    """out[n] = columns[n]^T wb, where a column is one window and, below it, a 1 that the bias is multiplied with."""

    @staticmethod
    def forward(x, w, b, s, pad, each_chunk):
        """-> out (N, OH, OW, F), cache."""
        (N, C, H, W), (F, _, HH, WW) = x.shape, w.shape
        OH, OW = (H + 2 * pad - HH) // s + 1, (W + 2 * pad - WW) // s + 1
        xp = x.new_zeros(N, C, H + 2 * pad, W + 2 * pad)
        xp[:, :, pad : pad + H, pad : pad + W] = x
        sn, sc, sh, sw = xp.stride()
        windows = xp.as_strided((N, C, HH, WW, OH, OW), (sn, sc, sh, sw, s * sh, s * sw))
        wb = torch.cat([w.reshape(F, -1).t(), b.unsqueeze(0)])  # (K, F), K = C * HH * WW + 1

        out = x.new_empty(N, OH, OW, F)
        chunks = chunks_of(N, len(wb) * OH * OW * x.element_size())
        for chunk in chunks:
            cols = Im2col.columns(windows[chunk])  # (n, K, OH * OW)
            n = len(cols)
            torch.bmm(cols.transpose(1, 2), wb.expand(n, -1, F), out=out[chunk].view(n, OH * OW, F))
            each_chunk(chunk, out[chunk])
        return out, (x, w, windows, wb, s, pad, chunks)

    @staticmethod
    def columns(windows):
        """(n, C, HH, WW, OH, OW) -> (n, C * HH * WW + 1, OH * OW), ones in the last row."""
        n, C, HH, WW, OH, OW = windows.shape
        K = C * HH * WW + 1
        cols = windows.new_empty(n, K, OH * OW)
        cols[:, : K - 1].view(windows.shape).copy_(windows)
        cols[:, K - 1] = 1
        return cols

    @staticmethod
    def backward(dout_of, cache, input_grad):
        """Two transposed products a chunk; the gradient of a column goes back to the pixels that it was copied from."""
        x, w, windows, wb, s, pad, chunks = cache
        (C, HH, WW, OH, OW), (K, F), (H, W) = windows.shape[1:], wb.shape, x.shape[2:]
        dwb = torch.zeros_like(wb)
        dx = torch.empty(x.shape, dtype=x.dtype, device=x.device) if input_grad else None
        for chunk in chunks:
            dout = dout_of(chunk)
            n = len(dout)
            dout = dout.view(n, OH * OW, F)
            dwb += torch.bmm(Im2col.columns(windows[chunk]), dout).sum(dim=0)
            if input_grad:
                dcols = torch.bmm(wb[: K - 1].expand(n, K - 1, F), dout.transpose(1, 2)).view(n, C, HH, WW, OH, OW)
                dxp = x.new_zeros(n, C, H + 2 * pad, W + 2 * pad)
                for p in range(HH):
                    for q in range(WW):
                        dxp[:, :, p : p + s * OH : s, q : q + s * OW : s] += dcols[:, :, p, q]
                dx[chunk] = dxp[:, :, pad : pad + H, pad : pad + W]
        return dx, dwb[: K - 1].t().reshape(w.shape), dwb[K - 1].clone()


# Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (CVPR 2016), section 4.3. In one dimension, with a
# signal d of 6 and a filter g of 3, the 4 outputs are A^T ((G g) * (B^T d)): both polynomials are evaluated at the
# points 0, 1, -1, 2, -2 and infinity, multiplied there, and the product's coefficients are recovered.
_BT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_G = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
_AT = (
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 2, -2, 0),
    (0, 1, 1, 4, 4, 0),
    (0, 1, -1, 8, -8, 1),
)


def _squared(rows, like):
    """M (x) M: the matrix that does in one go what M does to the rows and then to the columns of a flattened tile."""
    m = torch.tensor(rows, dtype=like.dtype, device=like.device)
    return torch.kron(m, m)


class Winograd:
    """3x3 filters at stride 1, in tiles: Y = A^T [U * V] A with U = G g G^T and V = B^T d B, summed over channels.

    The element-wise product over 36 tile positions, summed over C channels, is 36 matrix products (T, C) (C, F), where
    T counts the tiles. Every step is linear in the image and in the filter, so backward runs the transposes in reverse.
    """

    @staticmethod
    def forward(x, w, b, _stride, pad, each_chunk):
        """-> out (N, OH, OW, F), cache."""
        (N, C, H, W), F = x.shape, len(w)
        OH, OW = H + 2 * pad - 2, W + 2 * pad - 2
        th, tw = -(-OH // 4), -(-OW // 4)  # tiles down and across; the last ones may hang over the edge
        BB, GG, AA = (_squared(rows, x) for rows in (_BT, _G, _AT))
        U = (GG @ w.permute(2, 3, 1, 0).reshape(9, C * F)).view(36, C, F)

        pixels = x.permute(0, 2, 3, 1)
        out = x.new_empty(N, OH, OW, F)
        chunks = chunks_of(N, 36 * th * tw * (C + F) * x.element_size())
        Vs = []
        for chunk in chunks:
            n = chunk.stop - chunk.start
            xp = x.new_zeros(n, 4 * th + 2, 4 * tw + 2, C)
            xp[:, pad : pad + H, pad : pad + W] = pixels[chunk]
            sn, sh, sw, _ = xp.stride()
            tiles = xp.as_strided((6, 6, n, th, tw, C), (sh, sw, sn, 4 * sh, 4 * sw, 1))
            V = (BB @ tiles.reshape(36, -1)).view(36, n * th * tw, C)
            M = torch.bmm(V, U)  # (36, T, F)
            Y = (AA @ M.view(36, -1)).view(4, 4, n, th, tw, F).permute(2, 3, 0, 4, 1, 5)  # (n, th, 4, tw, 4, F)
            whole = out[chunk] if (4 * th, 4 * tw) == (OH, OW) else x.new_empty(n, 4 * th, 4 * tw, F)
            torch.add(Y, b, out=whole.view(n, th, 4, tw, 4, F))
            if whole.shape != out[chunk].shape:
                out[chunk] = whole[:, :OH, :OW]
            each_chunk(chunk, out[chunk])
            Vs.append(V)
        return out, (x, w, pad, U, Vs, chunks)

    @staticmethod
    def backward(dout_of, cache, input_grad):
        """dM = A dY A^T; dU = V^T dM; dV = dM U^T; overlapping tiles B dV B^T add up to dx; dw = G^T dU G."""
        x, w, pad, U, Vs, chunks = cache
        (N, C, H, W), F = x.shape, len(w)
        OH, OW = H + 2 * pad - 2, W + 2 * pad - 2
        th, tw = -(-OH // 4), -(-OW // 4)
        BB, GG, AA = (_squared(rows, x).t().contiguous() for rows in (_BT, _G, _AT))
        UT = U.transpose(1, 2).contiguous()

        dU, db = torch.zeros_like(U), torch.zeros_like(w[:, 0, 0, 0])
        dx = x.new_empty(N, H, W, C) if input_grad else None
        for chunk, V in zip(chunks, Vs, strict=True):
            whole = dout = dout_of(chunk)
            n = len(dout)
            if (4 * th, 4 * tw) != (OH, OW):
                whole = x.new_zeros(n, 4 * th, 4 * tw, F)
                whole[:, :OH, :OW] = dout
            dY = whole.view(n, th, 4, tw, 4, F).permute(2, 4, 0, 1, 3, 5).reshape(16, -1)
            dM = (AA @ dY).view(36, n * th * tw, F)
            db += dM[7].sum(dim=0)  # position (1, 1) evaluates the tile at the point 1, 1: the sum of its entries
            dU.baddbmm_(V.transpose(1, 2), dM)
            if input_grad:
                dtiles = (BB @ torch.bmm(dM, UT).view(36, -1)).view(6, 6, n, th, tw, C)
                dx[chunk] = Winograd.add_up(dtiles)[:, pad : pad + H, pad : pad + W]
        dw = (GG @ dU.view(36, -1)).view(3, 3, C, F).permute(3, 2, 0, 1)
        return dx.permute(0, 3, 1, 2) if input_grad else None, dw.contiguous(), db

    @staticmethod
    def add_up(tiles):
        """(6, 6, n, th, tw, C), tiles at distance 4 -> (n, 4 th + 4, 4 tw + 4, C), the two shared rows added."""
        _, _, n, th, tw, C = tiles.shape
        sum_ = tiles.new_zeros(n, th + 1, 4, tw + 1, 4, C)
        tiles = tiles.permute(2, 3, 0, 4, 1, 5)  # (n, th, 6, tw, 6, C)
        sum_[:, :th, :, :tw] = tiles[:, :, :4, :, :4]
        sum_[:, :th, :, 1:, :2] += tiles[:, :, :4, :, 4:]
        sum_[:, 1:, :2, :tw] += tiles[:, :, 4:, :, :4]
        sum_[:, 1:, :2, 1:, :2] += tiles[:, :, 4:, :, 4:]
        return sum_.view(n, 4 * th + 4, 4 * tw + 4, C)
