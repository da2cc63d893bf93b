"""Which parameter of a student's network is what.

A network gets its weights through its own state_dict: a parameter is known by its name where the handout gives it one,
and else by its shape, transposed or not, so that a layer may be an nn.Linear as well as a matrix of one's own. Nothing
rests on what a constructor draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from grader.contract.verdict import CheckFailed, Explanation

Weights = dict[str, torch.Tensor]


class Roles:
    """Which parameter of a student's network is what.

    Args:
        state: its state_dict.
        matrices: role -> shape, input first; names of the handout are tried first, then shapes.
        biases: role -> the matrix beside which it stands; may be absent.
    """

    def __init__(
        self,
        state: Any,
        matrices: Mapping[str, tuple[int, int]],
        biases: Mapping[str, str],
    ) -> None:
        if type(state) is not dict or not all(torch.is_tensor(value) for value in state.values()):
            raise CheckFailed("The network should be an nn.Module, whose state_dict holds its parameters.")
        self.state = state
        self.keys: dict[str, str] = {}
        for role, shape in matrices.items():
            self.keys[role] = self._matrix(role, shape)
        for near in (True, False):
            for role, matrix in biases.items():
                key = self.keys.get(role) or self._bias(role, matrix, matrices[matrix][1], near)
                if key is not None:
                    self.keys[role] = key
        self.twins = self._with_twins(matrices, biases)

    def _free(self, fits: Callable[[tuple[int, ...]], bool]) -> list[str]:
        return [key for key, value in self.state.items() if key not in self.keys.values() and fits(tuple(value.shape))]

    def _matrix(self, role: str, shape: tuple[int, int]) -> str:
        found = self._free(lambda own: own in layouts(shape))
        named = [key for key in found if key.rpartition(".")[2].lower() == role.lower()]
        # Two of one shape, Wh and Wattn: only the second has to do with attention.
        alike = [key for key in found if ("att" in key.rpartition(".")[2].lower()) == (role == "Wattn")]
        for choice in (named, alike, found):
            if choice:
                return choice[0]
        have = ", ".join(f"{key} {tuple(value.shape)}" for key, value in self.state.items())
        raise CheckFailed(
            Explanation(
                f"Among the network's parameters there is none of shape {shape}, for a layer from {shape[0]} to "
                f"{shape[1]} numbers.",
                got=have[:500] or "no parameters at all: assign the layers to attributes of self",
            )
        )

    def _bias(self, role: str, matrix: str, size: int, near: bool) -> str | None:
        """A bias by its name or beside its matrix; where these are all taken, one of the right size elsewhere."""
        found = self._free(lambda own: own == (size,))
        beside = self.keys[matrix].rpartition(".")[0]
        named = [key for key in found if key.rpartition(".")[2] == role]
        siblings = [key for key in found if key.rpartition(".")[0] == beside]
        return next(iter(named or siblings or ([] if near else found)), None)

    def filled(self, weights: Weights) -> Weights:
        """A state_dict with these weights. Further biases of a layer are zero.

        Who makes a layer for every cell type and uses one of them has parameters that could have the same role: they
        are twins, and all get the same numbers, so that it does not matter which one is used.
        """
        state = {key: torch.zeros_like(value) if value.dim() == 1 else value for key, value in self.state.items()}
        for key, role in self.twins.items():
            own = self.state[key]
            value = weights[role].t() if self._turns(key, tuple(weights[role].shape)) else weights[role]
            state[key] = value.reshape(own.shape).to(own.dtype)
        return state

    def unmoved(self, before: Weights, now: Weights) -> list[str]:
        """The parameters that have a role, and none of whose twins is another than before."""
        moved = {role for key, role in self.twins.items() if not _same(now.get(key), before[key])}
        return [key for role, key in self.keys.items() if role not in moved]

    def _with_twins(self, matrices: Mapping[str, tuple[int, int]], biases: Mapping[str, str]) -> dict[str, str]:
        """Parameter -> role, first for those that were found, then for others that could have been."""
        roles = {key: role for role, key in self.keys.items()}
        for key, value in self.state.items():
            fitting = [role for role, shape in matrices.items() if tuple(value.shape) in layouts(shape)]
            if key not in roles and fitting:
                roles[key] = _likeliest(fitting, key)
        twins = {(key.rpartition(".")[0], role) for key, role in roles.items() if key not in self.keys.values()}
        for role, matrix in biases.items():
            for key, value in self.state.items():
                owner, _, leaf = key.rpartition(".")
                beside = (owner, matrix) in twins and leaf in (role, "bias")
                fits = value.shape == (matrices[matrix][1],) and beside
                if fits and key not in roles and role in self.keys:
                    roles[key] = role
        return roles

    def _turns(self, key: str, shape: tuple[int, ...]) -> bool:
        own = tuple(self.state[key].shape)[: len(shape)]
        if len(shape) < 2 or shape == own:
            # What is square is turned where it is the weight of an nn.Linear.
            return len(shape) == 2 and shape[0] == shape[1] and key.endswith("weight")
        return True

    def read(self, role: str, found: Mapping[str, torch.Tensor], shape: tuple[int, ...]) -> Any:
        """What stands at a role in another dict with the same keys, in our layout."""
        value = found.get(self.keys.get(role, ""))
        if not torch.is_tensor(value) or value.numel() != math.prod(shape):
            return value
        return value.reshape(shape[::-1]).t() if self._turns(self.keys[role], shape) else value.reshape(shape)


def layouts(shape: tuple[int, int]) -> set[tuple[int, ...]]:
    """The shapes that a matrix can have: as it is, of an nn.Linear, of a convolution with windows of one cell."""
    return {shape, shape[::-1], (*shape[::-1], 1, 1), (*shape[::-1], 1), (*shape, 1, 1)}


def _same(now: Any, before: torch.Tensor) -> bool:
    return torch.is_tensor(now) and now.dtype == before.dtype and torch.equal(now, before)


def _likeliest(roles: list[str], key: str) -> str:
    """The role that the last part of a parameter's name speaks for; only Wattn has to do with attention."""
    leaf = key.rpartition(".")[2].lower()
    named = [role for role in roles if role.lower() == leaf]
    alike = [role for role in roles if ("att" in leaf) == (role == "Wattn")]
    return (named or alike or roles)[0]


def shapes_of(cell: str, D: int, H: int) -> dict[str, tuple[int, int]]:
    """The matrices of an LSTM or AttentionLSTM for inputs of D and states of H numbers."""
    shapes = {"Wx": (D, 4 * H), "Wh": (H, 4 * H)}
    return {**shapes, "Wattn": (H, 4 * H)} if cell == "AttentionLSTM" else shapes
