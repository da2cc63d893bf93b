"""Checks at a student's home, where the reference is not: its answers were recorded, and are looked up by the question.

Inputs are drawn from one seed there, whatever the submission, so that the reference is asked the same as when its
answers were recorded. A check that asks it something else, such as about a network that the submission trained, ends as
blocked: it is made when the work is handed in.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from safetensors.torch import load, save

from grader.contract.assignment import Assignment
from grader.contract.verdict import Blocked
from grader.contract.wire import Decoder, Encoder, Unsendable
from grader.judge.draw import Draw
from grader.judge.order import Order

SEED = "home"
DECIMALS = 5
"""Arguments are told apart up to this place: right submissions differ in the last ones."""

LARGEST = 2**18
"""Bytes of an answer that is kept: larger ones are steps of trainings, which depend on the submission anyway."""

AWAY = (
    "This check compares with the reference, about something that your own code made. It is made when you hand in, and "
    "not at home."
)


class Home:
    """The reference's answers: being recorded, or looked up.

    Args:
        file: holds the answers, or will.
        recording: whether the reference is here and its answers are to be kept.
    """

    def __init__(self, file: Path, recording: bool) -> None:
        self.file = file
        self.recording = recording
        self._trees: dict[str, Any] = {}
        self._tensors: dict[str, torch.Tensor] = {}
        if not recording:
            self._trees, self._tensors = _read(file)

    @staticmethod
    def of(order: Order, assignment: Assignment) -> Home | None:
        """The home of a grading; ``None`` where it is an ordinary one, with the reference at hand."""
        if order.record is not None:
            return Home(order.record, recording=True)
        return Home(assignment.answers, recording=False) if assignment.answers.is_file() else None

    def draw(self, check: str) -> Draw:
        """The inputs of a check, the same for everybody."""
        return Draw(SEED.encode(), "", check)

    def seen(self, reference: SimpleNamespace) -> SimpleNamespace:
        """The reference's modules, whose functions are recorded or looked up. Classes are away where they are not."""
        return SimpleNamespace(**{name: self._module(name, module) for name, module in vars(reference).items()})

    def _module(self, name: str, module: ModuleType) -> SimpleNamespace:
        own = {key: value for key, value in vars(module).items() if not key.startswith("__")}
        return SimpleNamespace(**{key: self._member(f"{name}.{key}", value, module) for key, value in own.items()})

    def _member(self, path: str, value: Any, module: ModuleType) -> Any:
        if getattr(value, "__module__", None) != module.__name__:
            return value
        if inspect.isfunction(value):
            return self._function(path, value)
        return value if self.recording or not inspect.isclass(value) else _Away()

    def _function(self, path: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def asked(*args: Any, **kwargs: Any) -> Any:
            try:
                key = _key(path, args, kwargs)
            except Unsendable:
                if self.recording:
                    return function(*args, **kwargs)
                raise Blocked(AWAY) from None
            if self.recording:
                answer = function(*args, **kwargs)
                self._keep(key, answer)
                return answer
            if key not in self._trees:
                raise Blocked(AWAY)
            tree, count = self._trees[key]
            tensors = [self._tensors[f"{key}.{place}"].clone() for place in range(count)]
            return Decoder(tensors, _refuse_tag).decode(tree)

        return asked

    def _keep(self, key: str, answer: Any) -> None:
        encoder = Encoder(_refuse)
        try:
            tree = encoder.encode(answer)
        except Unsendable:
            return
        if encoder.bytes > LARGEST:
            return
        self._trees[key] = (tree, len(encoder.tensors))
        self._tensors.update({f"{key}.{place}": tensor for place, tensor in enumerate(encoder.tensors)})

    def close(self) -> None:
        """Writes what was recorded."""
        if self.recording:
            write(self.file, self._trees, self._tensors)


def write(
    file: Path, trees: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], left_out: Sequence[str] = ()
) -> None:
    """Writes answers; ``left_out`` are the checks that are not made at home."""
    told = {"answers": json.dumps(trees), "left_out": json.dumps(list(left_out))}
    file.write_bytes(save(dict(tensors), told))


def left_out(file: Path) -> frozenset[str]:
    """The names of the checks that are not made at home."""
    return frozenset(json.loads(_told(file)["left_out"])) if file.is_file() else frozenset()


def leave_out(file: Path, checks: Sequence[str]) -> None:
    """Has these checks not made at home."""
    write(file, *_read(file), checks)


def _read(file: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    return json.loads(_told(file)["answers"]), load(file.read_bytes())


def _told(file: Path) -> dict[str, str]:
    content = file.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    told: dict[str, str] = header["__metadata__"]
    return told


def _key(path: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """What is asked, as a digest. Raises :class:`Unsendable` for arguments that are no plain data."""
    encoder = Encoder(_refuse)
    tree = encoder.encode([path, list(args), dict(kwargs)])
    total = hashlib.sha256(json.dumps(tree).encode())
    for part in _rounded(encoder.tensors):
        total.update(part)
    return total.hexdigest()[:32]


def _rounded(tensors: Sequence[torch.Tensor]) -> Iterator[bytes]:
    for tensor in tensors:
        yield f"{tuple(tensor.shape)} {tensor.dtype}".encode()
        if tensor.is_floating_point():
            # Zero has a sign, which does not count.
            yield (torch.nan_to_num(tensor.double(), nan=1e300).mul(10**DECIMALS).round() + 0.0).numpy().tobytes()
        else:
            yield tensor.numpy().tobytes()


def _refuse(value: object) -> dict[str, Any]:
    raise Unsendable(f"a {type(value).__name__} is no plain data")


def _refuse_tag(tag: str, _: dict[str, Any]) -> Any:
    raise ValueError(f"an answer holds {tag!r}, which is no plain data")


class _Away:
    """Stands for a class of the reference, which is not here."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise Blocked(AWAY)

    def __getattr__(self, name: str) -> Any:
        raise Blocked(AWAY)
