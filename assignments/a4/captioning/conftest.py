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
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import permutations
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

    @property
    def module(self) -> Any:
        return getattr(self.student, MODULE)

    def has(self, name: str) -> bool:
        return not self.student.missing(f"{MODULE}.{name}")


@pytest.fixture
def kit(student, expect, draw, note, cost):
    """All that a check works with, in one."""
    return Kit(student, expect, draw, note, cost)


@pytest.fixture
def cell(kit):
    """`cell("LSTM", D, H)`: a recurrent layer of the submission, see Cell."""
    return partial(Cell, kit)


@pytest.fixture
def captioner(kit):
    """`captioner("lstm", ...)`: a CaptioningRNN of the submission, see Captioner."""
    return partial(Captioner, kit)


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
SEQUENCES = {"RNN": rnn, "LSTM": lstm, "AttentionLSTM": attention_lstm}


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


# ---- captioning networks -------------------------------------------------------------------------------------------


class Encoder:
    """Stands for the ImageEncoder: images (N, 3, H, W) -> features (N, channels, 4, 4), cheap, and right to the bit."""

    def __init__(self, kit: Kit, channels: int) -> None:
        self.kit, self.out_channels = kit, channels
        self.mix = kit.draw.normal(channels, 3, dtype=torch.float32, scale=3.0)
        self.shift = kit.draw.normal(channels, 1, 1, dtype=torch.float32)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        coarse = torch.nn.functional.adaptive_avg_pool2d(images.float(), 4) - 0.5
        return torch.tanh(torch.einsum("dc,nchw->ndhw", self.mix, coarse) + self.shift)

    forward = __call__

    def lent(self, *_: Any, **__: Any) -> Any:
        """What the player gets in its place."""
        return self.kit.student.standin(self, *LENT)

    train = eval = to = cuda = cpu = float = double = requires_grad_ = lent

    def parameters(self) -> list[Any]:
        return []

    modules = children = buffers = parameters


LENT = (
    "out_channels", "forward", "train", "eval", "to", "cuda", "cpu", "float", "double", "requires_grad_", "parameters",
    "modules", "children", "buffers",
)  # fmt: skip
CELLS = {"rnn": "RNN", "lstm": "LSTM", "attn": "AttentionLSTM"}
PARTS = (
    "rnn_step_forward", "rnn_forward", "WordEmbedding.forward", "temporal_softmax_loss", "LSTM.step_forward",
    "LSTM.forward", "dot_product_attention", "AttentionLSTM.step_forward", "AttentionLSTM.forward",
)  # fmt: skip


class Captioner:
    """A CaptioningRNN of the submission, whose image encoder is replaced and whose weights the check drew.

    Args:
        kit: the fixtures.
        cell_type: rnn, lstm or attn.
        D, W, H: channels of the image features, sizes of word vectors and state.
        words: the vocabulary in its order.
        ignore_index: the word that costs nothing.
    """

    def __init__(
        self,
        kit: Kit,
        cell_type: str,
        D: int = 400,
        W: int = 5,
        H: int = 7,
        words: Any = None,
        ignore_index: Any = None,
    ) -> None:
        self.kit, self.cell_type, self.ignore_index = kit, cell_type, ignore_index
        self.words = words or ["<NULL>", "<START>", "<END>", "<UNK>", *(f"word{i}" for i in range(9))]
        self.D, self.W, self.H, self.V = D, W, H, len(self.words)
        self.takes_features = not kit.has("ImageEncoder")
        self.encoder = Encoder(kit, D)
        if not self.takes_features:
            kit.student.replace(f"{MODULE}.ImageEncoder", self.encoder.lent)
        self.net = self._make()
        self.roles = self._roles()
        self.weights = self._draw()
        self.reset()

    def _make(self) -> Any:
        sizes = {"input_dim": self.D, "wordvec_dim": self.W, "hidden_dim": self.H, "ignore_index": self.ignore_index}
        word_to_idx = {word: i for i, word in enumerate(self.words)}
        make = partial(self.kit.module.CaptioningRNN, word_to_idx, **sizes)
        names = [self.cell_type, *(["attention"] if self.cell_type == "attn" else [])]
        if self.takes_features:
            names.reverse()
        try:
            return make(cell_type=names[0])
        except SubmissionProblem as failure:
            for name in names[1:]:
                with suppress(SubmissionProblem):
                    return make(cell_type=name)
            raise failure from None

    def _roles(self) -> Roles:
        D, W, H, V = self.D, self.W, self.H, self.V
        G = H if self.cell_type == "rnn" else 4 * H
        matrices = {"W_embed": (V, W), "project": (D, H), "score": (H, V), "Wx": (W, G), "Wh": (H, G)}
        if self.cell_type == "attn":
            matrices["Wattn"] = (H, G)
        return Roles(self.net.state_dict(), matrices, {"bp": "project", "bs": "score", "b": "Wx"})

    def _draw(self) -> Weights:
        D, W, H, V = self.D, self.W, self.H, self.V
        G, normal = H if self.cell_type == "rnn" else 4 * H, partial(self.kit.draw.normal, dtype=torch.float32)
        drawn = {
            "W_embed": normal(V, W),
            "project": normal(D, H, scale=2 * D**-0.5),
            "score": normal(H, V, scale=2.5),
            "Wx": normal(W, G, scale=1.5 * W**-0.5),
            "Wh": normal(H, G, scale=1.5 * H**-0.5),
            "Wattn": normal(H, G, scale=1.5 * H**-0.5),
            **{"bp": normal(H, scale=0.3), "bs": normal(V, scale=0.5), "b": normal(G, scale=0.5)},
        }
        if "<END>" in self.words:
            drawn["bs"][self.words.index("<END>")] -= 3.0  # captions are longer than a word or two
        absent = {"bp", "bs", "b"} - set(self.roles.keys)
        return {role: torch.zeros_like(value) if role in absent else value for role, value in drawn.items()}

    # ---- problems --------------------------------------------------------------------------------------------------

    def images(self, N: int) -> torch.Tensor:
        """Images, or features where the submission takes these."""
        coarse = self.kit.draw.uniform(N, 3, 4, 4, dtype=torch.float32)
        images = torch.nn.functional.interpolate(coarse, size=(112, 112))
        if not self.takes_features:
            return images
        features = self.encoder(images)
        return features if self.cell_type == "attn" else features.mean((2, 3))

    def captions(self, N: int, T: int) -> torch.Tensor:
        """`<START>`, words, `<END>` and padding, as long as these exist; each caption of a length of its own."""
        special = [self.words.index(word) for word in ("<START>", "<END>", "<NULL>") if word in self.words]
        captions = self.kit.draw.integers(0, self.V, N, T)
        if len(special) < 3:
            return captions
        captions = self.kit.draw.integers(3, self.V, N, T)
        captions[:, 0] = special[0]
        for n, row in enumerate(captions):
            length = max(3, T - n)
            row[length - 1] = special[1]
            row[length:] = special[2]
        return captions

    # ---- what is right ---------------------------------------------------------------------------------------------

    def _start(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The grid A, if there is one, and the first state, in float64."""
        w = {role: value.double() for role, value in self.weights.items()}
        features = (images if self.takes_features else self.encoder(images)).double()
        if features.dim() == 2:
            return features, features @ w["project"] + w["bp"]
        A = torch.einsum("ncpq,ch->nhpq", features, w["project"]) + w["bp"].view(1, -1, 1, 1)
        return A, A.mean((2, 3))

    def right_loss(self, images: torch.Tensor, captions: torch.Tensor) -> torch.Tensor:
        w = {role: value.double() for role, value in self.weights.items()}
        A, h0 = self._start(images)
        x = w["W_embed"][captions[:, :-1]]
        if self.cell_type == "attn":
            h = attention_lstm(x, A, w["Wx"], w["Wh"], w["Wattn"], w["b"])
        else:
            h = SEQUENCES[CELLS[self.cell_type]](x, h0, w["Wx"], w["Wh"], w["b"])
        return temporal_loss(h @ w["score"] + w["bs"], captions[:, 1:], self.ignore_index)

    def right_sample(self, images: torch.Tensor, length: int) -> tuple[torch.Tensor, torch.Tensor, float]:
        """The words, the attention weights, and by how much the best word was ahead of the second, at least."""
        w = {role: value.double() for role, value in self.weights.items()}
        A, h = self._start(images)
        c = h if self.cell_type == "attn" else torch.zeros_like(h)
        word = torch.full((len(h),), self.words.index("<START>"))
        words, looks, margin = [], [], math.inf
        for _ in range(length):
            x = w["W_embed"][word]
            if self.cell_type == "rnn":
                h = rnn_step(x, h, w["Wx"], w["Wh"], w["b"])
            elif self.cell_type == "lstm":
                h, c = lstm_step(x, h, c, w["Wx"], w["Wh"], w["b"])
            else:
                attn, look = attention(h, A)
                h, c = attention_step(x, h, c, attn, w["Wx"], w["Wh"], w["Wattn"], w["b"])
                looks.append(look)
            scores = h @ w["score"] + w["bs"]
            best = scores.topk(2, dim=1)
            margin = min(margin, float((best.values[:, 0] - best.values[:, 1]).min()))
            word = best.indices[:, 0]
            words.append(word)
        return torch.stack(words, 1), torch.stack(looks, 1) if looks else torch.zeros(0), margin

    def clear_sample(self, N: int, length: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Images for which no two words are nearly equal, with their words and weights."""
        for _ in range(20):
            images = self.images(N)
            words, looks, margin = self.right_sample(images, length)
            lively = len(words[0].unique()) >= 3 and bool((words != words[:1]).any())
            if margin > 1e-3 and lively and bool(self._counted(words)[:, : min(length, 4)].all()):
                break
        return images, words, looks

    # ---- checks ----------------------------------------------------------------------------------------------------

    def check_loss(self, N: int = 3, T: int = 6) -> None:
        """The loss is right."""
        images, captions = self.images(N), self.captions(N, T)
        got = self.net(images, captions)
        self.kit.expect(got, "loss").matches(
            self.right_loss(images, captions), rtol=1e-4, dtype=False, sizes={"N": N, "T": T, "T - 1": T - 1}
        )

    def sampled(self, images: torch.Tensor, length: int) -> tuple[Any, Any]:
        """The words and the weights that the submission gives."""
        got = self.net.sample(images.clone(), max_length=length)
        if self.cell_type != "attn":
            return got, None
        if type(got) not in (tuple, list) or len(got) != 2:
            raise CheckFailed("With attention, sample should return two things: the captions and the weights.")
        return got[0], got[1]

    def check_words(self, got: Any, words: torch.Tensor) -> None:
        """The words are right; what comes behind `<END>` is nobody's business."""
        self.kit.expect(got, "captions").has_shape(*words.shape)
        if not torch.is_tensor(got) or got.dtype != torch.int64:
            raise CheckFailed("captions should be a tensor of dtype torch.int64.")
        counted = self._counted(words)
        self.kit.expect(got * counted, "captions").equals(words * counted)

    def _counted(self, words: torch.Tensor) -> torch.Tensor:
        """1 up to the first `<END>` of a caption, 0 behind it."""
        if "<END>" not in self.words:
            return torch.ones_like(words)
        ends = (words == self.words.index("<END>")).long()
        return (ends.cumsum(1) - ends == 0).long()

    def check_sample(self, N: int = 3, length: int = 6) -> None:
        """The most likely word at every step."""
        images, words, _ = self.clear_sample(N, length)
        self.check_words(self.sampled(images, length)[0], words)

    def check_looks(self, N: int, length: int) -> None:
        """The attention weights of every step."""
        images, words, looks = self.clear_sample(N, length)
        got, weights = self.sampled(images, length)
        self.kit.expect(weights, "weights").has_shape(N, length, 4, 4).is_finite()
        counted = self._counted(words).double().view(N, length, 1, 1)
        sums = torch.as_tensor(weights).double().sum((2, 3))
        self.kit.expect(sums * counted[..., 0, 0], "sums of the weights").matches(counted[..., 0, 0], rtol=1e-4)
        self.kit.expect(torch.as_tensor(weights).double() * counted, "weights").matches(looks * counted, 1e-3, 1e-5)
        self.kit.expect(got, "captions").has_shape(N, length)

    def check_lengths(self) -> None:
        """max_length, its default, and repetition."""
        images, words, _ = self.clear_sample(2, 15)
        self.check_words(self.net.sample(images.clone()), words)
        for length in (1, 4, 15):
            self.check_words(self.sampled(images, length)[0], words[:, :length])

    def check_kept(self) -> None:
        """A loss leaves its arguments as they were, and other calls between leave it the same."""
        images, captions = self.images(2), self.captions(2, 5)
        exact = self.right_loss(images, captions)
        forward = self.kit.module.CaptioningRNN.forward
        for others in (0, 2, 3):
            got, after = forward.observed(self.net, images.clone(), captions.clone())
            self.kit.expect(got, "loss").matches(exact, rtol=1e-4, dtype=False)
            self.kit.expect(after[1], "images").is_unchanged_from(images)
            self.kit.expect(after[2], "captions").is_unchanged_from(captions)
            if others:
                self.net(self.images(others), self.captions(others, 4))
                with suppress(SubmissionProblem):  # sample is another question
                    self.net.sample(self.images(2), max_length=3)

    def reset(self, scale: float = 1.0) -> None:
        """The weights that the check drew, again, or a part of them."""
        self.net.load_state_dict(self.roles.filled({role: scale * value for role, value in self.weights.items()}))

    def unmoved(self, scale: float) -> list[str]:
        """Parameters that still are what ``reset`` made them."""
        state, before = self.net.state_dict(), self.roles.filled({r: scale * v for r, v in self.weights.items()})
        if type(state) is not dict:
            raise CheckFailed("The network's state_dict should be a dict after training as before.")
        keys = self.roles.keys.values()
        return [key for key in keys if torch.is_tensor(state.get(key)) and torch.equal(state[key], before[key])]

    def replace_parts(self, reference: Any) -> None:
        """Puts the reference's version of all parts in the place of the submission's own."""
        for path in PARTS:
            if self.kit.has(path):
                target = getattr(reference, MODULE)
                for name in path.split("."):
                    target = getattr(target, name)
                self.kit.student.replace(f"{MODULE}.{path}", target)
