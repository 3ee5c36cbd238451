"""How much of a batch's gradient is signal, by what the gradients of different batches have in common."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from undertow.store import Pair, Run, Updates

__all__ = ["FEWEST", "Signal", "signal", "signals"]

FEWEST = 4
"""Pairs of gradients that an error is told from."""

WINDOWS = 12
"""Parts of a run, at most, of which the signal is told."""


@dataclass(frozen=True, slots=True)
class Signal:
    """Which share of the squared gradient of a batch its gradients have in common.

    For batches drawn independently at the same weights, the inner product of two gradients has the mean |G|², and the
    square of one the mean |G|² + tr S / B, with G the gradient of the expected loss, S the covariance of that of one
    example and B the batch. The share is the ratio of the sums of both over all pairs. Gradients of steps some way
    apart have less in common, as the weights have moved between: then what is told is a lower bound. Between successive
    steps they move by the rate times the gradient: along a direction of curvature λ, the inner product is 1 - rate · λ
    times what it would be. Batches of one epoch have no example in common: of K batches that make up all examples,
    the noise counts as less by 1 / (K - 1) of itself.

    Attributes:
        step: The first step looked at.
        share: |G|² / (|G|² + tr S / B): 1 without noise, 0 where all is noise, below it where steps turn back.
        error: One standard error, by leaving out each pair in turn.
        size: The mean of |cos| between two gradients: near 1, they lie along one line, whichever way they point.
        turning: The same share, were each gradient turned back at every other step: near 1 where steps jump from one
            side to the other and back.
        turning_error: One standard error of it.
        pairs: How many pairs of gradients, no gradient in two of them.
        apart: Steps between the two of a pair, typically; 1 where successive steps were looked at.
    """

    step: int
    share: float
    error: float
    size: float
    turning: float
    turning_error: float
    pairs: int
    apart: float

    @property
    def interval(self) -> tuple[float, float]:
        """Where the share lies, 95 times in 100."""
        return max(self.share - self.margin(self.error), -1.0), min(self.share + self.margin(self.error), 1.0)

    def turns(self, least: float) -> bool:
        """Whether `turning` is at least so large for sure."""
        return self.turning - self.margin(self.turning_error) > least

    def margin(self, error: float) -> float:
        """How far the truth may lie from a share with this error, 95 times in 100."""
        from scipy.special import stdtrit  # late: see undertow.noise.estimate

        return float(stdtrit(self.pairs - 1, 0.975)) * error

    @property
    def times(self) -> tuple[float, float]:
        """How many times as large a batch holds as much signal as noise: where that lies, 95 times in 100.

        Up to there doubling the batch saves a quarter of the steps or more.

        Source:
            McCandlish et al. 2018, arXiv:1812.06162.
        """
        low, high = self.interval
        return _times(high), _times(low)


def signals(run: Run, numbers: Sequence[int] | None = None) -> list[Signal]:
    """Along a run, in parts with pairs enough: of some parameters, by their numbers, or of all."""
    pairs = _pairs(run, 0)
    windows = min(WINDOWS, len(pairs) // FEWEST)
    if not windows:
        return []
    edges = np.linspace(0, len(pairs), windows + 1).astype(int)
    found = (_of(pairs[start:stop], numbers) for start, stop in pairwise(edges))
    return [part for part in found if part is not None]


def signal(run: Run, start: int, numbers: Sequence[int] | None = None) -> Signal | None:
    """From a step on; `None` where too few gradients were seen."""
    return _of(_pairs(run, start), numbers)


Apart = tuple[Pair, int]
"""Two gradients, and how many steps apart they are."""


def _pairs(run: Run, start: int) -> list[Apart]:
    """Gradients of successive steps, from a step on; where these are too few, of steps observed one after the other.

    Each is in one pair only: then the pairs are independent.
    """
    close = [(pair, 1) for pair in run.pairs if pair.step >= start]
    return close if len(close) >= FEWEST else _observed([update for update in run.updates if update.step >= start])


def _observed(updates: Sequence[Updates]) -> list[Apart]:
    """Those next to each other among steps that were observed in full."""
    return [
        (Pair(later.step, earlier.gradient, later.gradient, later.turn), later.step - earlier.step)
        for earlier, later in zip(updates[::2], updates[1::2], strict=False)
    ]


def _of(pairs: Sequence[Apart], numbers: Sequence[int] | None) -> Signal | None:
    rows = [(*sums, apart) for pair, apart in pairs if (sums := _sums(pair, numbers)) is not None]
    if len(rows) < FEWEST:
        return None
    common, square, apart = np.array(rows).T
    size, back = float(np.mean(np.abs(common / square))), common * (-1.0) ** apart
    typical = float(np.median(apart))
    return Signal(pairs[0][0].step, *_ratio(common, square), size, *_ratio(back, square), len(rows), typical)


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> tuple[float, float]:
    """Of two sums, with its jackknife standard error."""
    without = (above.sum() - above) / (below.sum() - below)
    spread = (len(above) - 1) / len(above) * np.square(without - without.mean()).sum()
    return float(above.sum() / below.sum()), math.sqrt(float(spread))


def _sums(pair: Pair, numbers: Sequence[int] | None) -> tuple[float, float] | None:
    """The inner product of two gradients, and the mean of their squares, over parameters that both reached."""
    which: NDArray[np.int64] = np.arange(len(pair.turn)) if numbers is None else np.asarray(numbers, dtype=np.int64)
    before, after, turn = pair.before[which], pair.after[which], pair.turn[which]
    seen = np.isfinite(before) & np.isfinite(after) & np.isfinite(turn)
    square = float((before[seen] ** 2 + after[seen] ** 2).sum()) / 2
    common = float((before[seen] * after[seen] * np.cos(turn[seen])).sum())
    return (common, square) if square > 0 else None


def _times(share: float) -> float:
    return math.inf if share <= 0 else (1 - share) / share
