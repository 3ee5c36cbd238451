"""Where a curve of evaluations turned up, and whether that is more than its noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertow.diagnose.line import line
from undertow.diagnose.outcome import SKILL

__all__ = ["FEWEST", "Turned", "turned"]

Floats = NDArray[np.float64]

FEWEST = 10
"""Evaluations, to tell a turn from noise."""

PARTS = 10
"""Of the evaluations, a tenth is what one mean is taken over: at the least, and at the end."""

DEVIATIONS = 5
"""Standard errors of the difference of two such means. The lower one is the least of about ten, so that noise alone
makes it some 1.5 lower than the other. How often noise alone gets through (measured: tests/diagnose/test_turning.py):
less than once in 100 on a curve that fell, in 40 on one that never fell, where half of the noise stays from one
evaluation to the next; once in 10 on one that never fell and wanders for ten evaluations together."""

BLOCKS = 6
"""Means that the way up is made into, for the line through them."""

RISING = 2
"""Standard errors that its slope must be above 0: noise that wanders returns from its least, and does not rise on."""


@dataclass(frozen=True, slots=True)
class Turned:
    """A curve that fell, or never did, and rises at its end.

    Attributes:
        place: Number of the evaluation where it was least.
        least: The mean there.
        last: The mean over as many at the end.
        error: One standard error of the difference: by the noise from one evaluation to the next, or from one tenth of
            them to the next, whichever is larger, as evaluations that follow each other may go astray together.
    """

    place: int
    least: float
    last: float
    error: float


def turned(values: Floats) -> Turned | None:
    """Since when a curve rises for sure, and by more than a twentieth of its least; `None` where it does not."""
    width = max(1, len(values) // PARTS)
    if len(values) < FEWEST or not np.isfinite(values).all():
        return None
    means = np.convolve(values, np.full(width, 1 / width), "valid")
    best = int(means.argmin())
    least, last, place = float(means[best]), float(means[-1]), best + width // 2
    parts = np.array([part.mean() for part in np.array_split(values, min(PARTS, len(values)))])
    error = math.sqrt(2) * max(_noise(values) / math.sqrt(width), _noise(parts))
    way = values[place:]
    if len(way) < max(BLOCKS // 2, 2 * width) or not last - least > max(DEVIATIONS * error, SKILL * abs(least)):
        return None
    fitted = line(np.array([part.mean() for part in np.array_split(way, min(BLOCKS, len(way)))]))
    return Turned(place, least, last, error) if fitted.slope > RISING * fitted.slope_error else None


def _noise(values: Floats) -> float:
    """The standard deviation of one number about the curve, by second differences, in which a trend is no noise."""
    return float(np.median(np.abs(np.diff(values, 2)))) / (0.6745 * math.sqrt(6))
