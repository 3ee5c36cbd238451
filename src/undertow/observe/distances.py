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


def alone(targets: Numbers, node: Any) -> float:
    """The mean loss over these targets of the best answer that is the same for all; `nan` where that is not known.

    A constant fitted to n targets is nearer to them than to those that are to come: differences are taken larger by
    √(n / (n - 1)), which makes a mean of squares unbiased, and one of absolute values of normal numbers.
    """
    rows = len(targets) if targets.ndim else 0
    measure = DISTANCES[type(node).__name__](node) if type(node).__name__ in DISTANCES else None
    if rows < 2 or measure is None:
        return math.nan
    centre = targets.mean(0) if measure is np.square else np.median(targets, axis=0)
    return float(measure((targets - centre) * math.sqrt(rows / (rows - 1))).mean())
