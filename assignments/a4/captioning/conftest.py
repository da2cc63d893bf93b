"""What the checks of captioning share: the right formulas, and networks of the submission with weights from the check.

The right formulas are made of torch's own cells, in float64. A student's network gets its weights through its own
state_dict: a parameter is known by its name where the handout gives it one, and else by its shape, transposed or not,
so that a layer may be an nn.Linear as well as a matrix of one's own. Nothing rests on what a constructor draws.

Files of 2020 are graded as well: there an LSTM is a set of functions, the image comes as features, and the cell type
with attention is called "attention".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from grader.contract.verdict import CheckFailed, Explanation, SubmissionProblem

MODULE = "rnn_lstm_captioning"
Weights = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Kit:
    """The fixtures that the helpers below work with."""

    student: Any
    expect: Any
    draw: Any
    note: Any
    cost: Any
    right: Any  # the right formulas, for fixtures in folders below
    roles: Any

    @property
    def module(self) -> Any:
        return getattr(self.student, MODULE)

    def has(self, name: str) -> bool:
        return not self.student.missing(f"{MODULE}.{name}")


@pytest.fixture
def kit(student, expect, draw, note, cost):
    """All that a check works with, in one."""
    return Kit(student, expect, draw, note, cost, SimpleNamespace(**RIGHT), Roles)


@pytest.fixture
def cell(kit):
    """`cell("LSTM", D, H)`: a recurrent layer of the submission, see Cell."""
    return partial(Cell, kit)


# ---- the right formulas --------------------------------------------------------------------------------------------


def rnn_step(x, h, Wx, Wh, b):
    return torch.rnn_tanh_cell(x, h, Wx.t(), Wh.t(), b, torch.zeros_like(b))


def rnn(x, h, Wx, Wh, b):
    states = []
    for t in range(x.shape[1]):
        h = rnn_step(x[:, t], h, Wx, Wh, b)
        states.append(h)
    return torch.stack(states, 1)


def reordered(W, order="ifog"):
    """The gates of torch's own cell, i, f, g, o, one below the other, from ours, side by side in this order."""
    parts = dict(zip(order, W.chunk(4, dim=-1), strict=True))
    return torch.cat([parts[gate] for gate in "ifgo"], dim=-1).t()


def lstm_step(x, h, c, Wx, Wh, b, order="ifog"):
    b = reordered(b, order)
    return torch.lstm_cell(x, (h, c), reordered(Wx, order), reordered(Wh, order), b, torch.zeros_like(b))


def attention_step(x, h, c, attn, Wx, Wh, Wattn, b, order="ifog"):
    """Attention is a second input."""
    return lstm_step(torch.cat([x, attn], 1), h, c, torch.cat([Wx, Wattn]), Wh, b, order)


def lstm(x, h, Wx, Wh, b):
    c, states = torch.zeros_like(h), []
    for t in range(x.shape[1]):
        h, c = lstm_step(x[:, t], h, c, Wx, Wh, b)
        states.append(h)
    return torch.stack(states, 1)


def attention(h, A):
    cells = A.flatten(2).transpose(1, 2)  # (N, 16, H)
    weights = (cells @ h.unsqueeze(2) / math.sqrt(h.shape[1])).softmax(1)
    return (weights * cells).sum(1), weights.view(len(A), *A.shape[2:])


def attention_lstm(x, A, Wx, Wh, Wattn, b):
    h = c = A.mean((2, 3))
    states = []
    for t in range(x.shape[1]):
        h, c = attention_step(x[:, t], h, c, attention(h, A)[0], Wx, Wh, Wattn, b)
        states.append(h)
    return torch.stack(states, 1)


def temporal_loss(x, y, ignore_index=None):
    total = torch.zeros((), dtype=x.dtype)
    for scores, words in zip(x, y, strict=True):
        for score, word in zip(scores, words.tolist(), strict=True):
            if word != ignore_index:
                total = total + torch.logsumexp(score, 0) - score[word]
    return total / len(x)


STEPS = {"LSTM": lstm_step, "AttentionLSTM": attention_step}
SEQUENCES = {"LSTM": lstm, "AttentionLSTM": attention_lstm}


RIGHT = {
    "rnn": rnn, "lstm": lstm, "attn": attention_lstm, "rnn_step": rnn_step, "lstm_step": lstm_step,
    "attention_step": attention_step, "attention": attention, "loss": temporal_loss,
}  # fmt: skip


def copies(values: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    return [value.clone() for value in values]


def differentiated(f, inputs, douts):
    """Outputs and gradients of a right formula."""
    leaves = [x.detach().clone().requires_grad_(x.is_floating_point()) for x in inputs]
    found = f(*leaves)
    outputs = found if isinstance(found, tuple) else (found,)
    wanted = [x for x in leaves if x.requires_grad]
    return torch.autograd.grad(outputs[: len(douts)], wanted, douts)


# ---- weights of a student's network --------------------------------------------------------------------------------


class Roles:
    """Which parameter of a student's network is what.

    Args:
        state: its state_dict.
        matrices: role -> shape, input first; names of the handout are tried first, then shapes.
        biases: role -> the matrix beside which it stands; may be absent.
    """

    def __init__(
        self,
        state: Any,
        matrices: Mapping[str, tuple[int, int]],
        biases: Mapping[str, str],
    ) -> None:
        if type(state) is not dict or not all(torch.is_tensor(value) for value in state.values()):
            raise CheckFailed("The network should be an nn.Module, whose state_dict holds its parameters.")
        self.state = state
        self.keys: dict[str, str] = {}
        for role, shape in matrices.items():
            self.keys[role] = self._matrix(role, shape)
        for near in (True, False):
            for role, matrix in biases.items():
                key = self.keys.get(role) or self._bias(role, matrix, matrices[matrix][1], near)
                if key is not None:
                    self.keys[role] = key

    def _free(self, fits: Callable[[tuple[int, ...]], bool]) -> list[str]:
        return [key for key, value in self.state.items() if key not in self.keys.values() and fits(tuple(value.shape))]

    def _matrix(self, role: str, shape: tuple[int, int]) -> str:
        shapes = {shape, shape[::-1], (*shape[::-1], 1, 1), (*shape[::-1], 1), (*shape, 1, 1)}
        found = self._free(lambda own: own in shapes)
        named = [key for key in found if key.rpartition(".")[2].lower() == role.lower()]
        # Two of one shape, Wh and Wattn: only the second has to do with attention.
        alike = [key for key in found if ("att" in key.rpartition(".")[2].lower()) == (role == "Wattn")]
        for choice in (named, alike, found):
            if choice:
                return choice[0]
        have = ", ".join(f"{key} {tuple(value.shape)}" for key, value in self.state.items())
        raise CheckFailed(
            Explanation(
                f"Among the network's parameters there is none of shape {shape}, for a layer from {shape[0]} to "
                f"{shape[1]} numbers.",
                got=have[:500] or "no parameters at all: assign the layers to attributes of self",
            )
        )

    def _bias(self, role: str, matrix: str, size: int, near: bool) -> str | None:
        """A bias by its name or beside its matrix; where these are all taken, one of the right size elsewhere."""
        found = self._free(lambda own: own == (size,))
        beside = self.keys[matrix].rpartition(".")[0]
        named = [key for key in found if key.rpartition(".")[2] == role]
        siblings = [key for key in found if key.rpartition(".")[0] == beside]
        return next(iter(named or siblings or ([] if near else found)), None)

    def filled(self, weights: Weights) -> Weights:
        """A state_dict with these weights. Further biases of a layer are zero."""
        state = {key: torch.zeros_like(value) if value.dim() == 1 else value for key, value in self.state.items()}
        for role, key in self.keys.items():
            own = self.state[key]
            value = weights[role].t() if self._is_turned(role, weights[role]) else weights[role]
            state[key] = value.reshape(own.shape).to(own.dtype)
        return state

    def _is_turned(self, role: str, value: torch.Tensor) -> bool:
        key = self.keys[role]
        shape = tuple(self.state[key].shape)[: value.dim()]
        if value.dim() < 2 or tuple(value.shape) == shape:
            # What is square is turned where it is the weight of an nn.Linear.
            return value.dim() == 2 and value.shape[0] == value.shape[1] and key.endswith("weight")
        return True

    def read(self, role: str, found: Mapping[str, torch.Tensor], like: torch.Tensor) -> Any:
        """What stands at a role in another dict with the same keys, in our layout."""
        value = found.get(self.keys.get(role, ""))
        if not torch.is_tensor(value) or value.numel() != like.numel():
            return value
        if self._is_turned(role, like):
            return value.reshape(like.shape[::-1]).t()
        return value.reshape(like.shape)


# ---- recurrent layers ----------------------------------------------------------------------------------------------

OLD_SEQUENCES = {"LSTM": "lstm_forward", "AttentionLSTM": "attention_forward"}


class Cell:
    """A recurrent layer of the submission, a module or a set of functions, with weights that the check drew.

    Args:
        kit: the fixtures.
        name: LSTM or AttentionLSTM.
        D, H: sizes of input and state.
        dtype: of weights and of everything else.
    """

    def __init__(self, kit: Kit, name: str, D: int, H: int, dtype: torch.dtype = torch.float64) -> None:
        self.kit, self.name, self.dtype, self.D, self.H = kit, name, dtype, D, H
        G = 4 * H
        shapes = {"Wx": (D, G), "Wh": (H, G), **({"Wattn": (H, G)} if name == "AttentionLSTM" else {})}
        draw = kit.draw
        self.weights = {role: draw.normal(*shape, scale=1.5 * shape[0] ** -0.5) for role, shape in shapes.items()}
        self.weights["b"] = draw.normal(G, scale=0.7)
        self.weights = {role: value.to(dtype) for role, value in self.weights.items()}
        self.net = None
        if kit.has(name) or not kit.has(OLD_SEQUENCES[name]):
            net = getattr(kit.module, name)(D, H)
            (net.double if dtype == torch.float64 else net.float)()
            self.net, self.roles = net, Roles(net.state_dict(), shapes, {"b": "Wx"})
            net.load_state_dict(self.roles.filled(self.weights))

    def problem(self, N: int, T: int | None = None) -> list[torch.Tensor]:
        """Inputs of a step, or of a sequence of T steps."""
        draw, H, dtype = self.kit.draw, self.H, self.dtype
        states = [draw.normal(N, H, dtype=dtype) for _ in range(3)]
        if T is None:
            return [draw.normal(N, self.D, dtype=dtype), *states[: 3 if self.name == "AttentionLSTM" else 2]]
        x = draw.normal(N, T, self.D, dtype=dtype)
        return [x, draw.normal(N, H, 4, 4, dtype=dtype) if self.name == "AttentionLSTM" else states[0]]

    # ---- calls of the submission -----------------------------------------------------------------------------------

    def step(self, *inputs: torch.Tensor) -> Any:
        """next_h, next_c."""
        if self.net is not None:
            got = self.net.step_forward(*inputs)
        else:
            x, h, c, *attn = inputs
            w = self.weights
            more = {"attn": attn[0], "Wattn": w["Wattn"]} if attn else {}
            got = self.kit.module.lstm_step_forward(x, h, c, w["Wx"], w["Wh"], w["b"], **more)
        if type(got) not in (tuple, list) or len(got) != 2:
            raise CheckFailed("A step should return two things, next_h and next_c.")
        return got

    def sequence(self, *inputs: torch.Tensor) -> Any:
        """The states of all steps."""
        if self.net is not None:
            return self.net(*inputs)
        return getattr(self.kit.module, OLD_SEQUENCES[self.name])(*inputs, *self.weights.values())

    def observed(self, method: str, *inputs: torch.Tensor) -> list[Any]:
        """The inputs as they are after a call."""
        if self.net is not None:
            function = getattr(getattr(self.kit.module, self.name), method)
            return list(function.observed(self.net, *inputs)[1][1:])
        w = list(self.weights.values())
        name = "lstm_step_forward" if method == "step_forward" else OLD_SEQUENCES[self.name]
        order = [*inputs[:3], w[0], w[1], w[-1], *inputs[3:], *w[2:-1]] if method == "step_forward" else [*inputs, *w]
        after = list(getattr(self.kit.module, name).observed(*order)[1])
        return [*after[:3], *after[6:7]][: len(inputs)] if method == "step_forward" else after[: len(inputs)]

    def autograd(self, method: str, inputs: list[torch.Tensor], douts: list[torch.Tensor]) -> tuple[list[Any], Any]:
        """What autograd finds for the inputs, and for the weights by role."""
        differentiate, w = self.kit.student.captioning_helpers.differentiate, self.weights
        if self.net is not None:
            _, grads, found = differentiate(getattr(self.net, method), inputs, douts, self.net)
            return grads, {role: self.roles.read(role, found, value) for role, value in w.items()}
        if method == "forward":
            function = getattr(self.kit.module, OLD_SEQUENCES[self.name])
            grads = differentiate(function, [*inputs, *w.values()], douts)[1]
            return grads[: len(inputs)], dict(zip(w, grads[len(inputs) :], strict=True))
        order = [*inputs[:3], w["Wx"], w["Wh"], w["b"], *inputs[3:], *list(w.values())[2:-1]]
        grads = differentiate(self.kit.module.lstm_step_forward, order, douts)[1]
        found = dict(zip(("Wx", "Wh", "b"), grads[3:6], strict=True))
        return [*grads[:3], *grads[6:7]], {**found, **({"Wattn": grads[7]} if len(grads) > 7 else {})}

    # ---- checks ----------------------------------------------------------------------------------------------------

    def right_step(self, *inputs: torch.Tensor, order: str = "ifog") -> tuple[torch.Tensor, torch.Tensor]:
        return STEPS[self.name](*inputs, *self.weights.values(), order=order)

    def right_sequence(self, *inputs: torch.Tensor) -> torch.Tensor:
        return SEQUENCES[self.name](*inputs, *self.weights.values())

    def check_step(self, N: int, **how: Any) -> None:
        """A step is right; gates in another order are named."""
        inputs = self.problem(N)
        got = self.step(*copies(inputs))
        try:
            self.kit.expect(got, ("next_h", "next_c")).matches(self.right_step(*inputs), **how)
        except CheckFailed as failure:
            order = self._order_of(got, inputs)
            if order is None:
                raise
            told = failure.explanation
            message = f"The gates stand in the order {', '.join(order)} along the 4H columns, but should be i, f, o, g."
            raise CheckFailed(Explanation(message, told.expected, told.got, told.difference)) from None

    def _order_of(self, got: Any, inputs: list[torch.Tensor]) -> tuple[str, ...] | None:
        shape = inputs[1].shape
        if not all(torch.is_tensor(value) and value.shape == shape for value in got):
            return None
        for order in permutations("ifog"):
            right = self.right_step(*inputs, order="".join(order))
            if all(torch.allclose(a.double(), b.double(), 1e-4, 1e-6) for a, b in zip(got, right, strict=True)):
                return order
        return None

    def check_sequence(self, N: int, T: int, **how: Any) -> None:
        """The states of all steps are right."""
        inputs = self.problem(N, T)
        self.kit.expect(self.sequence(*copies(inputs)), "h").matches(self.right_sequence(*inputs), **how)

    def check_autograd(self, method: str, N: int, T: int | None = None) -> None:
        """Autograd reaches inputs and weights, and finds the right gradients there."""
        inputs = self.problem(N, T)
        if T is None:
            douts, right = copies(self.problem(N)[1:3]), STEPS[self.name]
        else:
            douts, right = [self.kit.draw.normal(N, T, self.H, dtype=self.dtype)], SEQUENCES[self.name]
        exact = differentiated(right, [*inputs, *self.weights.values()], douts)
        grads, found = self.autograd(method, copies(inputs), douts)
        for index, (got, want) in enumerate(zip(grads, exact, strict=False)):
            self.kit.expect(got, f"the gradient of argument {index + 1}").matches(want, dtype=False)
        for role, want in zip(self.weights, exact[len(inputs) :], strict=True):
            self.kit.expect(found[role], f"the gradient of {role}").matches(want, dtype=False)

    def check_kept(self, method: str, N: int, T: int | None = None) -> None:
        """The inputs are afterwards as they were before; a call leaves nothing behind for the next one."""
        call, right = (self.step, self.right_step) if T is None else (self.sequence, self.right_sequence)
        inputs, alike, other = self.problem(N, T), self.problem(N, T), self.problem(N + 1, T)
        for point in (inputs, inputs, alike, other, inputs):
            self.kit.expect(call(*copies(point)), "the result").matches(right(*point), dtype=False)
        for index, (now, was) in enumerate(zip(self.observed(method, *copies(inputs)), inputs, strict=True)):
            self.kit.expect(now, f"argument {index + 1}").is_unchanged_from(was)

    def forgiving(self, check: Callable[[], None], values: Callable[[], None] | None = None) -> None:
        """Runs a check of a sequence; where it fails, once more with right steps and, if need be, right attention.

        Autograd cannot follow these. A check that needs it is therefore given up where ``values``, a check that does
        not, only passes with right steps.
        """
        try:
            check()
        except SubmissionProblem as failure:
            if values is not None and _passes(values):
                raise
            self.replace_steps()
            if not _passes(values or check):
                raise failure from None
            self.kit.note("This was graded with right versions of the functions that it calls: yours made it fail.")

    def replace_steps(self) -> None:
        """Puts right steps, and right attention, in the place of the submission's own."""
        replace, has = self.kit.student.replace, self.kit.has
        if has(f"{self.name}.step_forward"):
            replace(f"{MODULE}.{self.name}.step_forward", lambda _, *inputs: self.right_step(*inputs))
        if has("lstm_step_forward"):
            replace(f"{MODULE}.lstm_step_forward", old_step)
        if self.name == "AttentionLSTM" and has("dot_product_attention"):
            replace(f"{MODULE}.dot_product_attention", attention)


def _passes(check: Callable[[], None]) -> bool:
    try:
        check()
    except SubmissionProblem:
        return False
    return True


def old_step(x, prev_h, prev_c, Wx, Wh, b, attn=None, Wattn=None):
    """The right step in the form of 2020."""
    if attn is None:
        return lstm_step(x, prev_h, prev_c, Wx, Wh, b)
    return attention_step(x, prev_h, prev_c, attn, Wx, Wh, Wattn, b)
