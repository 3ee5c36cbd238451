"""How far the optimizer's first step goes, on the scale of the loss of its own batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Reach", "promised"]


@dataclass(frozen=True, slots=True)
class Reach:
    """A step Δw, and the loss of the same batch before and after it.

    Attributes:
        before, after: That loss.
        promised: What the gradient promised of it: -⟨gradient, Δw⟩, a fall where it is above 0.
    """

    before: float
    after: float
    promised: float

    @property
    def best(self) -> float:
        """How many times this step would bring the loss down farthest, by the parabola through what is known.

        Below 1/2, the step climbs; `inf` where the loss fell by at least what was promised.
        """
        bent = self.after - self.before + self.promised
        if not math.isfinite(bent):
            return 0.0
        return self.promised / (2 * bent) if bent > 0 else math.inf


def promised(parameters: Sequence[Tensor], weights: Sequence[Tensor]) -> float:
    """By how much the loss falls, to first order, from `weights` to where the parameters are, by their `.grad`."""
    fall = 0.0
    for parameter, weight in zip(parameters, weights, strict=True):
        if parameter.grad is not None and not parameter.grad.is_sparse:
            moved = (parameter.detach() - weight).flatten()
            fall -= float(torch.dot(moved.double(), parameter.grad.flatten().double()))
    return fall
