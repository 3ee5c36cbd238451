"""Rates that were raised while the loss fell, and what came of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from undertow.diagnose.case import Case
from undertow.diagnose.outcome import SHORTEST, SKILL, jitter
from undertow.store import Rate

__all__ = ["Raised", "raised"]

Floats = NDArray[np.float64]

ODD = 5
"""Losses whose median is taken, so that one batch says nothing."""

PARTS = 20

RAISED = 1.5
"""Times the rate under which the loss fell. Training brings the curvature to where that rate is just stable, so that
any larger one is not (Cohen et al. 2021, arXiv:2103.00065); what is less may lie within a part of the course."""

UNDONE = 0.5
"""Of what had been gained, that is lost at the end."""


@dataclass(frozen=True, slots=True)
class Raised:
    """A rate that was raised past what the training bears.

    Attributes:
        step: Up to which more than half of what was gained was still there.
        least: The least loss, as a mean over a twentieth of the course till then.
        lost: Share of what was gained that is lost at the end.
        rate: Under which the loss fell, typically.
        raised: The highest one from there to just after `step`.
    """

    step: int
    least: float
    lost: float
    rate: float
    raised: float


def raised(case: Case) -> Raised | None:
    """The raise after which what a loss had gained came undone; `None` where there is none of either."""
    seen, outcome = case.course(), case.outcome
    if seen is None or len(seen.values) < SHORTEST or not case.run.rates:
        return None
    values = np.where(np.isfinite(seen.values), seen.values, np.inf)
    smooth = np.median(sliding_window_view(np.pad(values, ODD // 2, mode="edge"), ODD), axis=1)
    top = outcome.chance if outcome.chance > 0 else outcome.first
    alive = np.flatnonzero(smooth <= top)
    if not len(alive) or not math.isfinite(top):
        return None
    best, least = _best(smooth[: alive[-1] + 1])
    gained = top - least
    if not gained > max(SKILL * abs(top), 2 * float(jitter(smooth[np.isfinite(smooth)]))):
        return None
    end = math.inf if outcome.kind == "non-finite" else outcome.last
    if not end > least + UNDONE * gained:
        return None
    left = int(np.flatnonzero(smooth <= least + UNDONE * gained)[-1])
    rate, above = _raise(case.run.rates, seen.steps, best, min(len(values), left + 1 + max(ODD, len(values) // PARTS)))
    if not above > RAISED * rate:
        return None
    return Raised(int(seen.steps[left]), least, min((end - least) / gained, 1.0), rate, above)


def _best(values: Floats) -> tuple[int, float]:
    """Where the mean over a twentieth is least, and that mean."""
    width = max(1, len(values) // PARTS)
    sound = np.where(np.isfinite(values), values, values[np.isfinite(values)].max())
    means = np.convolve(sound, np.full(width, 1 / width), "valid")
    return int(means.argmin()) + width // 2, float(means.min())


def _raise(rates: list[Rate], steps: NDArray[np.int64], best: int, end: int) -> tuple[float, float]:
    """The typical rate up to a loss, and the highest from there to another, of the group that was raised most."""
    before = [float(np.median(rate.at(steps[: best + 1]))) for rate in rates]
    after = [float(rate.at(steps[best:end]).max()) for rate in rates]
    return max(zip(before, after, strict=True), key=lambda pair: pair[1] / pair[0] if pair[0] > 0 else 0.0)
