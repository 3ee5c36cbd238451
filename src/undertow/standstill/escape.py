"""A way down that no gradient shows: along the direction in which the loss curves down most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from undertow.curvature import Eigenpair
from undertow.linear.space import arranged
from undertow.standstill.training import Training

__all__ = ["Escape", "escape"]

LENGTHS = tuple(2.0**-n for n in range(0, 15, 2))
"""Of steps that are tried along a direction, in norms of all weights together."""


@dataclass(frozen=True)
class Escape:
    """The best single step along the direction of most negative curvature.

    Attributes:
        direction: Of norm 1, a tensor a parameter, pointing the better way.
        length: How far the step goes.
        fall: By how much the loss falls with it.
        downhill: By how much it falls with the best step straight downhill that goes no farther.
        looks: By how much it falls with each step that was tried: its length along the direction, below 0 backward.
    """

    direction: Sequence[Tensor] = field(repr=False)
    length: float
    fall: float
    downhill: float
    looks: Sequence[tuple[float, float]] = field(repr=False)

    @property
    def by_curvature(self) -> bool:
        """Whether it is the curvature that brings the loss down, and not the gradient."""
        return self.fall > 2 * max(self.downhill, 0.0)


def escape(training: Training, lowest: Eigenpair, gradient: Sequence[Tensor]) -> Escape | None:
    """The best step along an eigenvector, either way; `None` where none brings the loss down."""
    vector, _ = arranged(lowest.vector)
    scale = _norm([parameter.detach() for parameter in training.parameters.values()]) or 1.0
    lengths = [scale * length for length in LENGTHS]
    signs = {1: vector, -1: [-part for part in vector]}
    here = training.loss()
    falls = {
        (sign, length): here - training.loss_along(way, length) for sign, way in signs.items() for length in lengths
    }
    sign, length = max(falls, key=lambda step: falls[step])
    fall = falls[sign, length]
    if not fall > training.resolution:
        return None
    size = _norm(gradient)
    shorter = [short for short in lengths if short <= length] if size else []
    straight = [here - training.loss_along(gradient, -short / size) for short in shorter]
    looks = sorted((sign * way * length, seen) for (way, length), seen in falls.items())
    return Escape(signs[sign], length, fall, max(straight, default=0.0), looks)


def _norm(tensors: Sequence[Tensor]) -> float:
    return math.hypot(*(float(tensor.double().norm()) for tensor in tensors))
