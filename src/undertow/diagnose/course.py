"""The course of a loss: where it jumps and comes back, and since when it stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from undertow.diagnose.line import line
from undertow.diagnose.outcome import jitter

__all__ = ["FURTHER", "Spike", "Standing", "bottomless", "spikes", "standing"]

Floats = NDArray[np.float64]

WINDOW = 50
"""Losses that a loss is held against: their median, and how they differ from one to the next."""

JUMP = 10
"""Standard deviations, from one loss to the next, above that median."""

UNDONE = 0.25
"""Of what the loss had fallen by till then: a jump that undoes less does not count."""


BACK = 0.25
"""Of the height of a jump: nearer to where it was than this, a loss is back."""


@dataclass(frozen=True, slots=True)
class Spike:
    """A jump of the loss that came back.

    Attributes:
        start: Number of the first loss of it.
        length: How many losses until it was back.
        base: The median before it.
        peak: The highest loss of it.
    """

    start: int
    length: int
    base: float
    peak: float


def spikes(losses: Floats) -> list[Spike]:
    """The jumps of a loss that came back to where it had been."""
    if len(losses) <= WINDOW:
        return []
    before = sliding_window_view(losses[:-1], WINDOW)  # of each loss from number WINDOW on
    bases, noise = np.median(before, axis=1), jitter(before)
    first = float(np.median(losses[: WINDOW // 2]))
    high = losses[WINDOW:] > bases + np.maximum(JUMP * noise, UNDONE * np.abs(first - bases))
    found: list[Spike] = []
    for place in np.flatnonzero(high):
        start, base = int(place) + WINDOW, float(bases[place])
        if found and start < found[-1].start + found[-1].length + WINDOW:
            continue  # what it is held against has that jump in it
        near = max(3 * noise[place], BACK * (losses[start] - base))
        back = np.flatnonzero((losses[start:] <= base + near) & (_medians(losses[start:]) <= base + near))
        if not len(back):
            break
        length = int(back[0])
        found.append(Spike(start, length, base, float(losses[start : start + length].max())))
    apart = _apart(losses[WINDOW:] - bases, found)
    return [spike for spike in found if spike.length > SHORT or spike.peak - spike.base >= apart]


STEADY = 5
"""Losses from one on, of which most must be back for that to be."""


def _medians(losses: Floats) -> Floats:
    """Of each loss and those right after it."""
    padded = np.append(losses, losses[-1:].repeat(STEADY - 1))
    medians: Floats = np.median(sliding_window_view(padded, STEADY), axis=1)
    return medians


SHORT = 3
"""Losses in a row that may be high by chance, one by one."""

RARE = 0.01
"""The most of all losses that are something apart from the others."""

AFTER = WINDOW // 5
"""Losses that may still be on their way back."""

CLEAR = 3
"""Times the next lower rise: without such a gap, high losses are the tail of all, as where a network knows nearly all
examples and one that it does not decides about the loss of a batch."""


def _apart(rises: Floats, spikes: list[Spike]) -> float:
    """The least rise above a gap that sets the highest apart from all others; infinite where there is none."""
    outside = np.isfinite(rises)
    for spike in spikes:
        first = spike.start - WINDOW + (spike.length <= SHORT)  # a short one is weighed with the others, by its peak
        outside[first : first + spike.length + AFTER] = False
    highest = np.sort(np.maximum(rises[outside], 0))[::-1][: int(RARE * len(rises)) + 2]
    gaps = np.flatnonzero(highest[:-1] > CLEAR * highest[1:])
    return float(highest[gaps[-1]]) if len(gaps) else np.inf


PARTS = 20
"""Into how many parts a course is divided."""

LONG = 10
"""Parts at the end that a loss must have stood for, to be said to stand."""

FEWEST = 5 * PARTS
"""Losses that are needed."""

FURTHER = 0.05
"""Of what was gained, and of what is left: a further fall of more than this, over as long, must be ruled out."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A loss that fell and stands.

    Attributes:
        start: Number of the loss since which it stands.
        level: Where it stands.
        most: The most that it can have fallen by since.
    """

    start: int
    level: float
    most: float


def standing(losses: Floats) -> Standing | None:
    """Since when a loss has stood; `None` where it may still fall, or was never higher.

    A line is fitted to the means of the last parts. Its error is by how far these lie off it, which holds for losses
    that go together for a while as well, as long as that is shorter than a part.
    """
    size = len(losses) // PARTS
    if len(losses) < FEWEST or not np.isfinite(losses).all():
        return None
    means = losses[len(losses) - size * PARTS :].reshape(PARTS, size).mean(1)
    gained = float(losses[: max(3, size // 4)].mean() - means[-LONG:].mean())
    for start in range(1, PARTS - LONG + 1):
        fall, error = _fall(means[start:])
        level = float(means[start:].mean())
        if abs(fall) + 2 * error < FURTHER * min(gained, abs(level)):
            return Standing(len(losses) - size * (PARTS - start), level, max(fall, 0.0) + 2 * error)
    return None


def idle(losses: Floats) -> tuple[int, int] | None:
    """Of so many twentieths at the start the first number is ruled out to have brought anything, the second brought it.

    Anything is a twentieth of what the run gained in all; `None` where it gained nothing that shows.
    """
    size = len(losses) // PARTS
    if len(losses) < FEWEST or not np.isfinite(losses).all():
        return None
    means = losses[: size * PARTS].reshape(PARTS, size).mean(1)
    gained = float(means[0] - means[-1])
    falls = [(parts, *_fall(means[:parts])) for parts in range(3, PARTS + 1)]
    still = [parts for parts, fall, error in falls if abs(fall) + 2 * error < FURTHER * gained]
    moved = [parts for parts, fall, error in falls if fall - 2 * error > FURTHER * gained]
    if not still or not moved or moved[0] <= still[-1]:
        return None
    return still[-1], moved[0]


def _fall(means: Floats) -> tuple[float, float]:
    """By how much the line through some means falls from the first to the last, and its standard error."""
    fitted, length = line(means), len(means) - 1
    return -fitted.slope * length, fitted.slope_error * length


DEEP = 100.0
"""Times its first size, or 1, that a loss has fallen below 0."""


def bottomless(losses: NDArray[np.float64]) -> bool:
    """Whether a loss went far below 0, and by more in each quarter of the run than in the one before.

    A loss with a lower end slows down before it, and that of a density falls like a logarithm.
    """
    finite = losses[: np.argmin(np.isfinite(losses))] if not np.isfinite(losses).all() else losses
    if len(finite) < 4 * PER_QUARTER:
        return False
    ends = [float(np.median(part[-PER_QUARTER:])) for part in np.array_split(finite, 4)]
    falls = -np.diff([float(np.median(finite[:PER_QUARTER])), *ends])
    return ends[-1] < -DEEP * max(1.0, abs(finite[0])) and bool((np.diff(falls) > 0).all() and falls[0] > 0)


PER_QUARTER = 5
"""Losses that a median is taken of."""
