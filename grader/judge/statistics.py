"""How sure a count of right predictions makes one: intervals, and when enough images have been shown.

A test set is a finite population of N images, M of which the submission gets right. Images are shown in random order,
without one being shown twice, so that after n of them k right ones are a hypergeometric draw.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Two-sided 95 % of the normal distribution.
_Z95 = 1.959963984540054


@dataclass(frozen=True)
class Interval:
    """An interval for a proportion, from 0 to 1."""

    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of its width."""
        return (self.high - self.low) / 2


def wilson(right: int, shown: int, z: float = _Z95) -> Interval:
    """The score interval for the proportion behind ``right`` of ``shown`` (Wilson, JASA 22, 1927); 95 % by default.

    Raises:
        ValueError: unless 0 <= right <= shown and shown > 0.
    """
    if not 0 <= right <= shown or shown <= 0:
        raise ValueError(f"{right} of {shown} is no proportion")
    p, weight = right / shown, z * z / shown
    centre = (p + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(p * (1 - p) / shown + weight / (4 * shown))
    return Interval(max(centre - half, 0.0), min(centre + half, 1.0))


def gap(right_a: int, shown_a: int, right_b: int, shown_b: int) -> float:
    """By how many standard errors proportion a is above proportion b, with the pooled variance; 0 without images."""
    if not shown_a or not shown_b:
        return 0.0
    pooled = (right_a + right_b) / (shown_a + shown_b)
    error = math.sqrt(pooled * (1 - pooled) * (1 / shown_a + 1 / shown_b))
    return (right_a / shown_a - right_b / shown_b) / error if error else 0.0


@dataclass(frozen=True)
class Bar:
    """Whether at least ``needed`` of ``population`` images are right, told as early as that is safe.

    The test is the prior-posterior-ratio martingale (Waudby-Smith and Ramdas, "Confidence sequences for sampling
    without replacement", 2020): with a beta-binomial prior on M, the ratio prior(M) / posterior(M) at the true M
    exceeds 1 / alpha with a probability of at most alpha, however often one looks. So a verdict before the last image
    differs from the verdict on all images with a probability of at most ``alpha``; at the last image it is exact.

    Attributes:
        population: N, images that could be shown.
        needed: how many of them have to be right.
        alpha: probability of a wrong early verdict.
    """

    population: int
    needed: int
    alpha: float = 1e-3

    # Weight of the prior in images: it makes the test strong for a truth some points away from the bar.
    _WEIGHT = 200

    def met(self, right: int, shown: int) -> bool:
        """Whether the bar is safely met after ``right`` of ``shown``."""
        return bool((self._ratio(right, shown)[: self.needed] >= -math.log(self.alpha)).all())

    def missed(self, right: int, shown: int) -> bool:
        """Whether the bar is safely missed after ``right`` of ``shown``."""
        return bool((self._ratio(right, shown)[self.needed :] >= -math.log(self.alpha)).all())

    @cached_property
    def _prior(self) -> tuple[int, int]:
        """Parameters of the beta prior, whose mean is about the bar. They are integers, so factorials suffice."""
        a = 1 + round(self._WEIGHT * min(max(self.needed / max(self.population, 1), 0.0), 1.0))
        return a, 2 + self._WEIGHT - a

    @cached_property
    def _log_factorials(self) -> Floats:
        """log n! for n = 0, 1, …"""
        numbers = np.arange(1, self.population + self._WEIGHT + 3, dtype=np.float64)
        return np.concatenate([np.zeros(1), np.log(numbers).cumsum()])

    def _ratio(self, right: int, shown: int) -> Floats:
        """log prior(M) - log posterior(M) for M = 0 … N; infinite where the draw is impossible for M."""
        a, b = self._prior
        ratio = np.full(self.population + 1, np.inf)
        possible = np.arange(right, self.population - (shown - right) + 1)
        prior = self._log_beta_binomial(possible, self.population, a, b)
        posterior = self._log_beta_binomial(possible - right, self.population - shown, a + right, b + shown - right)
        ratio[possible] = prior - posterior
        return ratio

    def _log_beta_binomial(self, count: npt.NDArray[np.int64], of: int, a: int, b: int) -> Floats:
        """log of the beta-binomial probability of ``count`` out of ``of``, for integer a and b."""
        f = self._log_factorials

        def log_beta(x: npt.NDArray[np.int64] | int, y: npt.NDArray[np.int64] | int) -> Floats:
            total: Floats = f[np.asarray(x) - 1] + f[np.asarray(y) - 1] - f[np.asarray(x) + np.asarray(y) - 1]
            return total

        choose = f[of] - f[count] - f[of - count]
        total: Floats = choose + log_beta(count + a, of - count + b) - log_beta(a, b)
        return total
