"""Small things used everywhere."""

import random

import torch

from .vis import tensor_to_image

__all__ = ["reset_seed", "tensor_to_image"]


def reset_seed(number):
    """Seed Python's and torch's generators (on every device) with the same integer."""
    random.seed(number)
    torch.manual_seed(number)
