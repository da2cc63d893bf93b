"""What the checks of A3 share: judging a layer, and judging a network, each against torch's own in float64.

A layer is judged by its two functions: values of `forward`, and gradients of `backward` from a cache that stays in the
player. Right answers differ in ways that no check asks about: what a cache holds, whether a loss is a float or a tensor
of shape (), how the parameters of a deep network are numbered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch

from grader.contract.verdict import CheckFailed, SubmissionProblem


@dataclass(frozen=True)
class Kit:
    """The fixtures that the helpers below work with."""

    student: Any
    expect: Any
    gradients: Any
    draw: Any
    note: Any
    cost: Any
    rules: Any


@pytest.fixture
def kit(student, expect, gradients, draw, note, cost, rules):
    """All that a check works with, in one."""
    return Kit(student, expect, gradients, draw, note, cost, rules)


@pytest.fixture
def layer(kit):
    """`layer("module.Class", right, names)`: the checks of one layer of the submission, see Layer."""
    return partial(Layer, kit)


@pytest.fixture
def network(kit):
    """`network(net, right, at)`: the checks of one network of the submission, see Network."""
    return partial(Network, kit)


def copies(values: Iterable[Any]) -> list[Any]:
    """The same tensors and dicts anew."""
    return [value.clone() if torch.is_tensor(value) else dict(value) for value in values]


def pair(got: Any, names: str) -> tuple[Any, Any]:
    if type(got) not in (tuple, list) or len(got) != 2:
        raise CheckFailed(f"The function should return two things, {names}.")
    return got[0], got[1]


class Layer:
    """Checks of one layer.

    Args:
        kit: the fixtures.
        path: the layer's class, as ``module.Class``.
        right: the right forward pass, a function of the tensors and the settings that autograd can follow.
        names: what students call the gradients, in the order of the tensors.
        usual: the cache that the handout suggests, for a backward pass whose own forward pass does not run.
        backward: name of the backward function.
    """

    def __init__(
        self,
        kit: Kit,
        path: str,
        right: Callable[..., torch.Tensor],
        names: tuple[str, ...],
        usual: Callable[..., Any] | None = None,
        backward: str = "backward",
    ) -> None:
        module, _, name = path.partition(".")
        own = getattr(getattr(kit.student, module), name)
        self.kit, self.right, self.names, self.usual = kit, right, names, usual
        self.forward, self.backward = own.forward, getattr(own, backward)

    # ---- forward ---------------------------------------------------------------------------------------------------

    def out_and_cache(self, at: dict[str, torch.Tensor], *settings: Any) -> tuple[Any, Any]:
        got = self.forward.holding(*copies(at.values()), *copies(settings))
        return pair(got, "out and a cache")

    def out(self, at: dict[str, torch.Tensor], *settings: Any, **how: Any) -> None:
        """The output is right."""
        got, _ = self.out_and_cache(at, *settings)
        self.kit.expect(got, "out").matches(self.right(*at.values(), *settings), **how)

    def inputs(self, at: dict[str, torch.Tensor], *settings: Any) -> None:
        """The output is right, and the tensors are afterwards as they were before."""
        given = [*copies(at.values()), *copies(settings)]
        got, after = self.forward.observed(*given)
        out, _ = pair(got, "out and a cache")
        self.kit.expect(out, "out").matches(self.right(*at.values(), *settings), dtype=False)
        for (name, value), now in zip(at.items(), after, strict=False):
            self.kit.expect(now, name).is_unchanged_from(value)

    def traced(self, at: dict[str, torch.Tensor], *settings: Any) -> None:
        """The output is right, and no forbidden function is at work."""
        self.out(at, *settings, dtype=False)
        self.kit.rules.traced(self.forward, *copies(at.values()), *copies(settings))

    # ---- backward --------------------------------------------------------------------------------------------------

    def exact(self, at: dict[str, torch.Tensor], dout: torch.Tensor, *settings: Any) -> dict[str, torch.Tensor]:
        """The right gradients by name."""
        leaves = [value.detach().clone().requires_grad_() for value in at.values()]
        out = self.right(*leaves, *settings)
        return dict(zip(self.names, torch.autograd.grad(out, leaves, dout.to(out.dtype)), strict=True))

    def upstream(self, at: dict[str, torch.Tensor], *settings: Any) -> torch.Tensor:
        shape = self.right(*at.values(), *settings).shape
        return self.kit.draw.normal(*shape, dtype=next(iter(at.values())).dtype)

    def cache(self, at: dict[str, torch.Tensor], *settings: Any) -> Any:
        """The cache of the submission's forward pass, or the usual one where that fails."""
        try:
            return self.out_and_cache(at, *settings)[1]
        except SubmissionProblem:
            if self.usual is None:
                raise
        self.kit.note("The forward pass failed; this was graded with a cache as the handout suggests it.")
        return self.usual(*at.values(), *settings)

    def gradients(self, dout: torch.Tensor, cache: Any) -> dict[str, Any]:
        return self.named(self.backward(dout.clone(), cache))

    def named(self, got: Any) -> dict[str, Any]:
        if len(self.names) == 1:
            if type(got) in (tuple, list):
                raise CheckFailed(f"The function should return one tensor, {self.names[0]}.")
            return {self.names[0]: got}
        if type(got) not in (tuple, list) or len(got) != len(self.names):
            raise CheckFailed(f"The function should return {len(self.names)} things: {', '.join(self.names)}.")
        return dict(zip(self.names, got, strict=True))

    def gradient(self, wanted: Iterable[str], at: dict[str, torch.Tensor], *settings: Any, **how: Any) -> None:
        """Some of the gradients are right."""
        dout = self.upstream(at, *settings)
        exact, got = self.exact(at, dout, *settings), self.gradients(dout, self.cache(at, *settings))
        for name in wanted:
            self.kit.expect(got[name], name).matches(exact[name], **{"dtype": False, **how})

    def explained(self, wanted: Iterable[str], at: dict[str, torch.Tensor], *settings: Any, **how: Any) -> None:
        """Some of the gradients are right; a wrong one is held against the slopes of the submission's own forward."""
        try:
            self.gradient(wanted, at, *settings, **how)
        except CheckFailed as failure:
            try:
                excused = self.follows_own(wanted, at, *settings)
            except SubmissionProblem:
                raise failure from None
            if excused:
                self.kit.note(f"{', '.join(wanted)}: right for your own forward pass, which itself is not quite right.")
                return
            names = dict(zip(at, self.names, strict=True))
            self.kit.gradients.layer(
                lambda **point: self.forward.holding(*(point[name] for name in at), *copies(settings)),
                self.backward,
                at=at,
                exact=lambda dout: tuple(self.exact(at, dout, *settings).values()),
                names=names,
                dtype=False,
            )
            raise

    def follows_own(self, wanted: Iterable[str], at: dict[str, torch.Tensor], *settings: Any) -> bool:
        """Whether gradients are those of the submission's own forward pass, which is wrong, but only a little.

        A mean square that is divided by N - 1, say, was paid for in forward. An output that has little to do with the
        right one is no excuse, nor is one that is close to it in steps: its gradient may be trivial.
        """
        if not self._near(wanted, at, *settings):
            return False
        arguments = dict(zip(self.names, at, strict=True))
        named = {arguments[name]: name for name in wanted}
        out, right = self.out_and_cache(at, *settings)[0], self.right(*at.values(), *settings)
        if not torch.is_tensor(out) or out.shape != right.shape:
            return False
        error = float((out.double() - right).norm() / right.norm())
        if not 1e-6 < error < 0.5:
            return False

        def forward(**point: torch.Tensor) -> Any:
            return self.forward.holding(*copies({**at, **point}.values()), *copies(settings))

        def backward(dout: torch.Tensor, cache: Any) -> dict[str, Any]:
            got = self.named(self.backward(dout, cache))
            return {name: got[label] for name, label in named.items()}

        try:
            self.kit.gradients.layer(forward, backward, at={name: at[name] for name in named}, dtype=False)
        except CheckFailed:
            return False
        return True

    def _near(self, wanted: Iterable[str], at: dict[str, torch.Tensor], *settings: Any) -> bool:
        """Whether gradients have at least something to do with the right ones."""
        dout = self.upstream(at, *settings)
        exact, got = self.exact(at, dout, *settings), self.gradients(dout, self.cache(at, *settings))
        return all(
            torch.is_tensor(got[name])
            and got[name].shape == exact[name].shape
            and float((got[name].double() - exact[name]).norm()) < 0.75 * float(exact[name].norm())
            for name in wanted
        )

    def right_names(self, at: dict[str, torch.Tensor], *settings: Any) -> list[str]:
        """Which gradients are right for an ordinary problem; fails where none is."""
        dout = self.upstream(at, *settings)
        exact, got, found = self.exact(at, dout, *settings), self.gradients(dout, self.cache(at, *settings)), []
        for name in self.names:
            try:
                self.kit.expect(got[name], name).matches(exact[name], dtype=False)
                found.append(name)
            except CheckFailed as problem:
                failure = problem
        if not found:
            raise failure
        return found

    def repeated(self, at: dict[str, torch.Tensor], other: dict[str, torch.Tensor], *settings: Any) -> None:
        """Two passes that overlap do not disturb each other, and one backward pass can be run twice."""
        wanted = self.right_names(at, *settings)
        douts = [self.upstream(point, *settings) for point in (at, other)]
        caches = [self.cache(point, *settings) for point in (at, other)]
        for index in (0, 1, 0):
            exact = self.exact((at, other)[index], douts[index], *settings)
            got = self.gradients(douts[index], caches[index])
            for name in wanted:
                self.kit.expect(got[name], name).matches(exact[name], dtype=False)

    def upstream_kept(self, at: dict[str, torch.Tensor], *settings: Any) -> None:
        """dout is afterwards as it was before."""
        self.right_names(at, *settings)
        dout = self.upstream(at, *settings)
        _, after = self.backward.observed(dout.clone(), self.cache(at, *settings))
        self.kit.expect(after[0], "dout").is_unchanged_from(dout)

    def affordable(
        self, at: dict[str, torch.Tensor], small: dict[str, torch.Tensor], *settings: Any, loops: bool = False
    ) -> None:
        """The gradients come from a formula: in a small multiple of forward's time, and by no forbidden function.

        Where ``loops`` are fine, a formula may take longer. Whoever changes one number after the other runs forward
        once for each, at least; what takes a good deal less than that is a formula, however many loops it is written
        in. The forbidden function is looked for on ``small`` tensors, since a trace takes its time.
        """
        wanted = self.right_names(at, *settings)
        forward, little = (
            self.kit.cost(self.forward.holding, *copies(point.values()), *copies(settings)) for point in (at, small)
        )
        dout, cache = self.upstream(at, *settings), self.cache(at, *settings)
        spent = self.kit.cost(self.backward, dout.clone(), cache)
        exact, got = self.exact(at, dout, *settings), self.named(spent.result)
        for name in wanted:
            self.kit.expect(got[name], name).matches(exact[name], dtype=False)
        limit = 0.4 + 20 * forward.cpu_seconds
        if loops:
            numbers = sum(value.numel() for value in at.values())
            # What small tensors take as well is the way to the player and back, and is no part of a forward pass.
            limit = max(limit, 0.3 * numbers * (forward.cpu_seconds - little.cpu_seconds))
        spent.require_below(
            limit,
            "The backward pass takes far too long. Compute the gradients from their formula, not by changing one input "
            "after the other.",
            f"less than {limit:.2g} seconds, where the forward pass took {forward.cpu_seconds:.2g}",
        )
        self.kit.rules.traced(self.backward, self.upstream(small, *settings), self.cache(small, *settings))


class Network:
    """Checks of one network, which is a remote object with ``params`` and ``loss(X, y=None)``.

    Args:
        kit: the fixtures.
        make: ``make(reg=...)`` makes the submission's network, without drawing anything that is compared.
        right: ``right(params, X)`` gives the scores; autograd can follow it.
        params: the parameters at which everything is compared, float64.
        X, y: images or rows, and their labels.
        atol: what gradients that are zero may be off by.
        own: what the submission calls a parameter, where that is another name.
    """

    def __init__(self, kit, make, right, params, X, y, atol=None, own=None):
        self.kit, self.make, self.right = kit, make, right
        self.params, self.X, self.y, self.atol = params, X, y, atol
        self.own = {name: name for name in params} | (own or {})

    def net(self, reg: float = 0.0) -> Any:
        net = self.make(reg=reg)
        self.give(net, self.params)
        return net

    def give(self, net: Any, params: dict[str, torch.Tensor]) -> None:
        """Puts these parameters into a network, under its own names."""
        net.params = {self.own[name]: value.clone() for name, value in params.items()}

    def scores(self) -> None:
        """Without labels, the network returns its scores."""
        expected = self.right(self.params, self.X)
        self.kit.expect(self.net().loss(self.X), "scores").matches(expected, dtype=False)

    def results(self, net: Any) -> tuple[Any, dict[str, Any]]:
        """Loss and gradients as they came. Gradients that were never computed fail every check."""
        loss, grads = pair(net.loss(self.X, self.y), "the loss and the gradients")
        if type(grads) is not dict or any(name not in grads for name in self.own.values()):
            raise CheckFailed(f"The gradients should be a dict with the keys {', '.join(self.own.values())}.")
        grads = {name: grads[own] for name, own in self.own.items()}
        values = list(grads.values())
        if all(value is None or (torch.is_tensor(value) and not value.any()) for value in values):
            raise CheckFailed("The gradients are still zero everywhere, as if they were not computed yet.")
        return loss, grads

    def exact(self) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        leaves = {name: value.detach().clone().requires_grad_() for name, value in self.params.items()}
        loss = torch.nn.functional.cross_entropy(self.right(leaves, self.X), self.y)
        found = torch.autograd.grad(loss, list(leaves.values()))
        return loss.detach(), dict(zip(leaves, found, strict=True))

    def loss(self) -> None:
        """The loss is right."""
        self.kit.expect(self.results(self.net())[0], "loss").matches(self.exact()[0], dtype=False)

    def gradients(self, wanted: Iterable[str]) -> None:
        """The gradients of some of the parameters are right, without penalty."""
        grads, exact = self.results(self.net())[1], self.exact()[1]
        for name in wanted:
            self.kit.expect(grads[name], f"grads[{name!r}]").matches(exact[name], dtype=False, atol=self.atol)

    def numbers(self, reg: float) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        loss, grads = self.results(self.net(reg))
        self.kit.expect(loss, "loss").has_shape().is_finite()
        for name, value in self.params.items():
            self.kit.expect(grads[name], f"grads[{name!r}]").has_shape(*value.shape).is_finite()
        doubles = {name: torch.as_tensor(grads[name]).double() for name in self.params}
        return torch.as_tensor(loss).double(), doubles

    def penalty(self, factors: tuple[float, ...] = (1.0,)) -> None:
        """What reg adds to loss and gradients, for one of some factors before reg * (sum of squared weights)."""
        without, reg = self.numbers(0.0), 0.7
        loss, grads = self.numbers(reg)
        squares = sum((value**2).sum() for value in self.params.values() if value.ndim > 1)
        own = float((loss - without[0]) / (reg * squares))
        factor = min(factors, key=lambda factor: abs(factor - own))
        self.kit.expect(loss - without[0], "what reg adds to the loss").matches(
            factor * reg * squares, rtol=1e-5, dtype=False
        )
        for name, value in self.params.items():
            expected = 2 * factor * reg * value if value.ndim > 1 else torch.zeros_like(value)
            self.kit.expect(grads[name] - without[1][name], f"what reg adds to grads[{name!r}]").matches(
                expected, rtol=1e-5, atol=1e-6, dtype=False
            )

    def spared(self, names: Iterable[str]) -> None:
        """The penalty does not hang on some of the parameters, and adds nothing to their gradients."""
        reg, added, usual = 0.7, [], self.params
        for factor in (1.0, 1.5):
            self.params = {name: factor * value if name in names else value for name, value in usual.items()}
            without, penalised = self.numbers(0.0), self.numbers(reg)
            added.append(penalised[0] - without[0])
            for name in names:
                more = penalised[1][name] - without[1][name]
                self.kit.expect(more, f"what reg adds to grads[{name!r}]").matches(
                    torch.zeros_like(more), atol=1e-6, dtype=False
                )
        self.params = usual
        several = f"what reg adds to the loss, after {', '.join(names)} changed"
        self.kit.expect(added[1], several).matches(added[0], rtol=1e-5, dtype=False)

    def affordable(self, seconds: float = 1.0) -> None:
        """Loss and gradients come by the chain rule, not by changing one parameter after the other."""
        net = self.net()
        spent = self.kit.cost(net.loss, self.X, self.y)
        loss, _ = pair(spent.result, "the loss and the gradients")
        self.kit.expect(loss, "loss").is_finite()
        spent.require_below(
            seconds,
            "Loss and gradients take far too long. Go backwards through the layers, instead of changing one parameter "
            "after the other.",
        )

    def traced(self) -> None:
        """No forbidden function is at work in a training step, in functions that no other question is about."""
        self.kit.rules.traced(self.net().loss, self.X, self.y)

    def kept(self) -> None:
        """Parameters and images are afterwards as they were before, and a second call returns the same."""
        net = self.net()
        first, second = self.results(net), self.results(net)
        self.kit.expect(second[0], "the loss of a second call").matches(first[0])
        params = net.params
        if type(params) is not dict or any(name not in params for name in self.own.values()):
            raise CheckFailed("net.params should be a dict with the same keys after a call of loss as before.")
        for name, value in self.params.items():
            self.kit.expect(params[self.own[name]], self.own[name]).is_unchanged_from(value)
