"""What is fuzzed: each target takes bytes, and may refuse them in the one way that is meant for that."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from grader.contract.assignment import AssignmentError, read
from grader.contract.verdict import SubmissionProblem
from grader.contract.wire import Encoder, Frame, WireError, pack, unpack
from grader.judge.objects import Objects
from grader.judge.players import problem_of
from grader.judge.submission import IntakeError, IntakeLimits, Wanted, intake

Target = Callable[[bytes], bool]
"""Returns whether the bytes were accepted; raises whatever is a crash."""

WANTED = {"knn": Wanted("knn.py", (), frozenset({"distances"}))}
LIMITS = IntakeLimits(upload_bytes=1 << 20, expanded_bytes=4 << 20, total_bytes=2 << 20, members=500)
KNN = b"import torch\n\n\ndef distances(x, y):\n    return ((x[:, None] - y) ** 2).sum(-1)\n"
TOML = """\
name = "odd"
title = "Odd"
[modules.work]
file = "work.py"
also_named = ["arbeit.py"]
[limits]
cpu_seconds = 2.5
lost_seconds = 60.0
[rules]
forbidden = ["torch.nn"]
[[questions]]
number = "1"
function = "work.answer"
points = 4
relies_on = ["work.helper"]
[questions.edge]
"1.2" = "It matters."
[questions.goals.cifar10]
"1.1" = { needed = 30.0, floor = 20.0 }
"""


class _Short(Exception):
    """The bytes end before the frame does: the judge then waits for more, or is told of the end."""


def frame(data: bytes) -> bool:
    """A frame, as the judge reads it from a player: an answer, an error, or a question of its own objects."""
    stream = io.BytesIO(data)

    def exactly(count: int) -> bytes:
        got = stream.read(min(count, len(data) + 1))
        if len(got) < count:
            raise _Short
        return got

    objects = Objects()
    objects.frame({}, [float, max])  # two functions of the judge's, lent
    try:
        got = unpack(exactly)
        if "error" in got.message:
            return isinstance(problem_of(got.message["error"]), SubmissionProblem)
        if "ask" in got.message:
            return isinstance(objects.answer(got), Frame)
        objects.decode(got.message.get("value"), got)
    except (WireError, _Short):
        return False
    return True


def upload(name: str) -> Target:
    """An upload of this name: an archive, or a notebook."""

    def take(data: bytes) -> bool:
        folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        try:
            (folder / name).write_bytes(data)
            before = {path.name for path in folder.iterdir()}
            intake(folder / name, WANTED, folder / "into", limits=LIMITS)
            outside = {path.name for path in folder.iterdir()} - before - {"into"}
            if outside or any(path.is_symlink() for path in (folder / "into").rglob("*")):
                raise AssertionError(f"written outside, or linked: {outside}")
        except IntakeError:
            return False
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return True

    return take


def assignment(data: bytes) -> bool:
    """An ``assignment.toml``."""
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(data)
        file.flush()
        try:
            read(Path(file.name))
        except AssignmentError:
            return False
    return True


TARGETS: dict[str, Target] = {
    "frames": frame,
    "archives": upload("upload.zip"),
    "notebooks": upload("knn.ipynb"),
    "assignments": assignment,
}


def seeds(target: str) -> list[bytes]:
    """Well-formed bytes to start from, made anew and so never stale."""
    return {"frames": _frames, "archives": _archives, "notebooks": _notebooks, "assignments": lambda: [TOML.encode()]}[
        target
    ]()


def _frames() -> list[bytes]:
    def refuse(value: object) -> dict[str, object]:
        raise TypeError(value)

    values = (
        None, 3, -(2**70), 0.5, float("nan"), "text\ud800", [1, (2, {3})], {"a": torch.eye(2), (1, 2): np.arange(3)},
        torch.tensor([True, False]), torch.zeros(0, 4), [torch.ones(2, 3, dtype=torch.bfloat16)] * 3, torch.float64,
        torch.device("cpu"),
    )  # fmt: skip
    made = []
    for number, value in enumerate(values):
        encoder = Encoder(refuse)
        tree = encoder.encode(value)
        made.append(pack(Frame({"value": tree, "id": number}, encoder.tensors)))
        made.append(
            pack(Frame({"ask": "call", "j": number % 2, "value": {"l": [{"l": [tree]}, {"d": []}]}}, encoder.tensors))
        )
    error = {"types": ["ValueError", "Exception"], "message": "no", "where": "knn.py, line 1", "kind": "error"}
    made += [pack(Frame({"error": error, "id": 1})), pack(Frame({"value": {"h": 3, "c": "Line"}, "id": 1}))]
    return [*made, pack(Frame({"ask": "get", "j": 0, "value": None}))]


def _archives() -> list[bytes]:
    members = (("hw/knn.py", KNN), ("hw/notes.txt", b"notes"), ("hw/weights.pt", bytes(300)), ("a/../b.py", b"x = 1\n"))
    made = []
    for packed in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", packed) as archive:
            for name, data in members:
                archive.writestr(name, data)
        made.append(buffer.getvalue())
    for mode in ("w", "w:gz", "w:bz2", "w:xz"):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode=mode) as packed_tar:
            for name, data in (*members, ("nested.zip", made[0])):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                packed_tar.addfile(info, io.BytesIO(data))
            link = tarfile.TarInfo("link.py")
            link.type, link.linkname = tarfile.SYMTYPE, "../../secret"
            packed_tar.addfile(link)
        made.append(buffer.getvalue())
    return made


def _notebooks() -> list[bytes]:
    def cell(kind: str, source: object) -> dict[str, object]:
        return {"cell_type": kind, "metadata": {}, "outputs": [], "execution_count": None, "source": source}

    cells = [cell("markdown", "# kNN"), cell("code", "%matplotlib inline\n!ls -l\n"), cell("code", KNN.decode())]
    cells += [cell("code", ["x = 1\n", "x?\n"]), cell("code", "%%bash\nls\n"), cell("code", "files = !ls\nawait x\n")]
    content = {"cells": cells, "metadata": {"kernelspec": {"language": "python"}}, "nbformat": 4, "nbformat_minor": 5}
    old = {"worksheets": [{"cells": [{"cell_type": "code", "input": "x = 1", "language": "python"}]}], "nbformat": 3}
    return [json.dumps(content).encode(), json.dumps(content, indent=1).encode(), json.dumps(old).encode()]
