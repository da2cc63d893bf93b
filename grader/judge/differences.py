"""Slopes of a function by differences of its values, with what rounding and kinks allow to be said about them.

Central differences ``(f(x + h v) - f(x - h v)) / 2h`` err by about ``h**2`` from curvature and by ``noise / h`` from
rounding, which is least near ``h = noise ** (1/3)``. The noise is measured, not assumed: fifth differences of the
function along a line vanish for anything smooth and leave the rounding (the idea of More and Wild, "Estimating
computational noise", SIAM J. Sci. Comput. 33, 2011). A loss summed in float32 is thus probed with a wide step and
judged mildly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

import torch

from grader.judge.draw import Draw

Objective = Callable[[dict[str, torch.Tensor]], float]

FEW_ENTRIES = 64
"""Arguments of up to this many entries are probed entry by entry, larger ones along random directions."""

_EPSILON = 2.0**-52
_SPACING, _WIDE_SPACING = 2e-6, 1e-5
_SHORTEST_STEP, _LONGEST_STEP = 5e-6, 2e-2
_FIFTH_DIFFERENCE = (-1, 5, -10, 10, -5, 1)


class Finding(str, Enum):
    """What one probe says about a claimed slope."""

    AGREES = "agrees"
    KINK = "kink"
    WRONG = "wrong"


@dataclass(frozen=True)
class Probe:
    """One claimed slope and the measured one; ``index`` is ``None`` along a random direction."""

    index: tuple[int, ...] | None
    claimed: float
    measured: float
    finding: Finding


@dataclass(frozen=True)
class _Slopes:
    left: float
    right: float

    @property
    def central(self) -> float:
        return (self.left + self.right) / 2

    @property
    def gap(self) -> float:
        return abs(self.right - self.left)


class Differences:
    """Measures slopes of ``objective`` around the point ``at`` (float64 tensors by name).

    Costs 14 calls of the objective for the noise, 21 more before a first slope is called wrong, and 2 for a probe that
    agrees at once, 4 for any other.
    """

    def __init__(self, objective: Objective, at: Mapping[str, torch.Tensor], base: float, draw: Draw) -> None:
        self._objective, self._at, self._base, self._draw = objective, at, base, draw
        self._doubted = False
        # A kink crossed on one line looks like noise; that two lines cross one is rare.
        self._set_noise(min(self._roughness(_SPACING), self._roughness(_SPACING)))

    def _set_noise(self, measured: float) -> None:
        size = abs(self._base)
        self.noise = max(measured, _EPSILON * size, 1e-300)
        self._step = min(max((self.noise / max(size, 1.0)) ** (1 / 3), _SHORTEST_STEP), _LONGEST_STEP)

    def _is_rougher_than_thought(self) -> bool:
        """Before anything is called wrong: float32 values may not have changed at all along so short a line."""
        if self._doubted:
            return False
        self._doubted = True
        measured = sorted(self._roughness(_WIDE_SPACING) for _ in range(3))[1]
        if measured < 2 * self.noise:
            return False
        self._set_noise(measured)
        return True

    @property
    def is_coarse(self) -> bool:
        """Whether the values are much rougher than float64 rounding, as after float32 work."""
        return self.noise > 1e-11 * max(abs(self._base), 1.0)

    def probes(self, name: str, gradient: torch.Tensor, directions: int) -> list[Probe]:
        """Compares the claimed gradient of one argument with measured slopes, entry by entry or along directions."""
        found = list(self._all_probes(name, gradient, directions))
        if any(probe.finding is Finding.WRONG for probe in found) and self._is_rougher_than_thought():
            found = list(self._all_probes(name, gradient, directions))
        return found

    def _all_probes(self, name: str, gradient: torch.Tensor, directions: int) -> Iterator[Probe]:
        if gradient.numel() <= FEW_ENTRIES:
            scale = float(gradient.abs().max()) if gradient.numel() else 0.0
            for flat in range(gradient.numel()):
                index = tuple(int(i) for i in torch.unravel_index(torch.tensor(flat), gradient.shape))
                direction = torch.zeros_like(gradient)
                direction[index] = 1.0
                yield self._probe(name, direction, float(gradient[index]), scale, index)
            return
        scale = float(gradient.square().mean().sqrt())
        for _ in range(directions):
            direction = self._draw.normal(*gradient.shape)
            direction /= direction.norm()
            yield self._probe(name, direction, float((gradient * direction).sum()), scale, None)

    def _probe(
        self, name: str, direction: torch.Tensor, claimed: float, scale: float, index: tuple[int, ...] | None
    ) -> Probe:
        step = self._step * max(1.0, float(self._at[name].square().mean().sqrt()))
        wide = self._slopes(name, direction, step)
        if abs(wide.central - claimed) <= self._allowance(step, claimed, scale):
            return Probe(index, claimed, wide.central, Finding.AGREES)
        # A kink between the two steps is left behind by the shorter one; a kink at the point itself is not.
        step /= 10
        near = self._slopes(name, direction, step)
        allowance = self._allowance(step, claimed, scale)
        if abs(near.central - claimed) <= allowance:
            return Probe(index, claimed, near.central, Finding.AGREES)
        finding = Finding.KINK if self._is_kink(wide, near, claimed, allowance) else Finding.WRONG
        return Probe(index, claimed, near.central if finding is Finding.KINK else wide.central, finding)

    def _is_kink(self, wide: _Slopes, near: _Slopes, claimed: float, allowance: float) -> bool:
        """One-sided slopes that stay apart as the step shrinks, with the claimed slope between them.

        Of a smooth function the gap shrinks with the step, to a tenth.
        """
        stays = near.gap > max(0.3 * wide.gap, 2 * allowance)
        low, high = sorted((near.left, near.right))
        return stays and low - allowance <= claimed <= high + allowance

    def _allowance(self, step: float, claimed: float, scale: float) -> float:
        return 1e-6 * (abs(claimed) + scale) + 12 * self.noise / step + 4 * step**2 * max(1.0, scale)

    def _slopes(self, name: str, direction: torch.Tensor, step: float) -> _Slopes:
        ahead = self._value({name: step * direction})
        behind = self._value({name: -step * direction})
        return _Slopes((self._base - behind) / step, (ahead - self._base) / step)

    def _value(self, moves: Mapping[str, torch.Tensor]) -> float:
        return self._objective({name: x + moves[name] if name in moves else x for name, x in self._at.items()})

    def _roughness(self, spacing: float) -> float:
        """Standard deviation of the rounding in eight values along a random diagonal."""
        signs = {name: torch.sign(self._draw.normal(*x.shape)) for name, x in self._at.items()}
        values = [self._base]
        values += [self._value({name: k * spacing * sign for name, sign in signs.items()}) for k in range(1, 8)]
        fifths = [sum(c * v for c, v in zip(_FIFTH_DIFFERENCE, values[k : k + 6], strict=True)) for k in range(3)]
        spread = sum(c * c for c in _FIFTH_DIFFERENCE)
        return math.sqrt(sum(x * x for x in fifths) / (len(fifths) * spread))
