"""What optimizer steps did to the weights, as it is kept."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

__all__ = ["PAIR_COLUMNS", "UPDATE_COLUMNS", "Pair", "Updates"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Updates:
    """What one optimizer step did, for each parameter of the run's table; `nan` where it was not measured.

    Attributes:
        step: Optimizer steps made before it.
        weight: Norm of the parameter before the step.
        gradient: Norm of `.grad` as the optimizer found it.
        update: Norm of the change, as it was really made.
        lost: Share of entries that a gradient asked to move and that stayed bitwise the same.
        carried: Norm of `.grad` before this step's first backward pass: above 0, it was not zeroed.
        silent: Share of entries whose gradient was exactly zero.
        rate: Learning rate in force.
        decay: Weight decay in force.
        angle: Between the change and the way straight downhill, in radians: above π/2 the step climbed.
        turn: Between the gradient and that of the update measured before this one, in radians.
    """

    step: int
    weight: Floats
    gradient: Floats
    update: Floats
    lost: Floats
    carried: Floats
    silent: Floats
    rate: Floats
    decay: Floats
    angle: Floats
    turn: Floats

    @property
    def fall(self) -> float:
        """By how much the step brought down the loss of its own batch, to first order; below 0 it climbed."""
        return float(np.nansum(self.update * self.gradient * np.cos(self.angle)))


UPDATE_COLUMNS = tuple(column.name for column in fields(Updates) if column.name != "step")
"""What is measured of each parameter at a step, in the order it is stored in."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The gradients of a step and of the next, for each parameter of the run's table; `nan` where it had not both.

    Attributes:
        step: Optimizer steps made before the first of them.
        before: Norm of `.grad` as the optimizer found it at this step.
        after: The same at the next.
        turn: Between the two, in radians.
    """

    step: int
    before: Floats
    after: Floats
    turn: Floats


PAIR_COLUMNS = tuple(column.name for column in fields(Pair) if column.name != "step")
"""The same of a pair."""
