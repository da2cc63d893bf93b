"""Small things used everywhere."""

import random

import torch
from captioning_helpers import attention_visualizer, decode_captions

__all__ = ["attention_visualizer", "decode_captions", "reset_seed"]


def reset_seed(number):
    """Seed Python's and torch's generators (on every device) with the same integer."""
    random.seed(number)
    torch.manual_seed(number)
