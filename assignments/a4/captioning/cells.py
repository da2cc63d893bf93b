"""A recurrent layer of the submission on trial."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import torch

from grader.contract.verdict import CheckFailed, Explanation

from .formulas import SEQUENCES, STEPS, copies, differentiated
from .weights import Roles, shapes_of

OLD_SEQUENCES = {"LSTM": "lstm_forward", "AttentionLSTM": "attention_forward"}


class Cell:
    """A recurrent layer of the submission, a module or a set of functions, with weights that the check drew.

    Args:
        kit: the fixtures.
        name: LSTM or AttentionLSTM.
        D, H: sizes of input and state.
        dtype: of weights and of everything else.
    """

    def __init__(self, kit: Any, name: str, D: int, H: int, dtype: torch.dtype = torch.float64) -> None:
        self.kit, self.name, self.dtype, self.D, self.H = kit, name, dtype, D, H
        shapes, draw = shapes_of(name, D, H), kit.draw
        self.weights = {role: draw.normal(*shape, scale=1.5 * shape[0] ** -0.5) for role, shape in shapes.items()}
        self.weights["b"] = draw.normal(4 * H, scale=0.7)
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
            return grads, {role: self.roles.read(role, found, tuple(value.shape)) for role, value in w.items()}
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
