"""Wrong: a module that is imported by a name that only a run can tell."""

import importlib


def solve(x, w):
    functional = importlib.import_module(".".join(["torch", "nn", "functional"]))
    return functional.conv2d(x, w)
