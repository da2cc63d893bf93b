"""How the features of an image become the first state of an RNN or an LSTM.

The course asks for an affine map of the features, and pools them in between. Most files take their mean over the grid;
some hand all cells to one wide layer, some learn the weights of the sum. All of these are affine maps of the features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch

Weights = Mapping[str, torch.Tensor]
Way = Callable[[torch.Tensor, Weights], torch.Tensor]

CELLS = 16


def averaged(features: torch.Tensor, w: Weights) -> torch.Tensor:
    """The mean over the grid; features that were pooled elsewhere as they are. -> (N, H)"""
    pooled = features if features.dim() == 2 else features.mean((2, 3))
    return pooled @ w["project"] + w["bp"]


def side_by_side(features: torch.Tensor, w: Weights) -> torch.Tensor:
    """All cells in one row, the cells of a channel beside each other. -> (N, H)"""
    return features.flatten(1) @ w["project"] + w["bp"]


def channels_side_by_side(features: torch.Tensor, w: Weights) -> torch.Tensor:
    """All cells in one row, the channels of a cell beside each other. -> (N, H)"""
    return features.permute(0, 2, 3, 1).flatten(1) @ w["project"] + w["bp"]


def weighted(features: torch.Tensor, w: Weights) -> torch.Tensor:
    """A sum over the grid with weights that are learned. -> (N, H)"""
    pooled = (features.flatten(2) @ w["pool"]).squeeze(2) + w["bpool"]
    return pooled @ w["project"] + w["bp"]


@dataclass(frozen=True)
class Start:
    """What a network makes its first state with.

    Attributes:
        matrices, biases: its weights, as :class:`Roles` wants them.
        ways: the formulas that these weights can stand for, the usual one first.
    """

    matrices: Mapping[str, tuple[int, int]]
    biases: Mapping[str, str] = field(default_factory=lambda: {"bp": "project"})
    ways: tuple[Way, ...] = (averaged,)


def start_of(shapes: Iterable[tuple[int, ...]], D: int, H: int) -> Start:
    """What the shapes of a network's parameters say about its start from D channels to a state of H numbers."""
    known = set(shapes)
    usual, wide = {"project": (D, H)}, {"project": (CELLS * D, H)}
    if not known & {(D, H), (H, D)} and known & {wide["project"], wide["project"][::-1]}:
        return Start(wide, ways=(side_by_side, channels_side_by_side))
    if known & {(1, CELLS), (CELLS, 1)}:
        biases = {"bp": "project", "bpool": "pool"}
        return Start({**usual, "pool": (CELLS, 1)}, biases, (averaged, weighted))
    return Start(usual)
