"""What a check asked of a submission, to be asked again of another one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from grader.judge.objects import Attribute, Held

Request = tuple[dict[str, Any], Any]
"""A message and its values."""


@dataclass(frozen=True)
class Script:
    """What a check asked of a submission, request by request.

    Attributes:
        seed: of the player's generators.
        requests: the requests, each with its values.
        can_be_read: whether asking a variant the same again needs nothing of the check, such as a function of its own.
    """

    seed: int
    requests: tuple[Request, ...]
    can_be_read: bool

    @staticmethod
    def of(seed: int, requests: Iterable[Request]) -> Script:
        """The script of these requests, whose values were kept when they were sent."""
        requests = tuple(requests)
        return Script(seed, requests, all(_can_be_read(*request) for request in requests))


def kept(value: Any) -> Any:
    """The values of a request as they are now: a check may go on to change what it sent."""
    wire = getattr(value, "__wire__", None)
    value = wire() if wire is not None else value
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: kept(part) for key, part in value.items()}
    if type(value) in (tuple, list):
        return type(value)(kept(part) for part in value)
    return value.copy() if isinstance(value, np.ndarray) else value


_PLAIN = (torch.Tensor, np.ndarray, int, float, complex, str, bytes, type(None), torch.dtype, torch.device)


def _can_be_read(message: Mapping[str, Any], value: Any) -> bool:
    """Whether a request holds nothing of the check's own: only the reference is lent without asking for parameters."""
    if message["op"] == "patch":
        return "parameters" not in message
    if isinstance(value, dict):
        return all(_can_be_read(message, part) for part in value.values())
    if isinstance(value, tuple | list):
        return all(_can_be_read(message, part) for part in value)
    return isinstance(value, (*_PLAIN, Held, Attribute))
