"""What a player does for one check: it reads requests, runs the submission's code and writes answers.

Everything measured or decided here is for words only: the code that is graded runs in this very process and can forge
any frame. It cannot know the right numbers, so a forged frame is worth as much as a wrong return value.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import io
import os
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from grader.contract.chance import seed_generators
from grader.contract.wire import Frame, Unsendable, WireError, pack, unpack
from grader.player import absent, checkpoints
from grader.player.load import Library
from grader.player.tampering import recorded
from grader.player.trace import traced
from grader.player.values import JudgeRef, Values

MAX_TEXT = 4000


class NotDefined(Exception):
    """The submission does not define what a check asks for."""


def _not_defined(owner: Any, path: str, name: str) -> str:
    near = difflib.get_close_matches(name, [known for known in dir(owner) if not known.startswith("__")], n=1)
    return f"{path} has no {name}." + (f" Did you mean {near[0]}?" if near else "")


class Channel:
    """Two pipes to the judge: whole frames are read from one and written to the other."""

    def __init__(self, requests: int, answers: int) -> None:
        self.requests = requests
        self.answers = answers

    def read(self) -> Frame:
        """The next request. Ends the process when the judge has closed its end."""
        return unpack(self._exactly)

    def write(self, frame: Frame) -> None:
        """Writes a frame whole; a frame that is too large is answered as such."""
        data = memoryview(pack(frame))
        while data:
            data = data[os.write(self.answers, data) :]

    def _exactly(self, count: int) -> bytearray:
        data = bytearray(count)
        view = memoryview(data)
        while view:
            got = os.readv(self.requests, [view])
            if not got:
                os._exit(0)
            view = view[got:]
        return data


class Session:
    """One check's conversation with the judge."""

    def __init__(self, library: Library, channel: Channel, shared: Path | None) -> None:
        self.library = library
        self.channel = channel
        self.values = Values(self.resolve, self.ask, shared)
        self.operations: dict[str, Callable[[Frame], Frame]] = {
            "begin": self._begin,
            "call": self._call,
            "get": self._get,
            "set": self._set,
            "patch": self._patch,
            "checkpoint": self._checkpoint,
        }

    def serve(self) -> None:
        """Answers requests until the judge closes the pipe."""
        self._warm_up()
        while True:
            self._answer(self.channel.read())

    def _warm_up(self) -> None:
        """Touches, ahead of time, the memory that every answer needs: the first write to a page of a fork copies it."""
        import torch

        frame = unpack(io.BytesIO(pack(self.values.frame({}, torch.zeros(1)))).read)
        self.values.decode(frame.message["value"], frame)

    def _answer(self, request: Frame) -> None:
        number = request.message["id"]
        try:
            answer = self.operations[request.message["op"]](request)
        except BaseException as error:  # noqa: BLE001 - the process boundary: whatever student code raises is data
            answer = Frame({"error": describe(error, self.library)})
        try:
            self.channel.write(Frame({**answer.message, "id": number}, answer.tensors))
        except Unsendable as error:
            self.channel.write(Frame({"error": describe(error, self.library), "id": number}))

    def ask(self, question: dict[str, Any]) -> Any:
        """Puts a question to the judge; requests that it sends before it answers are served meanwhile."""
        values = question.pop("values")
        self.channel.write(self.values.frame(question, values))
        while True:
            frame = self.channel.read()
            if "op" not in frame.message:
                break
            self._answer(frame)
        if "error" in frame.message:
            raise RuntimeError(frame.message["error"])
        return self.values.decode(frame.message["value"], frame)

    def resolve(self, path: str) -> Any:
        """The attribute that a dotted path names, from a module of the submission, or a helper of the course, on."""
        head, *rest = path.split(".")
        found: Any = self.library.load(head) if head in self.library.sources else self._helper(head)
        for done, name in enumerate(rest):
            if not hasattr(found, name):
                raise NotDefined(_not_defined(found, ".".join([head, *rest[:done]]), name))
            found = getattr(found, name)
        return found

    def _helper(self, name: str) -> Any:
        root = self.library.roots[0] if self.library.roots else None
        if root is None or not (root / f"{name}.py").is_file():
            raise NotDefined(f"There is no module {name}.")
        return importlib.import_module(name)

    def _target(self, message: dict[str, Any]) -> Any:
        found = self.values.objects[message["h"]] if "h" in message else self.resolve(message["path"])
        for name in message.get("attribute", "").split("."):
            found = getattr(found, name) if name else found
        return found

    def _begin(self, request: Frame) -> Frame:
        seed_generators(request.message["seed"])
        scratch = Path(request.message["scratch"])
        _empty(scratch.parent)
        scratch.mkdir()
        os.chdir(scratch)
        return Frame({"value": True})

    def _call(self, request: Frame) -> Frame:
        message = request.message
        target = self._target(message)
        args, kwargs = self.values.decode(message["values"], request)
        before = recorded()
        with traced(message.get("trace"), self.library) as trace:
            result = target(*args, **kwargs)
        extra: dict[str, Any] = {"trace": trace.summary} if trace else {}
        if recorded() != before:
            extra["recorded"] = True
        if message.get("observe"):
            result = (result, tuple(args))
        return self.values.frame(extra, result, keep=bool(message.get("keep")))

    def _get(self, request: Frame) -> Frame:
        return self.values.frame({}, self._target(request.message))

    def _set(self, request: Frame) -> Frame:
        setattr(
            self._target({**request.message, "attribute": ""}),
            request.message["attribute"],
            self.values.decode(request.message["values"], request),
        )
        return Frame({"value": True})

    def _patch(self, request: Frame) -> Frame:
        """Puts a stand-in for the reference's function wherever the submission's own is bound.

        Where ``parameters`` is set, a stand-in for a method of an ``nn.Module`` gets the module's parameters for self.
        """
        path, stand_in = request.message["path"], self.values.decode(request.message["values"], request)
        module, *owner, name = path.split(".")
        own = self.library.modules.get(module)
        if owner:
            _replace_method(getattr(own, owner[0], None), name, stand_in, bool(request.message.get("parameters")))
            return Frame({"value": True})
        function = getattr(own, name, None)
        if own is not None and function is None:
            setattr(own, name, stand_in)
        for loaded in list(self.library.modules.values()):
            _replace(loaded, path, function, stand_in)
        return Frame({"value": True})

    def _checkpoint(self, request: Frame) -> Frame:
        path = self.values.decode(request.message["values"], request)
        return self.values.frame({}, checkpoints.read(path))


def _empty(folder: Path) -> None:
    """Removes what the players before this one have left, which may lie in a file system that no judge can reach.

    Step by step, for folders may lie in each other more deeply than Python recurses, or than a path may name.
    """
    os.chdir(folder)
    entered: list[str] = []
    waiting = [_folders_here()]
    while waiting:
        if waiting[-1]:
            name = waiting[-1].pop()
            try:
                os.chdir(name)
            except OSError:
                # Made closed, and so empty: the mode of what is there cannot be changed.
                with suppress(OSError):
                    os.rmdir(name)
                continue
            entered.append(name)
            waiting.append(_folders_here())
        else:
            waiting.pop()
            if entered:
                os.chdir("..")
                with suppress(OSError):
                    os.rmdir(entered.pop())


def _folders_here() -> list[str]:
    """Names of the folders in the working folder, of which everything else is removed."""
    folders: list[str] = []
    with suppress(OSError), os.scandir() as entries:
        for entry in list(entries):
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            else:
                with suppress(OSError):
                    os.unlink(entry.name)
    return folders


def _replace_method(owner: Any, name: str, stand_in: JudgeRef, parameters: bool) -> None:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return stand_in(dict(self.named_parameters()) if parameters else self, *args, **kwargs)

    if not isinstance(owner, type):
        return
    static = isinstance(inspect.getattr_static(owner, name, None), staticmethod)
    setattr(owner, name, staticmethod(stand_in) if static else method)


def _replace(module: ModuleType, path: str, own: Any, stand_in: JudgeRef) -> None:
    for name, value in list(vars(module).items()):
        if (own is not None and value is own) or absent.origin(value) == path:
            setattr(module, name, stand_in)
        elif absent.origin(value) == path.rpartition(".")[0]:
            value.__dict__[path.rpartition(".")[2]] = stand_in


def describe(error: BaseException, library: Library) -> dict[str, Any]:
    """An exception as plain data: names of its classes, message, the lines of the submission that led to it."""
    if isinstance(error, WireError):
        return {"types": ["WireError"], "message": str(error), "where": "", "kind": "wire"}
    return {
        "types": [kind.__name__ for kind in type(error).__mro__[:-1]],
        "message": _message(error)[:MAX_TEXT],
        "where": _where(error, library)[:MAX_TEXT],
        "kind": _kind(error),
    }


def _kind(error: BaseException) -> str:
    if isinstance(error, NotDefined):
        return "not defined"
    if isinstance(error, Unsendable):
        return "unsendable"
    return "memory" if _is_memory(error) else "error"


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a student's __str__ may raise anything
        return "(its message could not be read)"


def _is_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or "can't allocate memory" in _message(error)


def _where(error: BaseException, library: Library) -> str:
    roots = tuple(str(root) for root in library.roots)
    lines = []
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(roots):
            lines.append(f"{Path(frame.filename).name}, line {frame.lineno}, in {frame.name}: {frame.line}")
    return "\n".join(lines[-6:])
