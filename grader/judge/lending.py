"""Gradients of a function that the judge lends to a player, computed here, where the function is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from grader.contract.trees import floating_in, with_floating


def gradients_of(
    function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], douts: list[torch.Tensor]
) -> list[torch.Tensor]:
    """The gradient of the sum of all results times their ``douts``, for each floating-point tensor among the arguments.

    Raises :class:`ValueError` where the number or a shape of ``douts`` does not fit the results.
    """
    given = with_floating([args, kwargs], lambda x: x.detach().clone().requires_grad_())
    with torch.enable_grad():
        results = floating_in(function(*given[0], **given[1]))
    upstream = floating_in(douts)
    if [x.shape for x in results] != [x.shape for x in upstream]:
        raise ValueError("the gradients that were sent do not fit the results of the function")
    leaves = floating_in(given)
    pairs = [(x, dout) for x, dout in zip(results, upstream, strict=True) if x.requires_grad]
    if not pairs:
        return [torch.zeros_like(x) for x in leaves]
    reached, weights = zip(*pairs, strict=True)
    return list(torch.autograd.grad(reached, leaves, weights, allow_unused=True, materialize_grads=True))
