"""Intervals and the sequential test: formulas against known values, and rates of error against simulations."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from grader.judge.statistics import Bar, gap, wilson


def test_wilson_against_values_from_the_literature():
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    for right, shown, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
        found = wilson(right, shown)
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    assert wilson(29, 29).high == 1.0 and round(wilson(29, 29).low, 4) == 0.8830


def test_wilson_of_a_whole_test_set():
    assert round(100 * wilson(5200, 10_000).half_width, 2) == 0.98
    assert round(100 * wilson(7200, 10_000).half_width, 2) == 0.88


@pytest.mark.parametrize(("right", "shown"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_of_nonsense(right, shown):
    with pytest.raises(ValueError, match="is no proportion"):
        wilson(right, shown)


def test_gap_is_the_pooled_z():
    assert gap(60, 100, 50, 100) == pytest.approx(0.1 / math.sqrt(0.55 * 0.45 * 0.02))
    assert gap(50, 100, 60, 100) == -gap(60, 100, 50, 100)
    assert gap(0, 0, 5, 10) == 0.0 and gap(10, 10, 10, 10) == 0.0


def test_the_ratio_is_prior_over_posterior():
    """Against Bayes' theorem in exact fractions."""
    bar = Bar(12, 5)
    a, b = bar._prior

    def rising(x: int, n: int) -> Fraction:
        return Fraction(math.prod(range(x, x + n)))

    prior = [math.comb(12, m) * rising(a, m) * rising(b, 12 - m) / rising(a + b, 12) for m in range(13)]
    assert sum(prior) == 1
    draw = [Fraction(math.comb(m, 3) * math.comb(12 - m, 4), math.comb(12, 7)) for m in range(13)]
    posterior = [p * d for p, d in zip(prior, draw, strict=True)]
    expected = [float(p / (q / sum(posterior))) if q else math.inf for p, q in zip(prior, posterior, strict=True)]
    assert np.allclose(np.exp(bar._ratio(3, 7)), expected)


def test_at_the_last_image_the_verdict_is_exact():
    for needed in (0, 1, 7, 19, 20, 21):
        bar = Bar(20, needed)
        for right in range(21):
            assert (bar.met(right, 20), bar.missed(right, 20)) == (right >= needed, right < needed)


def test_certainty_comes_at_once():
    bar = Bar(1000, 300, alpha=1e-300)
    assert bar.met(300, 300) and not bar.met(299, 299)
    assert bar.missed(0, 701) and not bar.missed(0, 700)


def verdicts(bar: Bar, truth: int, runs: int, batch: int, seed: int) -> tuple[float, float, float]:
    """Share of runs that end as met and as missed before the last image, and images shown on average."""
    rng = np.random.default_rng(seed)
    met = missed = shown = 0
    for _ in range(runs):
        right = (rng.permutation(bar.population) < truth).cumsum()
        for n in [*range(batch, bar.population, batch), bar.population]:
            k = int(right[n - 1])
            if n == bar.population or bar.met(k, n) or bar.missed(k, n):
                break
        shown += n
        met += bar.met(k, n) and n < bar.population
        missed += bar.missed(k, n) and n < bar.population
    return met / runs, missed / runs, shown / runs


def test_errors_just_beside_the_bar_are_as_rare_as_promised():
    """With alpha = 5 %, so that 300 runs can tell: the two truths for which an early error is likeliest."""
    bar, runs = Bar(300, 156, alpha=0.05), 300
    most = 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    met, missed = verdicts(bar, 155, runs, 15, seed=1)[0], verdicts(bar, 156, runs, 15, seed=2)[1]
    assert 0 < met <= most and 0 < missed <= most


def test_a_clear_case_is_short():
    bar = Bar(10_000, 5200)
    met, missed, shown = verdicts(bar, 5700, 20, 500, seed=3)
    assert (met, missed) == (1.0, 0.0) and shown < 3000
    met, missed, shown = verdicts(bar, 4700, 20, 500, seed=4)
    assert (met, missed) == (0.0, 1.0) and shown < 3000
