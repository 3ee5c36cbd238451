"""Steps that keep what the slope promises, and are too short to get there."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from undertow.diagnose.case import Case
from undertow.diagnose.outcome import jitter
from undertow.diagnose.table import Found

__all__ = ["promises_kept"]

KEPT = 0.8
"""Of what a step promises: it loses ηλ/2 of it to the curvature along the gradient, so the rate is at most a fifth of
the one, 2/λ, at which it would gain nothing."""

BLOCKS = 6
"""Means that the last two thirds of the run are made into."""

DEVIATIONS = 3
"""Standard errors by which the loss must have fallen."""


def promises_kept(case: Case, rates: Sequence[float]) -> Found:
    """A loss that has not come below chance and falls by what its steps promise, too slowly to get there soon."""
    constant = min(rates) >= max(rates) / 2
    if case.scale_free or not constant or case.outcome.kind != "stalled" or not case.outcome.chance > 0:
        return
    values = case.losses()
    late = values[len(values) // 3 :]
    if len(late) < 10 * BLOCKS or not np.isfinite(late).all():
        return
    means = [float(block.mean()) for block in np.array_split(late, BLOCKS)]
    error = float(jitter(late)) * math.sqrt(2 * BLOCKS / len(late))
    fell, promised = means[0] - means[-1], case.brought(1 / 3) * (BLOCKS - 1) / BLOCKS
    if not (fell > DEVIATIONS * error and KEPT * promised <= fell and promised > 0):
        return
    yield {
        "story": f"the loss is at {case.outcome.last:.3g}, where guessing gives {case.outcome.chance:.3g}, and still "
        f"falls: by {fell:.2g} over the last two thirds of {case.outcome.steps} steps, {fell / promised:.0%} of what "
        "the slope promised them, so they are far too short to feel the curvature",
        "share": fell / case.outcome.first,
        "moved": case.moved(1 / 3),
        "rate": rates[0],
        "last_rate": rates[-1],
        "remedy": f"Raise the learning rate (it is {rates[0]:g}) five-fold, and again as long as the loss falls "
        "faster; momentum or Adam help across a plateau.",
        "harm": 0.6,
    }
