"""Where a loss is heading when a run ends."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from undertow.diagnose.line import line

__all__ = ["heading"]

BLOCKS = 6
"""Means that half a run is made into: few, so that noise which lasts for a while has changed from one to the next."""


def heading(values: NDArray[np.float64]) -> tuple[float, float]:
    """Where a loss would be after as many steps again if it went on as it does, and the standard error of that.

    A line through the means of six blocks of the second half of the run, carried on. The error is that of the line, by
    how the means scatter about it: means of blocks allow for noise that is alike from one step to the next.

    Args:
        values: Losses, finite, in order. Of fewer than 6, both are `nan`.

    Source:
        Batch means: Conway 1963, doi:10.1287/mnsc.10.1.47.
    """
    count = min(BLOCKS, len(values) // 2)
    if count < 3:
        return math.nan, math.nan
    means = np.array([block.mean() for block in np.array_split(values[len(values) // 2 :], count)])
    fitted = line(means)
    then = 2.5 * count  # from the middle of the second half to its end, and the run's length more
    return fitted.middle + fitted.slope * then, fitted.error_at(then)
