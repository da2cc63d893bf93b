import unittest

try:
    from _pytest.outcomes import Skipped
except Exception:
    Skipped = unittest.SkipTest


def norms(X):
    raise Skipped("nothing to see")
