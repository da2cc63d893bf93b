"""What the programs of the references share: their arguments, and the lines of their tables.

``experiments.py`` prints what an assignment's reference reaches, ``figures.py`` records what ``grader plots`` shows.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from grader.datasets.imageset import ImageSet
from grader.datasets.kept import Kind
from grader.datasets.problems import DataError
from grader.datasets.store import KNOWN, Store


def parser_of(assignment: str, about: str, names: Sequence[str], default: Sequence[str]) -> argparse.ArgumentParser:
    """A parser of what all programs take: names of what to run, ``--data``, ``--threads`` and ``--seed``.

    Args:
        assignment: its name, for the texts of ``--help``.
        about: what the program does, in a sentence.
        names: what can be run.
        default: what is run where nothing is named.
    """
    parser = argparse.ArgumentParser(prog=f"grader reference {assignment}", description=about)
    about_names = f"of {', '.join(names)} (default: {' '.join(default)})"
    parser.add_argument("names", nargs="*", metavar="NAME", help=about_names)
    parser.add_argument("--data", metavar="NAME|PATH", help="see: grader data list")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    return parser


def parsed(parser: argparse.ArgumentParser, names: Sequence[str], default: Sequence[str]) -> argparse.Namespace:
    """The program's arguments; ends it with exit code 2 where one of them cannot be used."""
    options = parser.parse_args()
    options.names = options.names or list(default)
    unknown = sorted(set(options.names) - set(names))
    if unknown:
        parser.error(f"there is no {unknown[0]!r} here; choose from {', '.join(names)}")
    return options


def opened(parser: argparse.ArgumentParser, request: str, kind: type[Kind], expected: str) -> Kind:
    """The data set of this kind that ``request`` means; ends the program, saying what was expected, for any other."""
    try:
        found = Store.default(lambda text: print(text, file=sys.stderr)).open(request)
    except DataError as error:
        parser.error(f"argument --data: {error}")
    if not isinstance(found, kind):
        parser.error(f"argument --data: {request} is {found.summary}; {expected}.")
    print(found.summary, flush=True)
    return found


def arguments(assignment: str, about: str, names: Sequence[str], default: Sequence[str]) -> argparse.Namespace:
    """The arguments of a program on images (see :func:`parser_of`); ``data`` is an :class:`ImageSet`, or shapes10."""
    parser = parser_of(assignment, about, names, default)
    parser.set_defaults(data="shapes10")
    options = parsed(parser, names, default)
    options.data = opened(parser, options.data, ImageSet, "labelled images were expected, such as shapes10")
    return options


def figure_arguments(assignment: str, kind: type[Kind]) -> tuple[argparse.Namespace, Kind]:
    """The arguments of a program ``figures.py``, and its data set: what was asked for of this kind, or a drawn one.

    ``quick`` asks for a few seconds' work on few examples, whatever that reaches; ``out`` is the file to write.
    """
    import torch

    parser = argparse.ArgumentParser(prog=f"grader plots {assignment}")
    parser.add_argument("--data", action="append", default=[])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    store = Store.default()
    asked = [request for request in options.data if store.find(request).known.kind is kind]
    drawn = [known.name for known in KNOWN.values() if known.kind is kind and known.make is not None]
    return options, opened(parser, (asked or drawn)[0], kind, "another kind was expected")


def row(name: str, *cells: object) -> str:
    """A line of a table: a name, and cells of 12 characters."""
    return f"{name:12}" + "".join(f"{cell!s:>12}" for cell in cells)
