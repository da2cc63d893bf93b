"""Makes up a class for A2: chaffs, mutants, right work in many shapes, odd right work, attacks, broken archives."""

from __future__ import annotations

import ast
import json
import random
import shutil
import sys
import zipfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from grader.contract.assignment import Assignment, read_toml
from grader.contract.course import default_course
from grader.judge.chaffs import Chaff, read_chaffs, texts_of
from grader.judge.variants import Variant, write_variant

TESTS = Path(__file__).resolve().parents[1] / "tests"
MODULE = "linear_classifier.py"

# How often each kind comes, of a hundred.
SHARES = {"chaff": 40, "mutant": 15, "right": 16, "odd": 8, "attack": 15, "broken": 6}

# The attacks were written for a function norms(X) of a small course, which most of them leave wrong. Here a function
# of A2 is as wrong as it is.
BEFORE = """

def norms(X):
    return (X * X).sum(dim=1).sqrt()


dot = unit = norms

"""
AFTER = """


right_loss = svm_loss_naive


def svm_loss_naive(W, X, y, reg):
    loss, dW = right_loss(W, X, y, reg)
    return loss + (norms(X) - (X * X).sum(dim=1).sqrt()).sum(), dW
"""

# One needs files beside it; the other keeps answers by address, which is right for a single call only.
ELSEWHERE = ("own_package", "globals_and_caches")
HARMLESS = (
    "caller_frames",
    "endless_sleep",
    "exit_in_function",
    "hard_exit",
    "hard_exit_at_import",
    "patched_reference",
    "printed_results",
    "replaced_asserts",
    "skipped",
)

SWAPPED = {ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"), ast.MatMult: ("@", "*")}


def fill(
    folder: Path, count: int, chance: random.Random, kinds: Collection[str] = (), *, harmless: bool = False
) -> dict[str, str]:
    """Writes ``count`` submissions into the new folder ``folder``; returns the kind of each by its name.

    ``harmless`` leaves out attacks that could do damage where nothing confines them.
    """
    folder.mkdir(parents=True)
    assignment = default_course().assignment("a2")
    makers = {
        "chaff": chaffs(assignment, chance),
        "mutant": mutants(assignment, chance),
        "right": right(assignment),
        "odd": additions(assignment, "honest/*/addition.py"),
        "attack": additions(assignment, "attacks/*/attack.py", HARMLESS if harmless else ()),
        "broken": broken(assignment, chance),
    }
    shares = {kind: share for kind, share in SHARES.items() if not kinds or kind in kinds}
    drawn = chance.choices(list(shares), weights=list(shares.values()), k=count)
    made = {f"student-{place:03}": kind for place, kind in enumerate(drawn)}
    for name, kind in made.items():
        next(makers[kind])(folder / name)
    return made


Write = Callable[[Path], object]


def chaffs(assignment: Assignment, chance: random.Random) -> Iterator[Write]:
    """Chaffs, every third with another one in the other module."""
    every = list(read_chaffs(assignment))
    while True:
        chance.shuffle(every)
        for place, chaff in enumerate(every):
            others = [other for other in every if _module(other) != _module(chaff)]
            yield _of_chaffs(assignment, [chaff, chance.choice(others)] if place % 3 == 0 else [chaff])


def _module(chaff: Chaff) -> str:
    return chaff.function.partition(".")[0]


def _of_chaffs(assignment: Assignment, chosen: list[Chaff]) -> Write:
    def write(folder: Path) -> None:
        write_variant(Variant("", ""), assignment, folder)
        for chaff in chosen:
            for module, text in texts_of(chaff, assignment).items():
                (folder / assignment.content.modules[module].file).write_text(text, encoding="utf-8")

    return write


def mutants(assignment: Assignment, chance: random.Random) -> Iterator[Write]:
    """The reference with one operator turned round."""
    files = [spec.file for spec in assignment.content.modules.values()]
    while True:
        file = chance.choice(files)
        text = (assignment.reference / file).read_text(encoding="utf-8")
        yield _with_text(assignment, file, _mutant(text, chance))


def _mutant(text: str, chance: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    places = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.BinOp) and type(node.op) in SWAPPED]
    node = chance.choice([node for node in places if node.left.end_lineno == node.right.lineno])
    row, start, end = node.right.lineno - 1, node.left.end_col_offset, node.right.col_offset
    old, new = SWAPPED[type(node.op)]
    line = lines[row].encode()
    lines[row] = (line[:start] + line[start:end].replace(old.encode(), new.encode()) + line[end:]).decode()
    return "".join(lines)


def _with_text(assignment: Assignment, file: str, text: str) -> Write:
    def write(folder: Path) -> None:
        write_variant(Variant("", ""), assignment, folder)
        (folder / file).write_text(text, encoding="utf-8")

    return write


def right(assignment: Assignment) -> Iterator[Write]:
    """Right work: as it is, zipped, zipped twice, as a notebook, from Windows, with another comment at its top."""
    count = 0
    while True:
        for shape in (_plain, _zipped, _plain, _zipped_twice, _plain, _notebook, _windows):
            count += 1
            yield _shaped(assignment, shape, f"# Work of group {count}\n")


def _shaped(assignment: Assignment, shape: Write, comment: str) -> Write:
    def write(folder: Path) -> None:
        write_variant(Variant("", ""), assignment, folder)
        (folder / MODULE).write_text(comment + (folder / MODULE).read_text())
        shape(folder)

    return write


def _plain(folder: Path) -> None:
    pass


def _zipped(folder: Path) -> None:
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.glob("*.py")):
            archive.write(file, f"homework/{file.name}")
    shutil.rmtree(folder)


def _zipped_twice(folder: Path) -> None:
    _zipped(folder)
    inner = folder.with_suffix(".zip")
    outer = folder.with_suffix(".outer")
    with zipfile.ZipFile(outer, "w") as archive:
        archive.write(inner, "a2.zip")
    outer.replace(inner)


def _notebook(folder: Path) -> None:
    for file in sorted(folder.glob("*.py")):
        cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": 1, "source": file.read_text()}
        content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        file.with_suffix(".ipynb").write_text(json.dumps(content))
        file.unlink()


def _windows(folder: Path) -> None:
    for file in folder.glob("*.py"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))


def additions(assignment: Assignment, pattern: str, only: Collection[str] = ()) -> Iterator[Write]:
    """The cases that are text appended to a module of the small course, in turn; those named in ``only``, if any."""
    texts = []
    for file in sorted(TESTS.glob(pattern)):
        if (only and file.parent.name not in only) or file.parent.name in ELSEWHERE:
            continue
        case = read_toml(file.with_name("expected.toml"))
        if case.get("assignment", "warmup") == "warmup" and case.get("append", "vectors.py") == "vectors.py":
            texts.append(file.read_text())
    original = (assignment.reference / MODULE).read_text()
    while True:
        for text in texts:
            yield _with_text(assignment, MODULE, original + BEFORE + text + AFTER)


def broken(assignment: Assignment, chance: random.Random) -> Iterator[Write]:
    """A cut zip, a zip of nothing, an empty folder, a syntax error, a picture in the place of an archive."""
    original = (assignment.reference / MODULE).read_text()

    def cut(folder: Path) -> None:
        write_variant(Variant("", ""), assignment, folder)
        _zipped(folder)
        archive = folder.with_suffix(".zip")
        archive.write_bytes(archive.read_bytes()[: chance.randrange(200, 2000)])

    def of_nothing(folder: Path) -> None:
        with zipfile.ZipFile(folder.with_suffix(".zip"), "w"):
            pass

    def empty(folder: Path) -> None:
        folder.mkdir()
        (folder / "notes.py.txt").write_text("I could not do it.\n")

    def picture(folder: Path) -> None:
        folder.with_suffix(".zip").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))

    while True:
        yield cut
        yield of_nothing
        yield _with_text(assignment, MODULE, original + "\ndef unfinished(:\n")
        yield empty
        yield picture


if __name__ == "__main__":
    fill(Path(sys.argv[1]), int(sys.argv[2]), random.Random(0))
