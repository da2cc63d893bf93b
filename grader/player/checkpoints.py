"""Reads submitted checkpoints as plain data: in a player, since a file that somebody else made is not to be trusted."""

from __future__ import annotations

from typing import Any

SAFETENSORS = ".safetensors"


def read(path: str) -> Any:
    """What ``torch.save`` or safetensors wrote to ``path``, its tensors on the CPU.

    Of a pickle only containers, tensors and dtypes are made: one that names anything else raises
    ``pickle.UnpicklingError``, and nothing that it names is called.
    """
    if path.endswith(SAFETENSORS):
        from safetensors.torch import load_file

        return load_file(path)
    import torch

    # Networks keep their dtype beside their parameters.
    with torch.serialization.safe_globals([torch.dtype]):
        return torch.load(path, map_location="cpu", weights_only=True)
