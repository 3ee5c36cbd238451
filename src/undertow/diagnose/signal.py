"""How much of a batch's gradient is signal, by what the gradients of different batches have in common."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from undertow.store import Run, Updates

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
    example and B the batch. Gradients of steps some way apart have less in common, as the weights have moved between:
    then what is told is a lower bound.

    Attributes:
        step: The first step looked at.
        share: |G|² / (|G|² + tr S / B): 1 without noise, 0 where all is noise, below it where steps turn back.
        error: One standard error, by leaving out each pair in turn.
        size: The mean of |cos| between two gradients: near 1, they lie along one line, whichever way they point.
        turning: The same share, were each gradient turned back at every other step: near 1 where steps jump from one
            side to the other and back.
        turning_error: One standard error of it.
        pairs: How many pairs of gradients, no gradient in two of them.
    """

    step: int
    share: float
    error: float
    size: float
    turning: float
    turning_error: float
    pairs: int

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
    pairs = _pairs(run.updates)
    windows = min(WINDOWS, len(pairs) // FEWEST)
    if not windows:
        return []
    edges = np.linspace(0, len(pairs), windows + 1).astype(int)
    found = (_of(pairs[start:stop], numbers) for start, stop in pairwise(edges))
    return [part for part in found if part is not None]


def signal(run: Run, start: int, numbers: Sequence[int] | None = None) -> Signal | None:
    """From a step on; `None` where too few gradients were seen."""
    return _of(_pairs([update for update in run.updates if update.step >= start]), numbers)


Pair = tuple[Updates, Updates]


def _pairs(updates: Sequence[Updates]) -> list[Pair]:
    """Gradients next to each other among those seen, each in one pair only: then the pairs are independent."""
    return [*zip(updates[::2], updates[1::2], strict=False)]


def _of(pairs: Sequence[Pair], numbers: Sequence[int] | None) -> Signal | None:
    rows = [
        (*sums, (-1) ** (later.step - earlier.step))
        for earlier, later in pairs
        if (sums := _sums(earlier, later, numbers)) is not None
    ]
    if len(rows) < FEWEST:
        return None
    common, square, parity = np.array(rows).T
    size = float(np.mean(np.abs(common / square)))
    return Signal(pairs[0][1].step, *_ratio(common, square), size, *_ratio(common * parity, square), len(rows))


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> tuple[float, float]:
    """Of two sums, with its jackknife standard error."""
    without = (above.sum() - above) / (below.sum() - below)
    spread = (len(above) - 1) / len(above) * np.square(without - without.mean()).sum()
    return float(above.sum() / below.sum()), math.sqrt(float(spread))


def _sums(earlier: Updates, later: Updates, numbers: Sequence[int] | None) -> tuple[float, float] | None:
    """The inner product of two gradients, and the mean of their squares, over parameters that both reached."""
    which: NDArray[np.int64] = np.arange(len(later.turn)) if numbers is None else np.asarray(numbers, dtype=np.int64)
    before, after, turn = earlier.gradient[which], later.gradient[which], later.turn[which]
    seen = np.isfinite(before) & np.isfinite(after) & np.isfinite(turn)
    square = float((before[seen] ** 2 + after[seen] ** 2).sum()) / 2
    common = float((before[seen] * after[seen] * np.cos(turn[seen])).sum())
    return (common, square) if square > 0 else None


def _times(share: float) -> float:
    return math.inf if share <= 0 else (1 - share) / share
