"""Targets that a network makes itself, and that leave with it."""

from __future__ import annotations

import math

import numpy as np

from undertow.diagnose.chance import chance_loss
from undertow.store import Losses, Pass

__all__ = ["chance_of_runaway"]

PARTS = 20

GROWN = 100.0
"""Times its first value that a loss has come to: errors ten times as large as at the start."""


def chance_of_runaway(losses: Losses, passes: list[Pass], loss: str) -> float:
    """What guessing would cost at the end of a run whose targets have run away; `nan` where they have not.

    Pooled over the run, such targets differ so much that any loss is small beside them. They are taken to have run
    away where the loss rises to the last, each twentieth of the last quarter above all before, to a hundred times its
    first value and more, and is more than twice what one answer to all of its own batch would cost, in each batch seen
    of the second half. Values that rise and settle, as those of a discounted sum do, fail one or the other.
    """
    values = losses.values
    whole = len(values) // PARTS * PARTS
    means = values[:whole].reshape(PARTS, -1).mean(1) if len(values) >= 2 * PARTS else np.empty(0)
    if not np.isfinite(means).all() or not _rises(means):
        return math.nan
    late = [p for p in passes if p.step >= losses.steps[len(values) // 2] and p.target is not None]
    chances = [chance_loss([p.target], loss) for p in late if p.target is not None]
    behind = [p.loss > 2 * chance for p, chance in zip(late, chances, strict=True)]
    return float(np.mean(chances)) if behind and all(behind) else math.nan


def _rises(means: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bool:
    if not len(means):
        return False
    records = means[1:] > np.maximum.accumulate(means)[:-1]
    return bool(records[-PARTS // 4 :].all() and means[-1] > GROWN * abs(means[0]))
