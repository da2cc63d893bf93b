"""Networks of the submission with weights that the check draws.

What students call their layers is theirs. A layer is found by its class, or by the shape of its weights, and a block is
compared with what its own parts give when they are put together in the right way: a mistake in a part is paid for
there, and nowhere else. Where two ways to put things together are right, either may come out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

from grader.contract.verdict import CheckFailed, Explanation, SubmissionProblem

from .formulas import CLOSE

# Difference quotients: step, and what they may be off by. The second is for outputs that went through float32.
STEPS = ((1e-6, 3e-5), (1e-4, 3e-2))


@dataclass(frozen=True)
class Trial:
    """The submission's Transformer on trial: the fixtures, and what is done with them again and again."""

    student: Any
    expect: Any
    draw: Any
    note: Any
    rules: Any

    @property
    def own(self) -> Any:
        """The submission's module."""
        return self.student.transformers

    def made(self, name: str, *sizes: Any) -> Net:
        """A network of the submission in float64, with weights that this check draws."""
        return self.net(getattr(self.own, name)(*sizes).double())

    def net(self, remote: Any, bare: bool = False) -> Net:
        """A network in float64 with weights that this check draws; it may have none where `bare` is set."""
        return Net(self, remote, bare)

    def either(self, got: Any, name: str, *rights: Callable[[], torch.Tensor]) -> None:
        """`got` is one of some right results; what is wrong is told by comparison with the first."""
        failure: CheckFailed | None = None
        for right in rights:
            try:
                self.expect(got, name).matches(right(), **CLOSE)
                return
            except CheckFailed as problem:
                failure = failure or problem
            except SubmissionProblem:
                # A part that cannot be run on its own gives no second opinion.
                continue
        if failure is None:
            raise CheckFailed(f"{name} could not be compared: the parts of the network cannot be run on their own.")
        raise failure

    def gradients(self, function: Any, names: Sequence[str], inputs: Sequence[torch.Tensor], right: Callable) -> None:
        """The gradients of a function with respect to its inputs are those of the right one."""
        given = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
        leaves = [x for x in given if x.requires_grad]
        out = right(*given)
        dout = self.draw.normal(*out.shape)
        exact = torch.autograd.grad(out, leaves, dout)
        _, got, _ = self.student.transformer_helpers.gradients(function, [x.clone() for x in inputs], dout)
        for name, value, want in zip(names, got, exact, strict=False):  # the mask, which is last, has none
            self.expect(value, f"the gradient of {name}").matches(want, **CLOSE)


class Net:
    """A network that stays in the player, with its parameters as the judge drew them.

    Attributes:
        remote: the network.
        weights: name -> value of every parameter.
        once: names of the parameters; what has several names, as of a part used twice, has one here.
        parts: name -> name of the class of every module inside.
    """

    def __init__(self, trial: Trial, remote: Any, bare: bool = False) -> None:
        self.trial, self.remote = trial, remote
        first = trial.student.transformer_helpers.parameters(remote)
        if type(first) is not dict or not (first or bare):
            raise CheckFailed("The network has no parameters. Assign its layers to attributes of self in __init__.")
        for name, value in first.items():
            trial.expect(value, name).is_finite()
        self.parts = trial.student.transformer_helpers.parts(remote)
        self.fill({name: self._drawn(value) for name, value in first.items()})
        # Of what has several names, the last one counts: it was drawn for the others as well, and in vain.
        drawn, now = self.weights, trial.student.transformer_helpers.parameters(remote)
        if type(now) is not dict or now.keys() != drawn.keys():
            raise CheckFailed("The network has other parameters once its weights are set.")
        self.weights = now
        self.once = [name for name, value in drawn.items() if torch.equal(value, now[name])]

    def _drawn(self, value: torch.Tensor) -> torch.Tensor:
        if value.dim() == 2:
            return self.trial.draw.normal(*value.shape, scale=max(value.shape[1], 1) ** -0.5)
        return (value == 1).double() + self.trial.draw.normal(*value.shape, scale=0.3)

    def fill(self, weights: dict[str, torch.Tensor]) -> None:
        """Gives the network these parameters."""
        self.weights = weights
        self.remote.load_state_dict({name: value.clone() for name, value in weights.items()}, False)

    def __call__(self, *inputs: Any) -> Any:
        return self.remote(*(x.clone() if torch.is_tensor(x) else x for x in inputs))

    # ---- parts -----------------------------------------------------------------------------------------------------

    def part(self, name: str) -> Any:
        """A module inside, by its name."""
        return self.remote.get_submodule(name)

    def require_work(self, name: str, out: torch.Tensor, *inputs: Any) -> None:
        """Fails where a part makes the same of all tokens, or returns an input up to its sign.

        What is put together of such parts shows nothing of how it is put together; right versions of them do.
        """
        flat = bool((out - out.flatten(0, -2)[0]).abs().max() < 1e-9)
        same = [x for x in inputs if torch.is_tensor(x) and x.shape == out.shape and x.is_floating_point()]
        if flat or any(bool((out.abs() - x.abs()).abs().max() < 1e-9) for x in same):
            does = "makes the same of all tokens" if flat else "returns its input"
            raise CheckFailed(f"{name} {does}, so that what is made of it cannot be judged.")

    def named(self, kind: str) -> list[str]:
        """The names of the modules of a class, in the order in which they were made."""
        return [name for name, found in self.parts.items() if found == kind]

    def only(self, kind: str, count: int) -> list[str]:
        """The same; fails where there are not so many."""
        found = self.named(kind)
        if len(found) != count:
            raise CheckFailed(
                Explanation(
                    f"The block should be made of your own {kind}.",
                    expected=f"{count} of them among its attributes",
                    got=str(len(found)),
                )
            )
        return found

    def linear(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """A linear layer of the network, computed here."""
        weight = self.weights.get(f"{name}.weight")
        if weight is None or weight.dim() != 2 or weight.shape[1] != x.shape[-1]:
            have = "none" if weight is None else str(tuple(weight.shape))
            raise CheckFailed(
                Explanation(
                    f"{name} should be an nn.Linear that takes {x.shape[-1]} numbers.",
                    expected=f"a parameter {name}.weight of shape (..., {x.shape[-1]})",
                    got=have,
                )
            )
        return F.linear(x, weight, self.weights.get(f"{name}.bias"))

    def shaped(self, out: int, inp: int) -> list[str]:
        """The names of the linear layers of this shape, in the order in which they were made."""
        shape = (out, inp)
        return [k.removesuffix(".weight") for k, v in self.weights.items() if v.shape == shape and k.endswith("weight")]

    def other(self, taken: Iterable[str]) -> list[str]:
        """The names of the linear layers that do not lie in any of some modules."""
        inside = tuple(f"{name}." for name in taken)
        names = [name.removesuffix(".weight") for name, value in self.weights.items() if value.dim() == 2]
        return [name for name in names if not name.startswith(inside)] if inside else names

    # ---- gradients -------------------------------------------------------------------------------------------------

    def slopes(self, inputs: Sequence[Any], right: Callable[[], torch.Tensor]) -> None:
        """Autograd finds the slopes of the network's own output, along inputs and along all parameters.

        A wrong output is paid for elsewhere. `right` gives the shape.
        """
        out = right()
        dout = self.trial.draw.normal(*out.shape)
        got = self.trial.student.transformer_helpers.gradients(self.remote, list(inputs), dout)
        self.trial.expect(got[0], "the output").has_shape(*out.shape).is_finite()
        if not torch.as_tensor(got[0]).any():
            raise CheckFailed("The output is zero everywhere.")
        for i, x in enumerate(inputs):
            if torch.is_tensor(x) and x.is_floating_point():
                self._slope(f"input {i + 1}", [got[1][i]], [x], lambda moved, i=i: self._moved(inputs, i, moved), dout)
        missing = [name for name in self.weights if name not in got[2]]
        if missing:
            raise CheckFailed(f"The parameters {', '.join(missing)} have no gradient.")
        if self.once:
            values, slopes = ([of[name] for name in self.once] for of in (self.weights, got[2]))
            self._slope("the parameters", slopes, values, None, dout, inputs)

    def _moved(self, inputs: Sequence[Any], i: int, moved: Sequence[torch.Tensor]) -> Any:
        return self(*inputs[:i], moved[0], *inputs[i + 1 :])

    def _slope(
        self,
        label: str,
        got: Sequence[Any],
        at: Sequence[torch.Tensor],
        run: Callable | None,
        dout: torch.Tensor,
        inputs: Sequence[Any] = (),
    ) -> None:
        for value, x in zip(got, at, strict=True):
            self.trial.expect(value, f"the gradient of {label}").has_shape(*x.shape).is_finite()
        direction = [self.trial.draw.normal(*x.shape) for x in at]
        found = sum(float((torch.as_tensor(g).double() * v).sum()) for g, v in zip(got, direction, strict=True))
        failure: CheckFailed | None = None
        for step, tolerance in STEPS:
            sides = []
            for signed in (step, -step):
                moved = [x + signed * v for x, v in zip(at, direction, strict=True)]
                out = self._with(moved, inputs) if run is None else run(moved)
                sides.append(float((torch.as_tensor(out).double() * dout).sum()))
            slope = (sides[0] - sides[1]) / (2 * step)
            try:
                self.trial.expect(found, f"the slope along a direction of {label}, by autograd").matches(
                    slope, rtol=tolerance, atol=tolerance, dtype=False
                )
                return
            except CheckFailed as problem:
                failure = failure or problem
        assert failure is not None
        raise failure

    def _with(self, values: Sequence[torch.Tensor], inputs: Sequence[Any]) -> Any:
        before = self.weights
        self.fill(dict(zip(self.once, values, strict=True)))
        out = self(*inputs)
        self.fill(before)
        return out
