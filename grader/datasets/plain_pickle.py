"""Reads the pickles of old data sets as what they are: lists, texts, numbers and byte arrays.

A pickle is a program for a small stack machine, and Python's own machine calls whatever the program names. The machine
here knows only the instructions that a dictionary of plain data and numpy byte arrays needs. It imports nothing and has
no way to call anything but the two functions in this module, so there is nothing for a hostile file to reach.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt


class PickleRefused(ValueError):
    """The bytes are no pickle, or do more than describe plain data. The message completes "the file …"."""


class _Name(Enum):
    """The four names that such files mention. They stand for themselves: nothing is looked up or imported."""

    RECONSTRUCT = "_reconstruct"
    NDARRAY = "ndarray"
    DTYPE = "dtype"
    ENCODE = "encode"


_NAMES = {
    "numpy.core.multiarray _reconstruct": _Name.RECONSTRUCT,
    "numpy._core.multiarray _reconstruct": _Name.RECONSTRUCT,
    "numpy ndarray": _Name.NDARRAY,
    "numpy dtype": _Name.DTYPE,
    "_codecs encode": _Name.ENCODE,
}


class _ByteType:
    """Stands for ``numpy.dtype('uint8')``, the only element type that is read."""


@dataclass(eq=False)
class _Array:
    """Stands for a numpy array until its content has been read."""

    content: npt.NDArray[np.uint8] | None = None


_MARK = object()

_NUMBERS = frozenset({"BININT", "BININT1", "BININT2", "LONG1"})
_TEXTS = frozenset({"BINSTRING", "SHORT_BINSTRING", "BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES"})
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def read(content: bytes) -> dict[str, Any]:
    """The dictionary that the pickle ``content`` describes.

    Numpy arrays of uint8 come as read-only arrays; Python 2's byte strings come as text, one character a byte.

    Raises:
        PickleRefused: if the content is cut short, is no pickle, or asks for anything but plain data.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(content):
            machine.step(opcode.name, argument)
    except PickleRefused:
        raise
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise PickleRefused(f"is cut short or damaged ({type(error).__name__} while reading it)") from error
    result = _finished(machine.stack[-1]) if len(machine.stack) == 1 else None
    if not isinstance(result, dict):
        raise PickleRefused("holds something else than one dictionary")
    return {_text_key(key): _finished(value) for key, value in result.items()}


@dataclass
class _Machine:
    """The stack and the memo of one reading."""

    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def step(self, name: str, argument: Any) -> None:
        """Carry out one instruction."""
        if name in _NUMBERS or name in _TEXTS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _TUPLES:
            self.stack.append(tuple(self._take(_TUPLES[name])))
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        else:
            raise PickleRefused(f"uses the pickle instruction {name}, which plain data never needs")

    def remember(self, argument: int | None) -> None:
        self.memo[len(self.memo) if argument is None else argument] = self.stack[-1]

    def name(self, argument: str) -> None:
        if argument not in _NAMES:
            raise PickleRefused(f"asks to load {argument.replace(' ', '.', 1)[:80]!r}, which no data set needs")
        self.stack.append(_NAMES[argument])

    def stack_name(self) -> None:
        module, attribute = self._take(2)
        if not (isinstance(module, str) and isinstance(attribute, str)):
            raise PickleRefused("is damaged: a name is no text")
        self.name(f"{module} {attribute}")

    def call(self) -> None:
        function, arguments = self._take(2)
        self.stack.append(_call(function, arguments))

    def build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, _Array):
            target.content = _content(state)
        elif not isinstance(target, _ByteType):
            raise PickleRefused("sets the state of something that is not an array")

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise PickleRefused("appends to something that is not a list")
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise PickleRefused("sets items of something that is not a dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Only texts may be keys: hashing deeply nested tuples can exhaust the stack of the interpreter.
            target[_text_key(key)] = value

    def since_mark(self) -> list[Any]:
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is _MARK:
                items = self.stack[place + 1 :]
                del self.stack[place:]
                return items
        raise PickleRefused("is damaged: a sequence ends that never began")

    def _take(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise PickleRefused("is damaged: a value is used that was never given")
        items = self.stack[-count:]
        del self.stack[-count:]
        return items


_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda machine, argument: None,
    "FRAME": lambda machine, argument: None,
    "STOP": lambda machine, argument: None,
    "MARK": lambda machine, argument: machine.stack.append(_MARK),
    "EMPTY_DICT": lambda machine, argument: machine.stack.append({}),
    "EMPTY_LIST": lambda machine, argument: machine.stack.append([]),
    "EMPTY_TUPLE": lambda machine, argument: machine.stack.append(()),
    "TUPLE": lambda machine, argument: machine.stack.append(tuple(machine.since_mark())),
    "APPEND": lambda machine, argument: machine.append(machine._take(1)),
    "APPENDS": lambda machine, argument: machine.append(machine.since_mark()),
    "SETITEM": lambda machine, argument: machine.set_items(machine._take(2)),
    "SETITEMS": lambda machine, argument: machine.set_items(machine.since_mark()),
    "BINPUT": lambda machine, argument: machine.remember(argument),
    "LONG_BINPUT": lambda machine, argument: machine.remember(argument),
    "MEMOIZE": lambda machine, argument: machine.remember(None),
    "BINGET": lambda machine, argument: machine.stack.append(machine.memo[argument]),
    "LONG_BINGET": lambda machine, argument: machine.stack.append(machine.memo[argument]),
    "GLOBAL": lambda machine, argument: machine.name(argument),
    "STACK_GLOBAL": lambda machine, argument: machine.stack_name(),
    "REDUCE": lambda machine, argument: machine.call(),
    "BUILD": lambda machine, argument: machine.build(),
}


def _call(function: object, arguments: object) -> object:
    if function is _Name.RECONSTRUCT and isinstance(arguments, tuple) and arguments[:1] == (_Name.NDARRAY,):
        return _Array()
    if function is _Name.DTYPE and isinstance(arguments, tuple) and arguments[:1] in (("u1",), ("uint8",)):
        return _ByteType()
    if function is _Name.ENCODE and isinstance(arguments, tuple) and arguments[1:] == ("latin1",):
        return _as_bytes(arguments[0])
    if function is _Name.DTYPE:
        raise PickleRefused("holds an array whose elements are not of type uint8")
    raise PickleRefused("calls something else than the constructors of a numpy array")


def _content(state: object) -> npt.NDArray[np.uint8]:
    """The array of numpy's state tuple ``(version, shape, dtype, is_fortran, bytes)``."""
    if not (isinstance(state, tuple) and len(state) == 5 and isinstance(state[1], tuple)):
        raise PickleRefused("holds an array in a form that numpy never wrote")
    _, shape, element, fortran, data = state
    if not isinstance(element, _ByteType) or fortran is not False:
        raise PickleRefused("holds an array that is not of type uint8 in row order")
    if not all(type(side) is int and side >= 0 for side in shape):
        raise PickleRefused("holds an array with an impossible shape")
    return np.frombuffer(_as_bytes(data), dtype=np.uint8).reshape(shape)


def _as_bytes(data: object) -> bytes:
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return data.encode("latin1")
    raise PickleRefused("holds an array without bytes")


def _text_key(key: object) -> str:
    if isinstance(key, bytes):
        return key.decode("latin1")
    if isinstance(key, str):
        return key
    raise PickleRefused("holds a dictionary whose keys are not texts")


def _finished(value: object) -> object:
    """``value``, with the array itself in place of the stand-in. Only direct values of the dictionary are arrays."""
    return value.content if isinstance(value, _Array) else value
