"""A straight line through means, and how far it can be trusted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Line", "line"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line fitted by least squares to means at even distances, seen from their middle.

    Attributes:
        count: How many means.
        middle: Its height there.
        slope: From one mean to the next.
        variance: Of the means about it.
        spread: The sum of the squared distances of their places from the middle.
    """

    count: int
    middle: float
    slope: float
    variance: float
    spread: float

    @property
    def slope_error(self) -> float:
        """The standard error of the slope."""
        return math.sqrt(self.variance / self.spread)

    def error_at(self, distance: float) -> float:
        """The standard error of its height so far from the middle."""
        return math.sqrt(self.variance * (1 / self.count + distance**2 / self.spread))


def line(means: NDArray[np.float64]) -> Line:
    """Through at least three means."""
    places = np.arange(len(means)) - (len(means) - 1) / 2
    spread = float(places @ places)
    slope = float(places @ means) / spread
    off = means - means.mean() - slope * places
    return Line(len(means), float(means.mean()), slope, float(off @ off) / (len(means) - 2), spread)
