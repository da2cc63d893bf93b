"""One gradient check: what its author asked for, and the words for what came out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from grader.contract.verdict import CheckFailed
from grader.judge.diagnose import diagnose, diagnose_factor
from grader.judge.differences import Finding, Probe
from grader.judge.explain import at as entry_at
from grader.judge.explain import count_entries, fail
from grader.judge.gradient_answers import Tensors
from grader.judge.values import describe, format_apart

Labels = Mapping[str, str] | Sequence[str] | None


@dataclass(frozen=True)
class GradientCase:
    """One gradient check: where, what students call each gradient, and the options of the check.

    Attributes:
        at: the arguments by name, float64.
        labels: name of each argument's gradient.
        source: what is differentiated, in words.
        exact: the right gradients, as far as the check knows them.
    """

    at: Tensors
    labels: dict[str, str]
    source: str
    probes: int
    float64: bool
    sizes: Mapping[str, int]
    exact: Tensors = field(default_factory=dict)


def checked_arguments(at: Mapping[str, torch.Tensor]) -> Tensors:
    """Copies of the arguments, which must be float64 tensors; anything else is a mistake in the check."""
    if not at:
        raise ValueError("A gradient check needs at least one argument in `at`.")
    for name, x in at.items():
        if not isinstance(x, torch.Tensor) or x.dtype != torch.float64:
            raise TypeError(f"Gradients are checked in float64, but the argument {name} is {describe(x)}.")
    return {name: x.detach().clone() for name, x in at.items()}


def gradient_labels(at: Mapping[str, object], names: Labels) -> dict[str, str]:
    """What students call the gradient of each argument: as given, else ``dW`` for ``W``."""
    if names is not None and not isinstance(names, Mapping) and len(names) != len(at):
        raise ValueError(f"There are {len(at)} arguments in `at`, but {len(names)} names.")
    given = names if isinstance(names, Mapping) else dict(zip(at, names or (), strict=False))
    return {name: given.get(name, f"d{name}") for name in at}


def authors_gradients(given: object, at: Tensors) -> dict[str, torch.Tensor]:
    """Exact gradients by argument name, from a dict, a tuple in the order of ``at``, or the only one."""
    if isinstance(given, Mapping):
        return dict(given)
    values = (given,) if isinstance(given, torch.Tensor) else given
    if not isinstance(values, (tuple, list)) or len(values) != len(at):
        raise ValueError(f"`exact` gave {describe(given)}, but there are {len(at)} arguments in `at`.")
    return dict(zip(at, values, strict=True))


def known_gradients(exact: Mapping[str, torch.Tensor], at: Tensors) -> Tensors:
    """The exact gradients of the arguments in ``at``, whose shapes they must have."""
    for name, gradient in exact.items():
        if name in at and gradient.shape != at[name].shape:
            raise ValueError(f"The exact gradient of {name} is {describe(gradient)}, {name} is {describe(at[name])}.")
    return {name: gradient.detach() for name, gradient in exact.items() if name in at}


def labelled(gradients: Tensors, case: GradientCase) -> Tensors:
    """The same gradients by the names that students read."""
    return {case.labels[name]: gradient for name, gradient in gradients.items()}


def require_same(before: Tensors, after: Tensors, what: str, hint: str = "") -> None:
    """Fails with ``what`` and the name of the first value that is not the same to the last bit."""
    for label, value in before.items():
        if not torch.equal(value, after[label]):
            fail(f"{what} {label}.", hint=hint)


def require_zero(gradients: Tensors) -> None:
    """Fails where gradients for an upstream gradient of zeros are not all zero."""
    for label, gradient in gradients.items():
        nonzero = int(torch.count_nonzero(gradient))
        if nonzero:
            fail(
                f"{label} should be zero for an upstream gradient of zeros, but {nonzero} of its "
                f"{count_entries(gradient.numel())} are not. Each gradient is made from dout."
            )


def blame_source(failure: CheckFailed, case: GradientCase, name: str) -> CheckFailed:
    """The failure of a gradient that is not the exact one, but fits the function that it came from."""
    label, source = case.labels[name], case.source
    message = f"{label} is right for your {source}, but the {source} itself is wrong: look there first."
    return CheckFailed(replace(failure.explanation, message=message, hint=""))


def fail_slopes(case: GradientCase, name: str, probes: list[Probe]) -> None:
    """Fails with the slope that is off by the most; one of the probes at least is wrong."""
    label, source = case.labels[name], case.source
    wrong = [probe for probe in probes if probe.finding is Finding.WRONG]
    worst = max(wrong, key=lambda probe: abs(probe.measured - probe.claimed))
    measured, claimed = format_apart(worst.measured, worst.claimed)
    if name in case.exact:
        message = f"{label} is right, but it is not the gradient of your {source}: the {source} is wrong."
    elif worst.index is None:
        message = f"{label} is not the gradient of your own {source}, which changes at another rate than {label} says."
    else:
        many = f"{len(wrong)} of {count_entries(len(probes))}"
        message = f"{label}: {many} differ{'s' if len(wrong) == 1 else ''} from the slope of your own {source}."
    where = "Along a random direction" if worst.index is None else f"The worst is {entry_at(label, worst.index)}"
    difference = f"{where}: measured {measured}, yours {claimed}."
    hint = "" if name in case.exact else _hint(case, name, probes)
    fail(message, measured, claimed, difference, hint)


def _hint(case: GradientCase, name: str, probes: list[Probe]) -> str:
    measured = torch.tensor([probe.measured for probe in probes], dtype=torch.float64)
    claimed = torch.tensor([probe.claimed for probe in probes], dtype=torch.float64)
    if probes[0].index is None:
        return diagnose_factor(measured.numpy(), claimed.numpy(), case.sizes)
    if any(probe.finding is Finding.KINK for probe in probes):
        return ""
    shape = case.at[name].shape
    return diagnose(measured.reshape(shape), claimed.reshape(shape), case.sizes, dtype="float32")
