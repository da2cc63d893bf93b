"""Functions that the judge lends: autograd can go through them, although they are computed elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from grader.contract.trees import floating_in, with_floating

Call = Callable[[Any], Any]


def is_followed(arguments: Any) -> bool:
    """Whether autograd is watching what is made of ``arguments``."""
    return torch.is_grad_enabled() and any(x.requires_grad for x in floating_in(arguments))


def followed(call: Call, gradients: Call, arguments: list[Any]) -> Any:
    """``call(arguments)``, such that autograd can go back through it.

    Args:
        call: computes the result from ``[args, kwargs]``.
        gradients: computes from ``[args, kwargs, douts]``, with a gradient for each floating-point tensor of the
            result, the gradient of each floating-point tensor among the arguments.
        arguments: ``[args, kwargs]``.
    """
    # Copies, since the originals may be changed in place before the gradients are asked for.
    given = with_floating(arguments, lambda x: x.detach().clone())
    result = call(arguments)
    out = _Lent.apply(given, gradients, floating_in(result), *floating_in(arguments))  # type: ignore[no-untyped-call]
    made = iter(out)
    return with_floating(result, lambda _: next(made))


class _Lent(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, given: list[Any], gradients: Call, out: list[torch.Tensor], *_: torch.Tensor) -> Any:
        ctx.given, ctx.gradients = given, gradients
        # Tensors of one frame are views of its bytes. Of several views that autograd follows, none may be changed in
        # place, but a submission may do that to results of its own function.
        return tuple(x.clone() for x in out)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *douts: torch.Tensor) -> Any:
        return None, None, None, *ctx.gradients([*ctx.given, list(douts)])
