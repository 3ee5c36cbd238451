"""Grids wide enough for a trajectory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor, nn

from undertow.landscape.directions import weights
from undertow.landscape.landscape import Grid
from undertow.landscape.plane import Plane

__all__ = ["spanning"]

ROOM = 0.25
"""What is left free on each side, as a share of the longer extent."""


def spanning(
    model: nn.Module,
    directions: Sequence[Mapping[str, Tensor]],
    checkpoints: Sequence[Mapping[str, Tensor]],
    points: int = 41,
) -> list[Grid]:
    """A grid for each direction that has all checkpoints, and the model itself, in it with room about them."""
    plane = Plane(weights(model), tuple(directions))
    places = np.array([[0.0] * len(directions), *(plane.project(checkpoint)[0] for checkpoint in checkpoints)])
    low, high = places.min(0), places.max(0)
    room = ROOM * float((high - low).max()) or 1.0
    return [Grid(float(start) - room, float(end) + room, points) for start, end in zip(low, high, strict=True)]
