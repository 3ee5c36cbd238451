"""The loss so far, in few points with their errors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from undertow.diagnose.outcome import jitter
from undertow.errors import ForecastError

__all__ = ["FEWEST", "History"]

Floats = NDArray[np.float64]

FEWEST = 20
"""Losses needed before anything is said of their future."""

BINS = 40
"""Points that a curve is fitted to; early ones are narrower, since a loss moves fastest there."""

WILD = 6.0
"""Losses farther than this many spreads from the median of their bin are drawn in to that distance."""

TO_SIGMA = 1.4826
"""From a median absolute deviation to a standard deviation, for normal noise."""


@dataclass(frozen=True)
class History:
    """A loss curve in bins of consecutive losses.

    Attributes:
        time: For each bin, the mean count of losses up to it; 1 is the first loss.
        level: For each bin, the mean loss in it.
        error: For each bin, the standard error of that mean, from differences of neighbouring losses.
        count: How many losses there are in all, those left out included.
        noise: The standard deviation of a single loss about the curve, over the last third.
        positive: Whether every loss was above 0, so that errors are told in proportion.
    """

    time: Floats
    level: Floats
    error: Floats
    count: int
    noise: float
    positive: bool

    @classmethod
    def of(cls, losses: ArrayLike) -> History:
        """Read a loss curve, one number per step, in order; values that are not finite are left out.

        Raises:
            ForecastError: There are fewer than 20 finite losses.
        """
        values = np.asarray(losses, dtype=np.float64)
        kept = np.flatnonzero(np.isfinite(values))
        if len(kept) < FEWEST:
            raise ForecastError(
                f"{len(kept)} finite losses are too few to forecast from: {FEWEST} are needed\n"
                "  A curve through fewer points could go anywhere. Train on, and ask again."
            )
        return cls._binned(1 + kept.astype(np.float64), values[kept], len(values))

    @classmethod
    def _binned(cls, time: Floats, values: Floats, count: int) -> History:
        edges = _edges(len(values))
        noise = _noise(values)
        return cls(
            time=np.array([time[a:b].mean() for a, b in edges]),
            level=np.array([_mean(values[a:b]) for a, b in edges]),
            error=np.array([_error(values, a, b) for a, b in edges]),
            count=count,
            noise=noise,
            positive=bool(values.min() > 0),
        )

    def until(self, time: float) -> History:
        """The same curve as it was known at an earlier time."""
        kept = self.time <= time
        known = self.time[kept], self.level[kept], self.error[kept]
        return History(*known, count=int(time), noise=self.noise, positive=self.positive)


def _edges(count: int) -> list[tuple[int, int]]:
    """First and last index of each bin: widths grow with the square root of the position."""
    cuts = np.unique(np.round(count * np.linspace(0, 1, min(BINS, count // 2) + 1) ** 1.5).astype(int))
    return [(int(a), int(b)) for a, b in pairwise(cuts)]


def _mean(values: Floats) -> float:
    """The mean, with what lies very far out drawn in."""
    middle = np.median(values)
    spread = TO_SIGMA * np.median(np.abs(values - middle))
    return float(np.clip(values, middle - WILD * spread, middle + WILD * spread).mean() if spread else values.mean())


def _noise(values: Floats) -> float:
    late = values[-max(4, len(values) // 3) :]
    return float(jitter(late))


def _error(values: Floats, start: int, stop: int) -> float:
    """Standard error of the mean of a bin, by the differences of losses in and about it."""
    near = values[max(0, start - 4) : stop + 4]
    return float(jitter(near)) / math.sqrt(stop - start)
