"""What code of Fall 2019 calls the helpers in eecs598."""

from . import utils
from .utils import fix_random_seed

__all__ = ["fix_random_seed", "utils"]
