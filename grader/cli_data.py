"""``grader data``: which data sets there are, where they lie, and how to get them onto this machine.

The store needs numpy, and tables need rich: they are imported once a command needs them.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from grader.datasets.problems import DataError

if TYPE_CHECKING:
    from grader.datasets.store import Source, Store


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command ``data`` and its own commands; each sets ``data_command``, a function of the arguments."""
    data = commands.add_parser("data", help="list, fetch, verify or locate data sets")
    which = data.add_subparsers(required=True, metavar="WHAT")

    listing = which.add_parser("list", help="the known data sets, and where they lie")
    listing.set_defaults(data_command=_list)

    fetching = which.add_parser("fetch", help="download or make a data set, and keep it ready for use")
    fetching.add_argument("name", metavar="NAME", help="which data set, see: grader data list")
    fetching.add_argument("--from", dest="url", metavar="URL", help="another address of the same file")
    fetching.set_defaults(data_command=_fetch)

    verifying = which.add_parser("verify", help="read data sets anew and compare checksums")
    verifying.add_argument("requests", nargs="*", metavar="NAME|PATH", help="which (default: all on this machine)")
    verifying.set_defaults(data_command=_verify)

    locating = which.add_parser("path", help="print where a data set lies")
    locating.add_argument("request", metavar="NAME|PATH", help="which data set")
    locating.set_defaults(data_command=_path)


def made_ready(requests: Sequence[str]) -> str:
    """Finds what ``requests``, names or paths, mean, and downloads what is missing, with progress on the terminal.

    Nothing is decoded yet: whoever opens the sets does that once. Returns them as one text that can be handed to
    processes anywhere: names as they are, paths from the root.
    """
    from grader.datasets.store import KNOWN, Store

    store = Store.default(tell)
    with _download_bar() as progress:
        for request in requests:
            if request in KNOWN:
                store.fetch(request, progress=progress)
            else:
                store.find(request)
    return os.pathsep.join(request if request in KNOWN else str(Path(request).resolve()) for request in requests)


def _list(options: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.table import Table

    from grader.datasets.store import KNOWN, Store

    store, console = Store.default(tell), Console()
    rows = [(known.name, known.what, _state(store, known.name)) for known in KNOWN.values()]
    if not console.is_terminal:
        # Another program reads: nothing is framed, folded or cut.
        print("\n".join("\t".join(row) for row in rows))
        return
    table = Table("name", "what", "where")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _state(store: Store, name: str) -> str:
    from grader.datasets.store import known_by

    try:
        return _place(store.find(name))
    except DataError:
        known = known_by(name)
        return f"not here; run: grader data fetch {name}" if known.remote else f"not here; set {known.variable}"


def _place(source: Source) -> str:
    from grader.datasets.store import Origin

    if source.origin is Origin.VARIABLE:
        return f"{source.path} ({source.known.variable})"
    return str(source.path) if source.path is not None else source.origin.value


def _fetch(options: argparse.Namespace) -> None:
    from grader.datasets.store import Store, known_by

    store, known = Store.default(tell), known_by(options.name)
    if options.url and known.remote is None:
        raise DataError(f"{known.name} is not downloaded; leave out --from.")
    with _download_bar() as progress:
        remote = replace(known.remote, url=options.url) if known.remote and options.url else None
        source = store.fetch(known.name, remote, progress)
    print(f"{_place(source)}: {store.open(known.name).summary}")


def _verify(options: argparse.Namespace) -> None:
    from grader.datasets.store import KNOWN, Store

    store = Store.default(tell)
    requests = options.requests or [name for name in KNOWN if _is_here(store, name)]
    for request in requests:
        found = store.verify(request)
        print(f"{request}: {found.summary}, SHA-256 {found.digest}")


def _is_here(store: Store, name: str) -> bool:
    try:
        return bool(store.find(name))
    except DataError:
        return False


def _path(options: argparse.Namespace) -> None:
    from grader.datasets.store import Store

    store = Store.default(tell)
    source = store.find(options.request)
    print(source.path if source.path is not None else store.entry(source))


def tell(sentence: str) -> None:
    """Prints a sentence about something that went wrong and was got around."""
    print(f"grader: {sentence}", file=sys.stderr)


@contextmanager
def _download_bar() -> Iterator[Callable[[int, int | None], None]]:
    """A bar on the terminal from the first byte on."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    # Judges may be forked from this process later: no thread of the bar's own.
    console = Console(stderr=True)
    silent = not console.is_terminal
    with Progress(*columns, auto_refresh=False, transient=True, console=console, disable=silent) as bar:
        task = bar.add_task("downloading", total=None, visible=False)

        def progress(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total, visible=True, refresh=True)

        yield progress
