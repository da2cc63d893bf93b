"""Taking losses, outputs and gradients out of what a submission returned, whatever that was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from grader.judge.compare import Expectation
from grader.judge.explain import fail, list_keys
from grader.judge.values import Kind, describe, is_plain_key, numbers_of

Tensors = dict[str, torch.Tensor]

_DTYPE_HINT = "New tensors take the default dtype unless they are told another: use torch.zeros_like or dtype=x.dtype."


def parts_of(answer: object, wanted: str) -> tuple[Any, ...]:
    """The elements of a returned tuple or list of at least two, of which ``wanted`` tells in words."""
    if answer is None:
        fail("The function returned None: did you forget to return?")
    if type(answer) not in (tuple, list) or len(answer) < 2:  # type: ignore[arg-type]
        fail(f"The function returned {describe(answer)}, but should return {wanted}.")
    return tuple(answer)  # type: ignore[arg-type]


def loss_of(answer: object) -> float:
    """The loss, the first element of an answer: a finite number or tensor of shape ``()``."""
    loss = parts_of(answer, "the loss and its gradients")[0]
    Expectation(loss, "loss").has_shape().is_finite()
    numbers = numbers_of(loss)
    return float(numbers.as_floats()) if numbers is not None else float("nan")


def output_of(answer: object, shape: torch.Size | None = None) -> torch.Tensor:
    """The output of a forward pass, the first of two elements: finite, and of ``shape`` where that is known."""
    parts = parts_of(answer, "the output and a cache")
    if len(parts) != 2:
        fail(f"The forward pass returned {len(parts)} elements, but should return two: the output and a cache.")
    expectation = Expectation(parts[0], "out").is_finite()
    if shape is not None:
        expectation.has_shape(*shape)
    return floating(parts[0], "out")


def floating(value: object, label: str) -> torch.Tensor:
    """A floating-point tensor; of a tensor the very storage, so that a later change to it is seen."""
    numbers = numbers_of(value)
    if numbers is None or numbers.kind is not Kind.FLOATING:
        fail(f"{label} is {describe(value)}, but should be a floating-point tensor.", hint=_DTYPE_HINT)
    if isinstance(value, torch.Tensor):
        return value.detach()
    return torch.from_numpy(numbers.array.copy())


def require_float64(value: object, label: str) -> None:
    """Fails where float64 inputs gave a tensor or array of another dtype."""
    numbers = numbers_of(value)
    if numbers is not None and not numbers.is_scalar and numbers.dtype != "float64":
        message = f"{label} has the dtype {numbers.dtype}, but should have float64, as the inputs have."
        fail(message, "float64", numbers.dtype, hint=_DTYPE_HINT)


def gradients_of(given: object, at: Tensors, labels: Mapping[str, str], float64: bool) -> Tensors:
    """The gradient for each argument: of its shape, floating-point (float64 if asked) and finite."""
    found = _by_name(given, list(at), labels)
    gradients = {}
    for name, x in at.items():
        expectation = Expectation(found[name], labels[name]).has_shape(*x.shape)
        gradients[name] = floating(found[name], labels[name])
        if float64:
            require_float64(found[name], labels[name])
        expectation.is_finite()
    return gradients


def _by_name(given: object, names: list[str], labels: Mapping[str, str]) -> dict[str, object]:
    """Gradients from a dict, from a tuple in the order of the arguments, or from the only one itself."""
    if type(given) is dict:
        plain = {key: value for key, value in given.items() if is_plain_key(key)}
        missing = [name for name in names if name not in plain]
        if missing:
            fail(f"The dict of gradients should have the keys {list_keys(names)}, but lacks {list_keys(missing)}.")
        return {name: plain[name] for name in names}
    if type(given) in (tuple, list):
        values: tuple[object, ...] = tuple(given)  # type: ignore[arg-type]
        if len(values) != len(names):
            wanted = ", ".join(labels[name] for name in names)
            fail(f"There should be {len(names)} gradients ({wanted}), but {len(values)} came.")
        return dict(zip(names, values, strict=True))
    if len(names) == 1:
        return {names[0]: given}
    fail(f"The gradients are {describe(given)}, but should be a dict with the keys {list_keys(names)}.")
