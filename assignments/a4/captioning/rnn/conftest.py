"""How a pair of functions is judged, a forward pass and a backward pass by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import torch

from grader.contract.verdict import CheckFailed, SubmissionProblem

Weights = dict[str, torch.Tensor]


@pytest.fixture
def passes(kit):
    """`passes(forward, backward, right, names)`: the checks of a forward and a backward function, see Passes."""
    return partial(Passes, kit)


def copies(values: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    return [value.clone() for value in values]


class Passes:
    """Checks of a pair of functions, ``forward(*tensors) -> out, cache`` and ``backward(dout, cache) -> gradients``.

    Args:
        kit: the fixtures.
        forward, backward: names of the functions.
        right: the right forward pass.
        names: what students call the gradients, in the order of the tensors.
    """

    def __init__(self, kit: Any, forward: str, backward: str, right: Callable[..., Any], names: tuple[str, ...]):
        self.kit, self.right, self.names = kit, right, names
        self.forward, self.backward = getattr(kit.module, forward), getattr(kit.module, backward)

    def out_and_cache(self, at: Weights) -> tuple[Any, Any]:
        got = self.forward.holding(*copies(at.values()))
        if type(got) not in (tuple, list) or len(got) != 2:
            raise CheckFailed("The function should return two things, the states and a cache.")
        return got[0], got[1]

    def out(self, at: Weights, **how: Any) -> None:
        """The output is right."""
        self.kit.expect(self.out_and_cache(at)[0], self.label).matches(self.right(*at.values()), **how)

    @property
    def label(self) -> str:
        return "next_h" if "dprev_h" in self.names else "h"

    def inputs(self, at: Weights) -> None:
        """The output is right, and the tensors are afterwards as they were before."""
        got, after = self.forward.observed(*copies(at.values()))
        if type(got) not in (tuple, list) or len(got) != 2:
            raise CheckFailed("The function should return two things, the states and a cache.")
        self.kit.expect(got[0], self.label).matches(self.right(*at.values()), dtype=False)
        for (name, value), now in zip(at.items(), after, strict=True):
            self.kit.expect(now, name).is_unchanged_from(value)

    def differentiable(self, at: Weights) -> None:
        """Autograd can follow the forward pass to every tensor."""
        dout = self.upstream(at)
        differentiate = self.kit.student.captioning_helpers.differentiate
        _, grads, _ = differentiate(self.forward, copies(at.values()), [dout])
        for name, got, exact in zip(self.names, grads, self.exact(at, dout).values(), strict=True):
            self.kit.expect(got, f"{name} under autograd").matches(exact, dtype=False)

    def upstream(self, at: Weights) -> torch.Tensor:
        return self.kit.draw.normal(*self.right(*at.values()).shape, dtype=next(iter(at.values())).dtype)

    def exact(self, at: Weights, dout: torch.Tensor) -> Weights:
        leaves = [value.detach().clone().requires_grad_() for value in at.values()]
        return dict(zip(self.names, torch.autograd.grad(self.right(*leaves), leaves, dout), strict=True))

    def named(self, got: Any) -> dict[str, Any]:
        if type(got) not in (tuple, list) or len(got) != len(self.names):
            raise CheckFailed(f"The function should return {len(self.names)} things: {', '.join(self.names)}.")
        return dict(zip(self.names, got, strict=True))

    def gradients(self, wanted: Iterable[str], at: Weights, **how: Any) -> None:
        """Some of the gradients are right."""
        dout = self.upstream(at)
        out, cache = self.out_and_cache(at)
        got = self.named(self.backward(dout.clone(), cache))
        self._accept(got, at, dout, out, lambda exact: self._match(got, exact, wanted, **how))

    def _match(self, got: Mapping[str, Any], exact: Weights, wanted: Iterable[str], **how: Any) -> None:
        for name in wanted:
            self.kit.expect(got[name], name).matches(exact[name], **{"dtype": False, **how})

    def _accept(
        self, got: Mapping[str, Any], at: Weights, dout: torch.Tensor, out: Any, match: Callable[[Weights], None]
    ) -> None:
        """``match`` holds for the exact gradients, or for those of a forward pass that is wrong itself."""
        right = self.right(*at.values())
        try:
            match(self.exact(at, dout))
        except CheckFailed as failure:
            if not torch.is_tensor(out) or out.shape != right.shape or torch.allclose(out.double(), right.double()):
                raise
            for other in (self._at_states(at, dout, out, right), self._of_own(at, dout, out, right)):
                with suppress(CheckFailed):
                    match(other or self.exact(at, dout))
                    self.kit.note("The gradients are right for your own forward pass, which itself is wrong.")
                    return
            raise failure from None

    def _at_states(self, at: Weights, dout: torch.Tensor, out: torch.Tensor, right: torch.Tensor) -> Weights | None:
        """The formula of the gradients with the states that the submission's forward pass gave.

        States that do not go with the right ones at all are no excuse: at states of 1, say, all gradients are zero.
        """
        if not float((out.double() * right).sum() / (out.double().norm() * right.norm())) > 0.5:
            return None
        x, h0, Wx, Wh, _ = at.values()
        x, dh, h = (value if value.dim() == 3 else value.unsqueeze(1) for value in (x, dout, out))
        before, dnext, da = torch.cat([h0.unsqueeze(1), h[:, :-1]], 1), torch.zeros_like(h0), torch.zeros_like(dh)
        for t in reversed(range(h.shape[1])):
            da[:, t] = (dh[:, t] + dnext) * (1 - h[:, t] ** 2)
            dnext = da[:, t] @ Wh.t()
        weights = (x.flatten(0, 1).t() @ da.flatten(0, 1), before.flatten(0, 1).t() @ da.flatten(0, 1))
        grads = ((da @ Wx.t()).view(at["x"].shape), dnext, *weights, da.sum((0, 1)))
        return dict(zip(self.names, grads, strict=True))

    def _of_own(self, at: Weights, dout: torch.Tensor, out: torch.Tensor, right: torch.Tensor) -> Weights | None:
        """What autograd makes of the submission's own forward pass, where it is wrong, but only a little.

        An output that has little to do with the right one is no excuse, nor is one that is close to it in steps: its
        gradient may be trivial.
        """
        if not float((out.double() - right).norm() / right.norm()) < 0.5:
            return None
        try:
            _, grads, _ = self.kit.student.captioning_helpers.differentiate(self.forward, copies(at.values()), [dout])
        except SubmissionProblem:
            return None
        exact = self.exact(at, dout)
        own = dict(zip(self.names, grads, strict=True))
        near = (float((torch.as_tensor(own[k]).double() - v).norm()) < 0.75 * float(v.norm()) for k, v in exact.items())
        return own if all(near) else None

    def repeated(self, at: Weights, other: Weights) -> None:
        """Two passes that overlap do not disturb each other, one backward pass can be run twice, dout stays."""
        points = (at, other)
        douts, made = [self.upstream(point) for point in points], [self.out_and_cache(point) for point in points]
        kept: dict[int, dict[str, Any]] = {}
        for index in (0, 1, 0):
            got, after = self.backward.observed(douts[index].clone(), made[index][1])
            got = self.named(got)
            self.kit.expect(after[0], "the upstream gradient").is_unchanged_from(douts[index])
            for name in self.names:
                if index in kept:
                    self.kit.expect(got[name], f"{name} of a second call").matches(kept[index][name])
            kept[index] = got
        self._accept(kept[0], at, douts[0], made[0][0], partial(self._some, kept[0]))

    def _some(self, got: Mapping[str, Any], exact: Weights) -> None:
        """At least one gradient is right: what is wrong altogether earns nothing by being careful."""
        for name in self.names:
            try:
                self.kit.expect(got[name], name).matches(exact[name], dtype=False)
                return
            except CheckFailed as problem:
                failure = problem
        raise failure

    def affordable(self, at: Weights) -> None:
        """The gradients come from a formula: in a small multiple of forward's time."""
        forward = self.kit.cost(self.forward.holding, *copies(at.values()))
        out, cache = self.out_and_cache(at)
        dout = self.upstream(at)
        spent = self.kit.cost(self.backward, dout.clone(), cache)
        got = self.named(spent.result)
        self._accept(got, at, dout, out, partial(self._some, got))
        limit = 0.4 + 20 * forward.cpu_seconds
        spent.require_below(
            limit,
            "The backward pass takes far too long. Compute the gradients from their formula, not by changing one input "
            "after the other.",
            f"less than {limit:.2g} seconds, where the forward pass took {forward.cpu_seconds:.2g}",
        )
