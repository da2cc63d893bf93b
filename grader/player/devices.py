"""Runs code that asks for CUDA on a machine that has none: the CPU takes its place.

Public files default to ``device='cuda'`` or call ``.cuda()``. Where the grader runs on the CPU, the device is not
what is graded, so every request for CUDA is answered by the CPU.
"""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class CpuForCuda(TorchFunctionMode):
    """Replaces CUDA devices in the arguments of torch's functions by the CPU."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.Tensor.cuda, torch.Tensor.pin_memory):
            return args[0]
        # A plain number means a device in these two places alone.
        args = tuple(_on_cpu(value, number=func is torch.Tensor.to) for value in args)
        kwargs = {name: _on_cpu(value, number=name == "device") for name, value in (kwargs or {}).items()}
        return func(*args, **kwargs)


def _on_cpu(value: Any, number: bool = False) -> Any:
    if isinstance(value, torch.device):
        return torch.device("cpu") if value.type == "cuda" else value
    if isinstance(value, str) and (value == "cuda" or value.startswith("cuda:")):
        return "cpu"
    return "cpu" if number and type(value) is int else value


def _idle() -> Any:
    """A new function that does nothing: torch's compiler, which optimisers import, allows no object under two names."""

    def nothing(*_: Any, **__: Any) -> None:
        return None

    return nothing


def _redirected(function: Any) -> Any:
    """``function`` with every CUDA device among its arguments replaced by the CPU."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*(_on_cpu(value) for value in args), **{name: _on_cpu(value) for name, value in kwargs.items()})

    return call


# Functions that take a device and do not go through torch's function modes.
TAKE_A_DEVICE = ("load", "set_default_device")
OF_CUDA_ALONE = (
    "empty_cache",
    "manual_seed",
    "manual_seed_all",
    "reset_peak_memory_stats",
    "set_device",
    "synchronize",
)


def install(device: str) -> None:
    """Puts the CPU in CUDA's place from now on, where ``device`` is ``cpu-for-cuda``."""
    if device != "cpu-for-cuda":
        return
    CpuForCuda().__enter__()  # type: ignore[no-untyped-call]
    torch.nn.Module.cuda = lambda self, *_, **__: self  # type: ignore[method-assign]
    torch.cuda.device = contextlib.nullcontext  # type: ignore[assignment, misc]
    for name in TAKE_A_DEVICE:
        setattr(torch, name, _redirected(getattr(torch, name)))
    for name in OF_CUDA_ALONE:
        setattr(torch.cuda, name, _idle())


def cuda_is_up() -> bool:
    """Whether this process has started CUDA: a fork of it cannot use CUDA any more."""
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]
