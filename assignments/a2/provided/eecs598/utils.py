"""Small things used everywhere."""

import random

import torch

__all__ = ["reset_seed"]


def reset_seed(number):
    """Seed Python's and torch's generators (on every device) with the same integer."""
    random.seed(number)
    torch.manual_seed(number)
