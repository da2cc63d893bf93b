"""A DeepConvNet that names its parameters by layer, not by letter and number, and works layer by layer."""

import torch
from a3_helper import softmax_loss
from fully_connected_networks import Linear, ReLU


class DeepConvNet:
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
        like = {"dtype": dtype, "device": device}
        self.reg, self.dtype, self.batchnorm, self.max_pools = reg, dtype, batchnorm, max_pools
        self.num_layers = len(num_filters) + 1
        self.params = {}

        def normal(*shape, kaiming):
            if weight_scale == "kaiming":
                return kaiming_initializer(*kaiming, **like)
            return weight_scale * torch.randn(*shape, **like)

        (channels, height, width) = input_dims
        for i, filters in enumerate(num_filters):
            self.params[f"conv{i}_w"] = normal(filters, channels, 3, 3, kaiming=(channels, filters, 3))
            self.params[f"conv{i}_bias"] = torch.zeros(filters, **like)
            if batchnorm:
                self.params[f"norm{i}_gamma"] = torch.ones(filters, **like)
                self.params[f"norm{i}_beta"] = torch.zeros(filters, **like)
            if i in max_pools:
                height, width = height // 2, width // 2
            channels = filters
        size = channels * height * width
        self.params["W_last"] = normal(size, num_classes, kaiming=(size, num_classes))
        self.params["b_last"] = torch.zeros(num_classes, **like)
        self.bn_params = [{"mode": "train"} for _ in num_filters] if batchnorm else []

    def loss(self, X, y=None):
        p, out, undo = self.params, X.to(self.dtype), []
        pool = {"pool_height": 2, "pool_width": 2, "stride": 2}
        for i in range(self.num_layers - 1):
            w, b = p[f"conv{i}_w"], p[f"conv{i}_bias"]
            out, cache = FastConv.forward(out, w, b, {"stride": 1, "pad": 1})
            undo.append((FastConv, cache, (f"conv{i}_w", f"conv{i}_bias")))
            if self.batchnorm:
                self.bn_params[i]["mode"] = "test" if y is None else "train"
                names = f"norm{i}_gamma", f"norm{i}_beta"
                out, cache = SpatialBatchNorm.forward(out, p[names[0]], p[names[1]], self.bn_params[i])
                undo.append((SpatialBatchNorm, cache, names))
            out, cache = ReLU.forward(out)
            undo.append((ReLU, cache, ()))
            if i in self.max_pools:
                out, cache = FastMaxPool.forward(out, pool)
                undo.append((FastMaxPool, cache, ()))
        scores, cache = Linear.forward(out, p["W_last"], p["b_last"])
        undo.append((Linear, cache, ("W_last", "b_last")))
        if y is None:
            return scores
        loss, d = softmax_loss(scores, y)
        grads = {}
        for layer, cache, names in reversed(undo):
            got = layer.backward(d, cache)
            d, rest = (got[0], got[1:]) if names else (got, ())
            grads.update(zip(names, rest, strict=True))
        for name in [name for name in p if name == "W_last" or name.endswith("_w")]:
            loss = loss + self.reg * (p[name] ** 2).sum()
            grads[name] = grads[name] + 2 * self.reg * p[name]
        return loss, grads
