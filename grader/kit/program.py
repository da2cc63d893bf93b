"""What the programs ``experiments.py`` of the references share: their arguments, and the lines of their tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from grader.datasets.imageset import ImageSet
from grader.datasets.problems import DataError
from grader.datasets.store import Store


def arguments(assignment: str, about: str, names: Sequence[str], default: Sequence[str]) -> argparse.Namespace:
    """The program's arguments: ``names``, what to run; ``data``, an :class:`ImageSet`; ``threads`` and ``seed``.

    Args:
        assignment: its name, for the texts of ``--help``.
        about: what the program does, in a sentence.
        names: what can be run.
        default: what is run where nothing is named.

    Ends the program with exit code 2 where an argument cannot be used.
    """
    parser = argparse.ArgumentParser(prog=f"grader reference {assignment}", description=about)
    listed = ", ".join(names)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {listed} (default: {' '.join(default)})")
    parser.add_argument(
        "--data", metavar="NAME|PATH", default="shapes10", help="see: grader data list (default: shapes10)"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.names = options.names or list(default)
    unknown = sorted(set(options.names) - set(names))
    if unknown:
        parser.error(f"there is no {unknown[0]!r} here; choose from {listed}")
    try:
        options.data = _images(options.data)
    except DataError as error:
        parser.error(f"argument --data: {error}")
    return options


def _images(request: str) -> ImageSet:
    images = Store.default(lambda text: print(text, file=sys.stderr)).images(request)
    print(images.summary, flush=True)
    return images


def row(name: str, *cells: object) -> str:
    """A line of a table: a name, and cells of 12 characters."""
    return f"{name:12}" + "".join(f"{cell!s:>12}" for cell in cells)
