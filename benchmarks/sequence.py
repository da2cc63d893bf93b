"""Forward and backward of A4's reference against torch's own modules with autograd, in one run.

    python benchmarks/sequence.py [--threads 1 2] [--rounds 15] [--cpu]

In every round each row is timed twice, one after the other: ours, torch's. The table shows medians over the rounds:
milliseconds, and the ratio of ours to torch's, taken within a round, so that a busy machine slows both sides of a ratio
alike. Below 1 is faster than torch. float32.
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
sys.path[:0] = [str(ROOT / "reference" / "a4"), str(ROOT / "assignments" / "a4" / "provided")]

from rnn_lstm_captioning import LSTM, RNN  # noqa: E402
from transformers import (  # noqa: E402
    Transformer,
    get_subsequent_mask,
    scaled_dot_product_no_loop_batch,
)

V, M, HEADS, HIDDEN = 16, 64, 4, 128


@dataclass(frozen=True)
class Contest:
    """One row of the table: two functions without arguments that do the same work. No goal: shown for information."""

    name: str
    goal: float | None
    ours: Callable[[], object]
    torchs: Callable[[], object]


def both_ways(function, inputs, parameters=()):
    """Forward and backward of `function`, which returns one tensor."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    dout = torch.randn_like(function(*leaves))
    wanted = [*leaves, *parameters]
    return lambda: torch.autograd.grad(function(*leaves), wanted, dout)


def recurrent(name, ours, theirs, N, T, D, H):
    inputs = torch.randn(N, T, D), torch.randn(N, H)

    def torchs(x, h0):
        state = (h0[None], torch.zeros_like(h0)[None]) if isinstance(theirs, nn.LSTM) else h0[None]
        return theirs(x, state)[0]

    return Contest(
        f"{name}, N {N}, T {T}, {D} -> {H}",
        1.1,
        both_ways(ours, inputs, list(ours.parameters())),
        both_ways(torchs, inputs, list(theirs.parameters())),
    )


def attention(B, T, D, goal):
    """The core; torch's own does not return the weights, and so need not keep them."""
    inputs = [torch.randn(B, T, D) for _ in range(3)]

    def torchs(*qkv):
        return F.scaled_dot_product_attention(*(x[:, None] for x in qkv))[:, 0]

    def ours(*qkv):
        return scaled_dot_product_no_loop_batch(*qkv)[0]

    return Contest(f"attention, {B} x {T} x {D}", goal, both_ways(ours, inputs), both_ways(torchs, inputs))


class Torchs(nn.Module):
    """The same network of torch's own layers."""

    def __init__(self, layers):
        super().__init__()
        self.emb_layer = nn.Embedding(V, M)
        self.both = nn.Transformer(M, HEADS, layers, layers, HIDDEN, 0.0, batch_first=True)
        self.both.encoder.norm = self.both.decoder.norm = None
        self.proj_to_vocab = nn.Linear(M, V)

    def forward(self, ques_b, ques_pos, ans_b, ans_pos):
        ques, ans = self.emb_layer(ques_b) + ques_pos, self.emb_layer(ans_b[:, :-1]) + ans_pos[:, :-1]
        mask = get_subsequent_mask(ans_b[:1, :-1])[0]
        return self.proj_to_vocab(self.both(ques, ans, tgt_mask=mask, tgt_is_causal=True)).flatten(0, 1)


def training_step(N, K, answer, goal, layers=2):
    """Loss and all gradients of 2 + 2 blocks on questions of K words and answers of `answer`."""
    batch = [torch.randint(V, (N, K)), torch.randn(N, K, M), torch.randint(V, (N, answer)), torch.randn(N, answer, M)]

    def stepper(net):
        def run():
            net.zero_grad(set_to_none=True)
            F.cross_entropy(net(*batch), batch[2][:, 1:].reshape(-1)).backward()

        return run

    name = f"Transformer step, N {N}, {K} and {answer} words"
    ours = Transformer(HEADS, M, HIDDEN, 0.0, layers, layers, V)
    return Contest(name, goal, stepper(ours), stepper(Torchs(layers)))


def contests():
    """All rows, in the order of the table."""
    for sizes in ((64, 16, 256, 512), (32, 64, 128, 128)):
        yield recurrent("RNN", RNN(*sizes[2:]), nn.RNN(*sizes[2:], batch_first=True), *sizes)
        yield recurrent("LSTM", LSTM(*sizes[2:]), nn.LSTM(*sizes[2:], batch_first=True), *sizes)
    yield attention(64, 64, 64, 1.2)
    yield attention(64, 256, 64, 1.2)
    yield attention(64, 256, 16, None)
    yield training_step(256, 9, 5, None)
    yield training_step(16, 64, 64, None)


def row(contest, rounds, clock):
    """Race the two against each other. -> a line of the table."""
    racers = (contest.ours, contest.torchs)
    times = race(racers, rounds, clock)
    ours, torchs = medians(times)
    ratio = median(t[0] / t[1] for t in times)
    goal = "" if contest.goal is None else f"{contest.goal:7.1f}  {'yes' if ratio <= contest.goal else 'NO'}"
    return f"{contest.name:42}{ours:8.1f}{torchs:10.1f}{ratio:10.2f}{goal}"


HEADING = f"{'':42}{'ours':>8}{'torch':>10}{'ratio':>10}{'goal':>7}"

if __name__ == "__main__":
    show(__doc__, HEADING, contests, row)
