"""Forward and backward of the reference's layers against torch.nn with autograd, in one run.

    python benchmarks/layers.py [--threads 1 2] [--rounds 15] [--cpu]

In every round each layer is timed three times, one after the other: ours, torch's in the default layout, torch's in
channels-last. The table shows medians over the rounds: milliseconds, and the ratios of ours to torch's faster layout
and to its default layout, taken within a round, so that a busy machine slows both sides of a ratio alike. Below 1 is
faster than torch. N = 128 images, float32.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from race import medians, race, show
from torch import nn
from torch.nn import functional as F

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "reference" / "a3"), str(ROOT / "assignments" / "a3" / "provided")]

from convolutional_networks import (  # noqa: E402
    BatchNorm,
    DeepConvNet,
    FastConv,
    FastMaxPool,
    FastSpatialBatchNorm,
)
from fully_connected_networks import Linear, ReLU  # noqa: E402

N = 128
FILTERS = (32, 64, 128)
HALVING = {"pool_height": 2, "pool_width": 2, "stride": 2}


@dataclass(frozen=True)
class Contest:
    """One row of the table: three functions without arguments that do the same work."""

    name: str
    goal: float
    ours: Callable[[], object]
    default: Callable[[], object]
    channels_last: Callable[[], object]


def layer(name, goal, ours, oracle, shapes, *settings):
    """A contest over one layer. `shapes`: of its tensors, the first being the input."""
    tensors = [torch.randn(shape) for shape in shapes]
    dout = torch.randn_like(oracle(*tensors))

    def torchs(memory_format):
        leaves = [in_layout(t, memory_format).requires_grad_() for t in tensors]
        upstream = in_layout(dout, memory_format)
        return lambda: torch.autograd.grad(oracle(*leaves), leaves, upstream)

    given, upstream = [in_layout(t, torch.channels_last) for t in tensors], in_layout(dout, torch.channels_last)

    def run():
        _, cache = ours.forward(*given, *settings)
        return ours.backward(upstream, cache)

    return Contest(name, goal, run, torchs(torch.contiguous_format), torchs(torch.channels_last))


def in_layout(t, memory_format):
    return t.detach().clone(memory_format=memory_format if t.dim() == 4 else torch.contiguous_format)


def convolution(C, M, size):
    shapes = (N, C, size, size), (M, C, 3, 3), (M,)
    return layer(
        f"conv 3x3, {C} -> {M}, {size} x {size}",
        1.2,
        FastConv,
        lambda x, w, b: F.conv2d(x, w, b, 1, 1),
        shapes,
        {"stride": 1, "pad": 1},
    )


def norm(features):
    mean, var = torch.zeros(features), torch.ones(features)
    return lambda x, gamma, beta: F.batch_norm(x, mean, var, gamma, beta, training=True)


def training_step():
    """Loss and all gradients of {conv - batch norm - ReLU - pool} x 3 - linear - softmax."""
    ours = DeepConvNet(num_filters=FILTERS, max_pools=range(3), batchnorm=True, weight_scale="kaiming")
    X, y = torch.randn(N, 3, 32, 32), torch.randint(10, (N,))

    def torchs(memory_format):
        blocks, C = [], 3
        for M in FILTERS:
            blocks += [nn.Conv2d(C, M, 3, padding=1), nn.BatchNorm2d(M), nn.ReLU(), nn.MaxPool2d(2)]
            C = M
        net = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(C * 4 * 4, 10)).to(memory_format=memory_format)
        images = X.contiguous(memory_format=memory_format)

        def run():
            net.zero_grad(set_to_none=True)
            F.cross_entropy(net(images), y).backward()

        return run

    name = "training step, conv-BN-ReLU-pool x 3"
    return Contest(name, 1.2, lambda: ours.loss(X, y), torchs(torch.contiguous_format), torchs(torch.channels_last))


def contests():
    """All rows, in the order of the table."""
    image = (N, 32, 32, 32)
    yield layer("Linear, 3072 -> 512", 1.3, Linear, lambda x, w, b: x @ w + b, ((N, 3072), (3072, 512), (512,)))
    yield layer("ReLU, 32 x 32 x 32", 1.3, ReLU, F.relu, (image,))
    rows = (N, 1024), (1024,), (1024,)
    yield layer("BatchNorm, 1024 features", 1.3, BatchNorm, norm(1024), rows, {"mode": "train"})
    pixels = image, (32,), (32,)
    yield layer("BatchNorm, 32 x 32 x 32", 1.3, FastSpatialBatchNorm, norm(32), pixels, {"mode": "train"})
    yield layer("MaxPool 2x2, 32 x 32 x 32", 1.3, FastMaxPool, lambda x: F.max_pool2d(x, 2), (image,), HALVING)
    for sizes in ((3, 32, 32), (32, 64, 16), (64, 128, 8)):
        yield convolution(*sizes)
    yield training_step()


def row(contest, rounds, clock):
    """Race the three against one another. -> a line of the table."""
    racers = (contest.ours, contest.default, contest.channels_last)
    times = race(racers, rounds, clock)
    ours, default, last = medians(times)
    fastest = 1 if default < last else 2
    to_fastest = median(t[0] / t[fastest] for t in times)
    to_default = median(t[0] / t[1] for t in times)
    met = "yes" if to_fastest <= contest.goal else "NO"
    return (
        f"{contest.name:38}{ours:8.1f}{default:10.1f}{last:10.1f}{to_fastest:12.2f}{to_default:12.2f}"
        f"{contest.goal:7.1f}  {met}"
    )


HEADING = f"{'':38}{'ours':>8}{'default':>10}{'ch.-last':>10}{'to fastest':>12}{'to default':>12}{'goal':>7}"

if __name__ == "__main__":
    show(__doc__, HEADING, contests, row)
