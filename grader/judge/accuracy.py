"""How many images a submission recognises: predictions cross the wall, labels do not.

Images come in random order and slightly changed, until the bar is safely met, the floor is safely missed, or all have
been shown. A tenth of them is set aside and shown as published instead, mixed in among the others: who recognises those
far better than the changed ones has learned images, and not what is in them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from grader.contract.assignment import Goal
from grader.contract.verdict import CheckFailed, Explanation, PartlyMet
from grader.judge.draw import Draw
from grader.judge.perturb import perturbed
from grader.judge.statistics import Bar, gap, wilson
from grader.judge.values import describe, numbers_of

Predict = Callable[[torch.Tensor], Any]

# One image of so many is shown as published.
_SET_ASIDE = 10
# What counts as recognising published images better: by so many standard errors, and by this much.
_ERRORS, _MUCH = 4.0, 0.05


@dataclass(frozen=True)
class Measured:
    """What was counted.

    Attributes:
        right: predictions that were right, of slightly changed images.
        shown: slightly changed images that were shown.
        population: slightly changed images that could have been shown.
        plain_right: predictions that were right, of images as published.
        plain_shown: images that were shown as published.
    """

    right: int
    shown: int
    population: int
    plain_right: int
    plain_shown: int

    @property
    def percent(self) -> float:
        """Accuracy on slightly changed images, 0 to 100."""
        return 100.0 * self.right / self.shown

    @property
    def remembers(self) -> bool:
        """Whether images as published are recognised so much better that they may have been learned by heart."""
        better = self.plain_shown > 0 and self.plain_right / self.plain_shown - self.right / self.shown > _MUCH
        return better and gap(self.plain_right, self.plain_shown, self.right, self.shown) > _ERRORS

    def __str__(self) -> str:
        half = 100.0 * wilson(self.right, self.shown).half_width
        early = "" if self.shown == self.population else f" of {self.population:,}, enough to be sure"
        return f"{self.percent:.1f} ± {half:.1f} % (95 %, {self.shown:,} images{early})"


@dataclass(frozen=True, eq=False)
class Accuracy:
    """The fixture ``accuracy``: a bar for predictions, with the goal that the assignment sets for this data set.

    Attributes:
        goal: what is needed, and from where on a part of the points is given.
        images: uint8, (N, C, H, W): images to be recognised.
        labels: int64, (N,), which never leave the judge.
        title: the data set, for the report.
        draw: source of the order and of the changes.
        note: takes a remark for the student.
        flag: takes a remark for staff.
    """

    goal: Goal
    images: torch.Tensor
    labels: torch.Tensor
    title: str
    draw: Draw
    note: Callable[[str], None]
    flag: Callable[[str], None]

    def __call__(self, predict: Predict, batch: int = 500) -> Measured:
        """Shows images until the verdict is safe; returns what was counted where the bar is met.

        Args:
            predict: called with uint8 images (n, C, H, W), about ``batch`` at a time; gives n labels.
            batch: images at a time.

        Raises:
            PartlyMet: between floor and bar, with the share of the points, linear between them.
            CheckFailed: below the floor, or where predictions are no n whole numbers.
        """
        measured = self._measure(predict, batch)
        if measured.remembers:
            plain = 100 * measured.plain_right / measured.plain_shown
            self.flag(
                f"of images exactly as published, {plain:.1f} % are recognised, of slightly changed ones "
                f"{measured.percent:.1f} %: answers may have been learned by heart"
            )
        hold_to(self.goal, measured.right, measured.shown, self.title, self.note, str(measured))
        return measured

    def _measure(self, predict: Predict, batch: int) -> Measured:
        order = self.draw.permutation(len(self.labels))
        generator = torch.Generator().manual_seed(self.draw.seed())
        aside = len(order) // _SET_ASIDE
        plain, changed = order[:aside], order[aside:]
        needed, floor = (Bar(len(changed), _count(p, len(changed))) for p in (self.goal.needed, self.goal.floor))
        count = Measured(0, 0, len(changed), 0, 0)
        plains = torch.tensor_split(plain, max(math.ceil(len(changed) / batch), 1))
        for published, others in zip(plains, torch.split(changed, batch), strict=True):
            count = self._show(predict, published, others, generator, count)
            if needed.met(count.right, count.shown) or floor.missed(count.right, count.shown):
                break
        return count

    def _show(
        self, predict: Predict, plain: torch.Tensor, changed: torch.Tensor, generator: torch.Generator, count: Measured
    ) -> Measured:
        """One batch: published images and changed ones in random order, so that nobody can tell which are which."""
        x = torch.cat([self.images[plain], perturbed(self.images[changed], generator)])
        mixed = self.draw.permutation(len(x))
        right = torch.empty(len(x), dtype=torch.bool)
        right[mixed] = _labels(predict(x[mixed]), len(x)) == self.labels[torch.cat([plain, changed])[mixed]]
        return Measured(
            count.right + int(right[len(plain) :].sum()),
            count.shown + len(changed),
            count.population,
            count.plain_right + int(right[: len(plain)].sum()),
            count.plain_shown + len(plain),
        )


def hold_to(goal: Goal, right: int, shown: int, title: str, note: Callable[[str], None], got: str = "") -> None:
    """Holds ``right`` answers of ``shown`` to ``goal``, and notes what was needed where that is met.

    Args:
        title: the data set, for the report.
        got: what was reached, in words, if that takes more than the two numbers.

    Raises:
        PartlyMet: between floor and bar, with the share of the points, linear between them.
        CheckFailed: below the floor.
    """
    percent, needed = 100.0 * right / shown, f"{goal.needed:.1f} % on {title}"
    got = got or f"{percent:.1f} ± {100 * wilson(right, shown).half_width:.1f} % (95 %, {shown:,} answers)"
    if _count(goal.needed, shown) <= right:
        note(f"needed {needed}, got {got}")
        return
    told = Explanation(
        f"The accuracy is below what was needed; points begin at {goal.floor:.1f} %.",
        expected=f"at least {needed}",
        got=got,
    )
    share = (percent - goal.floor) / (goal.needed - goal.floor)
    raise PartlyMet(told, share) if share > 0 else CheckFailed(told)


def _count(percent: float, of: int) -> int:
    """How many of ``of`` images are at least ``percent``."""
    return math.ceil(percent / 100 * of - 1e-9)


def _labels(answer: Any, n: int) -> torch.Tensor:
    """The predictions as int64, whatever container and type of numbers they came in."""
    plain = type(answer) in (list, tuple) and all(type(label) is int and abs(label) < 2**31 for label in answer)
    found = numbers_of(np.asarray(answer) if plain else answer)
    array = found.array if found is not None and found.array.dtype.kind in "iuf" else None
    if array is None or array.shape != (n,):
        raise CheckFailed(
            Explanation(
                "Predictions should be one label for each image.",
                expected=f"{n} whole numbers, of shape ({n},)",
                got=describe(answer),
            )
        )
    # What is no label, such as NaN, is a wrong prediction.
    whole = np.where(np.isfinite(array) & (array == np.floor(array)) & (np.abs(array) < 2**31), array, -1)
    return torch.from_numpy(whole.astype(np.int64))
