"""Steps and examples to a target, as a function of the batch: fitted to runs that reached it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertow.errors import NoiseError
from undertow.noise.estimate import Estimate, quantile
from undertow.noise.gradient import reach
from undertow.shown import Shown

__all__ = ["Tradeoff", "tradeoff"]

FEWEST = 3
ROUNDS = 50

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tradeoff(Shown):
    """How steps and examples to one target depend on the batch: (S / S₀ - 1) (E / E₀ - 1) = 1, so S = S₀ + E₀ / B.

    Attributes:
        least_steps: S₀, what it takes with batches without limit.
        least_examples: E₀, what it takes with batches of few examples.
        covariance: Of the two.
    """

    least_steps: Estimate
    least_examples: Estimate
    covariance: float

    @property
    def critical(self) -> float:
        """The critical batch E₀ / S₀: twice the least steps, and twice the least examples. `inf` where S₀ may be 0."""
        steps = self.least_steps.value
        return self.least_examples.value / steps if steps > 0 else math.inf

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Where the critical batch lies, so often; without an upper end where S₀ cannot be told from 0 (Fieller)."""
        steps, examples = self.least_steps, self.least_examples
        factor = quantile(steps.freedom, confidence) ** 2
        a = steps.value**2 - factor * steps.error**2
        b = examples.value * steps.value - factor * self.covariance
        c = examples.value**2 - factor * examples.error**2
        root = math.sqrt(max(b**2 - a * c, 0.0))
        if a <= 0:
            return (max(c, 0.0) / (b + root) if b + root > 0 else 0.0), math.inf
        if steps.value < 0:  # by more than its error: larger batches helped more than the law has it
            return math.inf, math.inf
        return max((b - root) / a, 0.0), max((b + root) / a, 0.0)

    def pays_until(self, saving: float = 0.25) -> tuple[float, float]:
        """The batch up to which doubling it saves this share of the steps: where that lies, 95 times in 100.

        Raises:
            ValueError: A share that doubling cannot save: not between 0 and one half.
        """
        low, high = self.interval()
        return low * reach(saving), high * reach(saving)

    def steps(self, batch: float) -> Estimate:
        """Steps to the target with this batch."""
        steps, examples = self.least_steps, self.least_examples
        variance = steps.error**2 + 2 * self.covariance / batch + (examples.error / batch) ** 2
        return Estimate(steps.value + examples.value / batch, math.sqrt(max(variance, 0.0)), steps.freedom)

    def examples(self, batch: float) -> Estimate:
        """Examples to the target with this batch."""
        return self.steps(batch).times(batch)


def tradeoff(batches: Sequence[float], steps: Sequence[float]) -> Tradeoff:
    """Fit how many steps a target takes to runs with several batch sizes.

    By least squares with errors in proportion to the steps, whose size is estimated from the runs themselves.

    It holds as far as each run had the step size that is best for its batch, and as far as progress is limited by
    curvature and noise, not by a schedule that ends at a fixed step: with one step size for all, runs with large
    batches come out too slow, and the critical batch too small.

    Args:
        batches: Examples a step, one a run; runs of one batch may be repeated with other seeds.
        steps: Steps that each run took to the target.

    Returns:
        The trade-off: `steps(batch)`, `examples(batch)`, `critical` and its `interval()`, `pays_until()`.

    Raises:
        NoiseError: There are fewer than 3 runs or 2 batches, or numbers that are not positive.

    Source:
        McCandlish et al. 2018, An Empirical Model of Large-Batch Training, arXiv:1812.06162, section 2.3.
    """
    sizes, taken = np.asarray(batches, np.float64), np.asarray(steps, np.float64)
    if sizes.shape != taken.shape or len(taken) < FEWEST or len(set(batches)) < 2 or min(sizes.min(), taken.min()) <= 0:
        raise NoiseError(
            f"{len(taken)} runs with batches of {sorted(set(batches))} examples tell no trade-off\n"
            f"  Two numbers and their errors are fitted: pass at least {FEWEST} runs, with at least 2 batch sizes,\n"
            "  and the positive number of steps that each took to the same target."
        )
    known = np.stack([np.ones_like(sizes), 1 / sizes], 1)
    found, spread = _fitted(known, taken)
    freedom = len(taken) - 2
    least = [Estimate(float(v), math.sqrt(float(e)), freedom) for v, e in zip(found, spread.diagonal(), strict=True)]
    return Tradeoff(least[0], least[1], float(spread[0, 1]))


def _fitted(known: Floats, taken: Floats) -> tuple[Floats, Floats]:
    """Least squares with errors in proportion to what is fitted: the numbers and their covariance."""
    expected = taken
    for _ in range(ROUNDS):
        weighed = known / expected[:, None]
        found = np.linalg.lstsq(weighed, taken / expected, rcond=None)[0].astype(np.float64)
        expected = np.maximum(known @ found, taken.min() / 2)
    misses = (taken - known @ found) / expected
    inverse = np.linalg.inv(weighed.T @ weighed)
    return found, inverse * float(misses @ misses) / (len(taken) - 2)
