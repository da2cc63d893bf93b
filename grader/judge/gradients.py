"""Judging gradients: against the exact ones, which names the entry, and against the function's own differences.

The order explains itself and is that of torch's gradcheck: float64 inputs, shapes and dtypes, finiteness, two runs that
agree, zero upstream, then values. Every call gets fresh copies of its inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch

from grader.contract.verdict import CheckFailed
from grader.judge.compare import Expectation
from grader.judge.differences import Differences, Finding, Objective, Probe
from grader.judge.draw import Draw
from grader.judge.gradient_answers import Tensors, gradients_of, loss_of, output_of, parts_of, require_float64
from grader.judge.gradient_case import (
    GradientCase,
    Labels,
    authors_gradients,
    blame_source,
    checked_arguments,
    fail_slopes,
    gradient_labels,
    known_gradients,
    labelled,
    require_same,
    require_zero,
)

_PROBES = 3


class Gradients:
    """Checks of gradients.

    Attributes:
        calls: how many calls of the submission's functions were made so far.
        notes: remarks for the student that cost nothing.
    """

    def __init__(self, draw: Draw, on_note: Callable[[str], None] | None = None) -> None:
        self._draw = draw
        self._on_note = on_note
        self.notes: list[str] = []
        self.calls = 0

    def loss(
        self,
        f: Callable[..., object],
        at: Mapping[str, torch.Tensor],
        exact: Mapping[str, torch.Tensor] | None = None,
        names: Labels = None,
        *,
        probes: int = _PROBES,
        dtype: bool = True,
        sizes: Mapping[str, int] | None = None,
    ) -> None:
        """A function returns its loss and the right gradients of it.

        Args:
            f: ``f(**at)`` returns ``(loss, {"W": dW, ...})``, or ``(loss, dW, ...)`` in the order of ``at``. It may
                hand on whatever a submission returned: odd answers are explained here.
            at: arguments by name, float64 tensors; what is constant belongs into ``f``.
            exact: the right gradients by argument name, so that a wrong entry can be named.
            names: what students call the gradients, by argument or in the order of ``at``; ``"d" + name`` otherwise.
            probes: random directions for each argument of more than 64 entries; smaller ones are probed by entry.
            dtype: whether the gradients must be float64, as the arguments are.
            sizes: sizes of the problem by name, such as ``{"N": 7}``, to recognise a factor by.

        Costs 16 calls of ``f``, and 2 for each entry or direction that agrees (4 where there is a kink or an error).

        Raises:
            CheckFailed: a gradient is wrong, or is not that of the loss which ``f`` returns.
            TypeError, ValueError: the check itself asks for something impossible.
        """
        case = GradientCase(checked_arguments(at), gradient_labels(at, names), "loss", probes, dtype, sizes or {})
        case = replace(case, exact=known_gradients(exact or {}, case.at))
        loss, claimed = self._loss_and_gradients(f, case)
        again, repeated = self._loss_and_gradients(f, case)
        who = "The function, called twice with the same arguments,"
        require_same({"loss": torch.tensor(loss)}, {"loss": torch.tensor(again)}, f"{who} returned two different")
        require_same(labelled(claimed, case), labelled(repeated, case), f"{who} returned two different")
        self._judge(case, claimed, lambda point: loss_of(self._call(f, point)), loss)

    def layer(
        self,
        forward: Callable[..., object],
        backward: Callable[..., object],
        at: Mapping[str, torch.Tensor],
        exact: Callable[[torch.Tensor], object] | None = None,
        names: Labels = None,
        *,
        probes: int = _PROBES,
        dtype: bool = True,
        sizes: Mapping[str, int] | None = None,
    ) -> None:
        """A backward pass returns the right gradients of its own forward pass, for a random upstream gradient.

        Args:
            forward: ``forward(**at)`` returns ``(out, cache)``; the cache is only handed on.
            backward: ``backward(dout, cache)`` returns gradients by argument name, or in the order of ``at``.
            exact: the right gradients for an upstream gradient, in the form that ``backward`` returns, such as
                ``lambda dout: reference_backward(dout, reference_cache)``.
            at, names, probes, dtype, sizes: as for :meth:`loss`.

        Costs 16 calls of ``forward``, 3 of ``backward``, and 2 of ``forward`` for each entry or direction that agrees.

        Raises:
            CheckFailed: a gradient is wrong, changes on repetition or by a later call, or ignores the upstream one.
            TypeError, ValueError: the check itself asks for something impossible.
        """
        case = GradientCase(
            checked_arguments(at), gradient_labels(at, names), "forward pass", probes, dtype, sizes or {}
        )
        out, cache = self._out_and_cache(forward, case)
        again, _ = self._out_and_cache(forward, case)
        who = "The forward pass, called twice with the same arguments,"
        require_same({"out": out}, {"out": again}, f"{who} returned two different")
        dout = self._draw.normal(*out.shape)
        if exact is not None:
            case = replace(case, exact=known_gradients(authors_gradients(exact(dout.clone()), case.at), case.at))
        claimed = self._backward_thrice(backward, dout, cache, case)

        def objective(point: Tensors) -> float:
            return float((output_of(self._call(forward, point), out.shape).double() * dout).sum())

        self._judge(case, claimed, objective, float((out.double() * dout).sum()))

    # ---- calls of the submission -----------------------------------------------------------------------------------

    def _call(self, function: Callable[..., object], point: Tensors) -> object:
        self.calls += 1
        return function(**{name: x.clone() for name, x in point.items()})

    def _loss_and_gradients(self, f: Callable[..., object], case: GradientCase) -> tuple[float, Tensors]:
        answer = self._call(f, case.at)
        loss = loss_of(answer)
        rest = parts_of(answer, "the loss and its gradients")[1:]
        given = rest[0] if len(rest) == 1 else rest
        gradients = gradients_of(given, case.at, case.labels, case.float64)
        return loss, {name: gradient.clone() for name, gradient in gradients.items()}

    def _out_and_cache(self, forward: Callable[..., object], case: GradientCase) -> tuple[torch.Tensor, object]:
        answer = self._call(forward, case.at)
        out = output_of(answer)
        if case.float64:
            require_float64(out, "out")
        return out.clone(), parts_of(answer, "the output and a cache")[1]

    def _backward_thrice(
        self, backward: Callable[..., object], dout: torch.Tensor, cache: object, case: GradientCase
    ) -> Tensors:
        """The gradients for ``dout``; between two runs that must agree, one with zeros looks for shared buffers."""

        def run(upstream: torch.Tensor) -> Tensors:
            self.calls += 1
            return gradients_of(backward(upstream.clone(), cache), case.at, case.labels, case.float64)

        first = run(dout)
        kept = {name: gradient.clone() for name, gradient in first.items()}
        require_zero(labelled(run(torch.zeros_like(dout)), case))
        require_same(
            labelled(kept, case),
            labelled(first, case),
            "The next call of the backward pass changed what it had returned before: it writes again into",
            "Return new tensors, not a buffer that is kept.",
        )
        require_same(
            labelled(kept, case),
            labelled(run(dout), case),
            "The backward pass, called again with the same dout and cache, returned another",
            "Does it change the cache in place, or add to something that it keeps?",
        )
        return kept

    # ---- judging ---------------------------------------------------------------------------------------------------

    def _judge(self, case: GradientCase, claimed: Tensors, objective: Objective, base: float) -> None:
        failures = {name: self._against_exact(case, name, gradient) for name, gradient in claimed.items()}
        differences = Differences(objective, case.at, base, self._draw)
        for name in sorted(claimed, key=lambda name: failures[name] is None):
            gradient = claimed[name].double()
            probes = differences.probes(name, gradient, case.probes)
            consistent = not any(probe.finding is Finding.WRONG for probe in probes)
            failure = failures[name]
            if failure is not None:
                blamed = consistent and _contradicts(differences, name, case)
                raise blame_source(failure, case, name) if blamed else failure
            if not consistent:
                fail_slopes(case, name, probes)
            self._note_kinks(case.labels[name], probes)
        if differences.is_coarse:
            self._note(
                f"The {case.source} is rounded as if part of it was computed in float32, so that its slopes could be "
                "measured only roughly. Give new tensors the dtype of the inputs."
            )

    def _against_exact(self, case: GradientCase, name: str, gradient: torch.Tensor) -> CheckFailed | None:
        if name not in case.exact:
            return None
        expectation = Expectation(gradient, case.labels[name], self._note)
        try:
            expectation.matches(case.exact[name], dtype=case.float64, sizes=case.sizes)
        except CheckFailed as failure:
            return failure
        return None

    def _note_kinks(self, label: str, probes: list[Probe]) -> None:
        kinks = sum(probe.finding is Finding.KINK for probe in probes)
        if 3 * kinks > len(probes):
            self._note(f"{label}: {kinks} of {len(probes)} slopes lie at kinks and could not be measured.")

    def _note(self, text: str) -> None:
        self.notes.append(text)
        if self._on_note is not None:
            self._on_note(text)


def _contradicts(differences: Differences, name: str, case: GradientCase) -> bool:
    """Whether differences can tell the exact gradient from the claimed one, and speak for the claimed one."""
    right = case.exact[name].double()
    return any(probe.finding is Finding.WRONG for probe in differences.probes(name, right, case.probes))
