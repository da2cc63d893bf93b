"""Fresh inputs for every submission and check, the same at every repetition.

The seed is HMAC-SHA256(secret, submission, check): nobody without the secret can know the inputs beforehand, so that
hard-coded answers fail, and staff can draw them again from the text of the seed alone. The generators are private;
the global ones are neither read nor moved.
"""

from __future__ import annotations

import hashlib
import hmac
import random
from collections.abc import Sequence
from typing import TypeVar

import torch

T = TypeVar("T")


class Draw:
    """The source of all randomness of one check.

    Values are near one, so that losses and gradients are well conditioned. Numbers are drawn in float64 and then
    rounded, so that one seed gives the same inputs in every dtype.
    """

    def __init__(self, secret: bytes, submission: str, check: str) -> None:
        if "\0" in submission:
            raise ValueError("The name of a submission may not contain a NUL character.")
        digest = hmac.new(secret, f"{submission}\0{check}".encode(errors="surrogatepass"), hashlib.sha256)
        self._start(digest.hexdigest()[:32])

    @classmethod
    def from_seed_text(cls, text: str) -> Draw:
        """The same draws again, from the ``seed_text`` of a report."""
        again = cls.__new__(cls)
        again._start(text)
        return again

    def _start(self, text: str) -> None:
        self.seed_text = text
        """The seed as 32 hexadecimal digits, for staff."""
        self._python = random.Random(int(text, 16))  # noqa: S311 - reproducibility is the purpose
        self._torch = torch.Generator().manual_seed(self._python.getrandbits(63))

    @property
    def players_seed(self) -> int:
        """For the generators of the player: 63 bits of the seed."""
        return int(self.seed_text, 16) % 2**63

    @property
    def judges_seed(self) -> int:
        """For the judge's own generators, from which right functions draw: bits that the player does not see."""
        return int(self.seed_text, 16) >> 65

    def normal(self, *shape: int, dtype: torch.dtype = torch.float64, scale: float = 1.0) -> torch.Tensor:
        """Normal numbers of mean 0 and standard deviation ``scale``, as a tensor of the given shape."""
        return (scale * torch.randn(shape, generator=self._torch, dtype=torch.float64)).to(dtype)

    def uniform(
        self, *shape: int, low: float = 0.0, high: float = 1.0, dtype: torch.dtype = torch.float64
    ) -> torch.Tensor:
        """Numbers spread evenly over ``[low, high)``, as a tensor of the given shape."""
        unit = torch.rand(shape, generator=self._torch, dtype=torch.float64)
        return (low + (high - low) * unit).to(dtype)

    def integers(self, low: int, high: int, *shape: int) -> torch.Tensor:
        """Whole numbers from ``low`` to ``high - 1``, as an int64 tensor of the given shape."""
        return torch.randint(low, high, shape, generator=self._torch, dtype=torch.int64)

    def labels(self, n: int, classes: int) -> torch.Tensor:
        """``n`` labels from 0 to ``classes - 1`` as an int64 tensor; every class occurs where ``n >= classes``."""
        once = self.permutation(classes)[:n]
        rest = self.integers(0, classes, n - len(once))
        return torch.cat([once, rest])[self.permutation(n)]

    def permutation(self, n: int) -> torch.Tensor:
        """The numbers 0 to ``n - 1`` in random order, as an int64 tensor."""
        return torch.randperm(n, generator=self._torch)

    def choice(self, sequence: Sequence[T]) -> T:
        """One element of a sequence that is not empty."""
        return self._python.choice(sequence)

    def seed(self) -> int:
        """A fresh seed below 2**31 for a generator elsewhere; each call gives another."""
        return self._python.getrandbits(31)

    def linear_problem(
        self, n: int, d: int, c: int, dtype: torch.dtype = torch.float64
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Weights ``W`` (d, c), inputs ``X`` (n, d) and labels ``y`` (n,) whose scores ``X @ W`` are near one."""
        weights = self.normal(d, c, dtype=dtype, scale=max(d, 1) ** -0.5)
        return weights, self.normal(n, d, dtype=dtype), self.labels(n, c)
