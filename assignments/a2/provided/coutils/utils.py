"""Small things used everywhere, under their names of Fall 2019."""

from eecs598 import reset_seed

__all__ = ["fix_random_seed"]


def fix_random_seed(seed_no=0):
    """Seed Python's and torch's generators with the same integer."""
    reset_seed(seed_no)
