"""Plain data seen safely: what a value is, in words, and its numbers as a numpy array.

Types are compared exactly, never with ``isinstance``: a subclass may lie about its own contents.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

_FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
_COMPLEX = (torch.complex64, torch.complex128)
_PLAIN_KEYS = (str, int, float, bool, type(None))
_LONGEST_TEXT = 60


class Kind(str, Enum):
    """What sort of numbers an array holds, in the word that students read."""

    BOOL = "boolean"
    INTEGER = "integer"
    FLOATING = "floating-point"
    COMPLEX = "complex"


_KIND_OF_CODE = {"b": Kind.BOOL, "i": Kind.INTEGER, "u": Kind.INTEGER, "f": Kind.FLOATING, "c": Kind.COMPLEX}


@dataclass(frozen=True)
class Numbers:
    """The numbers of a tensor, an array or a scalar.

    Attributes:
        array: bool, integer, float64 or complex128; Python ints beyond 64 bits are held as objects.
        kind: what sort of numbers they are.
        dtype: name of the dtype that they came in, such as ``float32``.
        is_scalar: a Python number or numpy scalar, whose width nobody chose.
    """

    array: NDArray[Any]
    kind: Kind
    dtype: str
    is_scalar: bool

    def as_floats(self) -> NDArray[Any]:
        """The numbers as float64 (complex128 where they are complex); integers too large become infinite."""
        if self.array.dtype == object:
            return np.asarray(_float_of(self.array.item()))
        return self.array if self.kind is Kind.COMPLEX else self.array.astype(np.float64)


def numbers_of(value: object) -> Numbers | None:
    """The numbers in a tensor, numpy array, numpy scalar or Python number; ``None`` for everything else."""
    kind = type(value)
    if kind in (bool, int, float, complex):
        return _of_array(np.asarray(value), is_scalar=True)
    if kind is np.ndarray:
        # A numpy scalar comes through the wall as an array without dimensions.
        return _of_array(np.asarray(value), is_scalar=np.ndim(value) == 0)  # type: ignore[arg-type]
    if isinstance(value, np.generic) and kind.__module__ == "numpy":
        return _of_array(np.asarray(value), is_scalar=True)
    if kind in (torch.Tensor, torch.nn.Parameter):
        return _of_tensor(value)  # type: ignore[arg-type]
    return None


def _of_array(array: NDArray[Any], is_scalar: bool) -> Numbers | None:
    dtype = array.dtype.name
    if is_scalar and array.dtype == object:
        return Numbers(array, Kind.INTEGER, "int", is_scalar)
    kind = _KIND_OF_CODE.get(array.dtype.kind)
    if kind is None:
        return None
    with np.errstate(all="ignore"):
        if kind is Kind.FLOATING:
            array = array.astype(np.float64)
        elif kind is Kind.COMPLEX:
            array = array.astype(np.complex128)
    return Numbers(array, kind, dtype, is_scalar)


def _of_tensor(tensor: torch.Tensor) -> Numbers | None:
    if tensor.layout != torch.strided or tensor.device.type == "meta" or tensor.is_nested:
        return None
    dtype = str(tensor.dtype).removeprefix("torch.")
    here = tensor.detach().cpu()
    if tensor.dtype in _FLOATS:
        return Numbers(here.to(torch.float64).numpy(), Kind.FLOATING, dtype, False)
    if tensor.dtype in _INTEGERS:
        return Numbers(here.to(torch.int64).numpy(), Kind.INTEGER, dtype, False)
    if tensor.dtype in _COMPLEX:
        return Numbers(here.to(torch.complex128).resolve_conj().numpy(), Kind.COMPLEX, dtype, False)
    if tensor.dtype == torch.bool:
        return Numbers(here.numpy(), Kind.BOOL, dtype, False)
    return None


def _float_of(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def is_plain_key(key: object) -> bool:
    """Whether a dictionary key can be hashed, compared and printed without running anybody's code."""
    return type(key) in _PLAIN_KEYS


def show(value: object) -> str:
    """A short text for a number, string or key; never fails and never grows long."""
    if type(value) is int and value.bit_length() > 128:
        return f"an int of {value.bit_length()} bits"
    if not is_plain_key(value) and type(value) not in (complex, torch.dtype, torch.device):
        return f"an object of type {type(value).__name__}"
    text = repr(value)
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def describe(value: object) -> str:
    """What a value is, in words: ``a float32 tensor of shape (3, 4)``, ``a tuple of 2 elements``, ``None``."""
    if type(value) in (torch.Tensor, torch.nn.Parameter):
        tensor: Any = value
        return f"a {str(tensor.dtype).removeprefix('torch.')} tensor of shape {tuple(tensor.shape)}"
    if type(value) is np.ndarray:
        return f"a numpy array of dtype {value.dtype.name} and shape {value.shape}"
    if type(value) in (tuple, list, dict):
        count = len(value)  # type: ignore[arg-type]
        return f"a {type(value).__name__} of {count} element{'' if count == 1 else 's'}"
    if value is None or not (is_plain_key(value) or type(value) is complex):
        return show(value)
    return f"the {type(value).__name__} {show(value)}"


def format_apart(first: Any, second: Any) -> tuple[str, str]:
    """Two numbers with as many digits as it takes to tell them apart, 6 to 17."""
    if not all(isinstance(x, (float, complex, np.inexact)) for x in (first, second)):
        return _plain_number(first), _plain_number(second)
    for digits in (6, 9, 12, 17):
        texts = f"{first:.{digits}g}", f"{second:.{digits}g}"
        if texts[0] != texts[1]:
            break
    return texts


def _plain_number(value: Any) -> str:
    number = value.item() if isinstance(value, np.generic) else value
    return f"{number:.6g}" if isinstance(number, (float, complex)) else show(number)
