"""What a network would lose that ignores its input."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from undertow.store import Target

__all__ = ["SQUARES", "chance_error", "chance_loss", "least_loss", "undecided_loss"]

GROUPS = 20
"""Parts that the targets seen are left out by, one at a time, to tell how well they tell chance."""


def chance_loss(targets: list[Target], loss: str) -> float:
    """The loss of a network that ignores its input: of classes the entropy, as often as the mean counts in the loss."""
    targets = [target for target in targets if target.whole]
    if not targets:
        return math.nan
    return _offset(targets) + float(np.mean([target.times for target in targets])) * _mean_chance(targets, loss)


def _mean_chance(targets: list[Target], loss: str) -> float:
    if targets[0].counts:
        counts = np.sum([t.counts for t in targets if len(t.counts) == len(targets[0].counts)], axis=0)
        shares = _smoothed(counts * np.array(targets[0].weights or 1.0), targets[0].smoothed)
        return _entropy(shares) if (counts > 0).sum() > 1 else math.nan
    mean = float(np.mean([t.mean for t in targets]))
    if loss.startswith("BinaryCrossEntropy") and 0 < mean < 1:
        ones, zeros = mean * (targets[0].weights or (1, 1))[1], 1 - mean
        return -ones * math.log(ones / (ones + zeros)) - zeros * math.log(zeros / (ones + zeros))
    return _chance_of_numbers(targets, loss)


SQUARES = ("Mse", "Mul", "Pow")
"""Losses by the squared distance, which grows with the variance and not with its root."""


def _chance_of_numbers(targets: Sequence[Target], loss: str) -> float:
    """What the best answer for all batches loses: more than the best for each, by how their means differ."""
    lost, within = float(np.mean([t.alone for t in targets])), float(np.mean([_within(t) for t in targets]))
    apart = _apart(targets)
    if loss.startswith(SQUARES) and within + apart > 0:
        return lost + apart * (lost / within if within > 0 else 1.0)
    if within > 0:
        return lost * math.sqrt(1 + apart / within)
    means = np.array([t.mean for t in targets])  # each of one example, or of examples that are all the same
    spread = float(np.abs(means - np.median(means)).mean()) if loss.startswith("Abs") else 0.0
    return spread or math.nan


def _within(target: Target) -> float:
    """The variance of a batch's targets about their own mean."""
    return target.variance * (_rows(target) - 1) / _rows(target)


def _rows(target: Target) -> int:
    return max(1, target.shape[0]) if target.shape else 1


def _apart(targets: Sequence[Target]) -> float:
    """By how much the means of batches vary: nothing where each holds all examples.

    Of several numbers an example, only the mean of all is known, which may vary less than each of them: it is taken
    where batches differ by more than chance, as sorted ones do.
    """
    varied = float(np.var([t.mean for t in targets], ddof=1)) if len(targets) > 1 else 0.0
    drawn = float(np.mean([t.variance / _rows(t) for t in targets]))
    if len(targets) > 1 and (all(math.prod(t.shape) == _rows(t) for t in targets) or _same(targets)):
        return varied
    return varied if len(targets) >= FEWEST and varied > SORTED * drawn else drawn


def _same(targets: Sequence[Target]) -> bool:
    """Whether all batches hold the same targets, in whatever order, as far as their moments tell."""
    first = targets[0]
    return all(
        math.isclose(getattr(t, what), getattr(first, what), rel_tol=ROUNDING, abs_tol=ROUNDING)
        for t in targets
        for what in ("mean", "variance", "low", "high")
    )


ROUNDING = 1e-9
"""By more than that, moments of numbers in another order do not differ."""

FEWEST = 6
"""Batches whose means tell whether they differ by more than chance."""

SORTED = 5.0
"""Times the variance of the means of batches drawn at random, from which on they were not."""


def least_loss(targets: Sequence[Target]) -> float:
    """What is lost by answering right throughout: above 0 where labels are smoothed, or a number is added."""
    known = [target for target in targets if target.whole]
    smoothed = [target for target in known if target.smoothed > 0 and target.counts]
    if not smoothed:
        return _offset(known)
    right = _smoothed(np.eye(len(smoothed[0].counts))[0], smoothed[0].smoothed)
    return _offset(known) + float(np.mean([target.times for target in smoothed])) * _entropy(right)


def _offset(targets: Sequence[Target]) -> float:
    return float(np.median([target.offset for target in targets])) if targets else 0.0


def undecided_loss(targets: Sequence[Target], loss: str) -> float:
    """What is lost by an answer of 0 throughout, as likely for every class; for distances at most so much."""
    known = [target for target in targets if target.whole]
    if not known:
        return math.nan
    mean = float(np.mean([t.mean for t in known]))
    times = float(np.mean([t.times for t in known]))
    if known[0].counts:
        return _offset(known) + times * math.log(max(2, len(known[0].counts)))
    if loss.startswith("BinaryCrossEntropy"):
        return _offset(known) + times * math.log(2) * (1 - mean + mean * (known[0].weights or (1, 1))[1])
    if loss.startswith(SQUARES):
        return _offset(known) + times * float(np.mean([_within(t) + t.mean**2 for t in known]))
    return chance_loss([*known], loss) + times * abs(mean)


def _smoothed(counts: NDArray[np.float64], spread: float) -> NDArray[np.float64]:
    """Shares of classes, when a share of each target is spread evenly over all."""
    shares: NDArray[np.float64] = (1 - spread) * counts / counts.sum() + spread / len(counts)
    return shares


def _entropy(shares: NDArray[np.float64]) -> float:
    kept = shares[shares > 0]
    return float(-(kept * np.log(kept)).sum())


def chance_error(targets: Sequence[Target], loss: str) -> float:
    """The standard error of that, as far as the batches seen are a sample of those there are; `nan` of one batch.

    Jackknife over groups of batches.

    Source:
        Efron & Stein 1981, doi:10.1214/aos/1176345462.
    """
    groups = min(GROUPS, len(targets))
    without = [chance_loss([t for n, t in enumerate(targets) if n % groups != left], loss) for left in range(groups)]
    return float(np.std(without) * math.sqrt(groups - 1)) if groups > 1 else math.nan
