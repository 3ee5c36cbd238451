"""How a loss of numbers measures distances, and what the best constant answer would lose."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["alone"]

Numbers = NDArray[np.float64]


def _smooth(bend: float) -> Callable[[Numbers], Numbers]:
    """Half the square up to the bend, and a line from there on."""
    return lambda d: np.where(np.abs(d) < bend, d**2 / 2, bend * (np.abs(d) - bend / 2))


def _smooth_l1(node: Any) -> Callable[[Numbers], Numbers]:
    bend = node._saved_beta
    return (lambda d: _smooth(bend)(d) / bend) if bend > 0 else np.abs


DISTANCES: dict[str, Callable[[Any], Callable[[Numbers], Numbers] | None]] = {
    "AbsBackward0": lambda _: np.abs,
    "HuberLossBackward0": lambda node: _smooth(node._saved_delta),
    "MseLossBackward0": lambda _: np.square,
    "MulBackward0": lambda _: np.square,
    "PowBackward0": lambda node: np.square if node._saved_exponent == 2 else None,
    "SmoothL1LossBackward0": _smooth_l1,
}
"""What an operation makes of a difference; `None` where it is no distance in use."""


def alone(targets: Numbers, rows: int, node: Any) -> float:
    """The mean loss over a batch of the best answer that is the same for all of it; `nan` where that is not known.

    Args:
        targets: Those looked at, one or more rows. A constant fitted to some of the rows is nearer to them than to the
            others: differences are taken larger, which makes a mean of squares right on the average.
        rows: How many rows the batch has.
        node: What compares them.
    """
    seen = len(targets) if targets.ndim else 1
    measure = DISTANCES[type(node).__name__](node) if type(node).__name__ in DISTANCES else None
    if not targets.size or measure is None:
        return math.nan
    values = np.atleast_1d(targets)
    centre = values.mean(0) if measure is np.square else np.median(values, axis=0)
    larger = math.sqrt(seen / (seen - 1) * (rows - 1) / rows) if 1 < seen < rows else 1.0
    return float(measure((values - centre) * larger).mean())
