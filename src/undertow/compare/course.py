"""When two noisy courses part for good."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from undertow.diagnose.outcome import jitter

__all__ = ["Parting", "part", "part_of_losses"]

Floats = NDArray[np.float64]

BINS = 40
"""Stretches that two loss curves are compared in."""

FEWEST = 20
"""Losses that two runs must have in common."""

ERRORS = 4.0
"""Two losses differ in a stretch if their means are this many standard errors apart."""

OF_THE_FALL = 0.1
"""And if they are this much apart, as a part of what the first loss came down by: two runs of one script differ."""

LASTING = 0.8
"""Share of all later points at which a difference must still be there, the last one included."""

FACTOR = math.log10(3)
"""Sizes differ if one is three times the other."""

POINTS = 4
"""Steps at which sizes must differ."""

NOTHING = 1e-30
"""What an exact zero counts as in decades."""


@dataclass(frozen=True, slots=True)
class Parting:
    """Two courses that do not come together again.

    Attributes:
        since: The first step from which on they differ.
        left, right: Where they stand in the end.
    """

    since: int
    left: float
    right: float


def part_of_losses(steps: NDArray[np.int64], left: Floats, right: Floats) -> Parting | None:
    """Where two losses of the same steps part, beyond their noise and by more than a tenth of the first one's fall.

    A loss that is no number has parted from one that is.
    """
    if len(steps) < FEWEST:
        return None
    broken = _since(np.isfinite(left) != np.isfinite(right))
    if broken is not None:
        return Parting(int(steps[broken]), float(left[-1]), float(right[-1]))
    kept = np.isfinite(left) & np.isfinite(right)
    return _apart(steps[kept], left[kept], right[kept]) if kept.sum() >= FEWEST else None


def _apart(steps: NDArray[np.int64], left: Floats, right: Floats) -> Parting | None:
    cuts = np.unique(np.linspace(0, len(steps), min(BINS, len(steps) // 4) + 1).astype(int))
    spans = [slice(a, b) for a, b in pairwise(cuts)]
    levels = np.array([(np.mean(left[span]), np.mean(right[span])) for span in spans])
    errors = np.array([math.hypot(_error(left, span), _error(right, span)) for span in spans])
    apart = levels[:, 1] - levels[:, 0]
    fall = float(np.ptp(levels[:, 0]))
    far = (np.abs(apart) > ERRORS * errors) & (np.abs(apart) > OF_THE_FALL * fall)
    place = _since(far & (np.sign(apart) == np.sign(apart[-1])))
    return None if place is None else Parting(int(steps[spans[place].start]), *levels[-1])


def part(steps: NDArray[np.int64], left: Floats, right: Floats, entries: int) -> Parting | None:
    """Where two norms part by more than a factor of 3 and beyond the noise of their ratio.

    Norms of few entries differ by chance: as the norm of independent normal numbers does, by 1 / √(2 entries).
    """
    if len(steps) < POINTS:
        return None
    decades = np.log10(np.maximum(right, NOTHING) / np.maximum(left, NOTHING))
    noise = jitter(decades)
    chance = math.log10(math.e) / math.sqrt(max(entries, 1))
    far = np.abs(decades) > max(FACTOR, 3 * math.hypot(noise, chance))
    place = _since(far & (np.sign(decades) == np.sign(decades[-1])))
    if place is None or far[place:].sum() < POINTS:
        return None
    late = slice(place + (len(steps) - place) // 2, None)
    return Parting(int(steps[place]), float(np.median(left[late])), float(np.median(right[late])))


def _since(differs: NDArray[np.bool_]) -> int | None:
    """The first place where something differs that still does at most later places, and at the last two."""
    if not differs[-2:].all():
        return None
    lasting = np.cumsum(differs[::-1])[::-1] / np.arange(len(differs), 0, -1)
    return int(np.argmax(differs & (lasting >= LASTING)))


def _error(values: Floats, span: slice) -> float:
    """Standard error of the mean of a stretch, by the differences of neighbouring losses."""
    seen = values[span]
    if len(seen) < 2:
        return math.inf
    return float(jitter(seen)) / math.sqrt(len(seen))
