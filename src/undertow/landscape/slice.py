"""A slice of the loss: its numbers, where they were taken, and where a trajectory lies in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from undertow.landscape.evaluate import Way
from undertow.landscape.interpolate import Interpolation
from undertow.landscape.plane import Plane
from undertow.shown import Shown

__all__ = ["Slice", "Track"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Track:
    """Points of a trajectory, each projected onto a slice.

    Attributes:
        coordinates: (points, axes).
        outside: For each, its distance to the slice over its distance to the centre: near 1, the slice shows little
            of where it was, and the loss drawn beneath it is not its loss.
    """

    coordinates: Floats
    outside: Floats


@dataclass(frozen=True)
class Slice(Shown):
    """The loss on a grid along one or two directions about a point.

    Attributes:
        axes: The coordinates of the grid along each direction, 0 where the model is.
        losses: The loss at each point of the grid, (first axis,) or (first axis, second axis).
        names: What each direction is.
        settings: What else it depends on, in words: data, normalisation, statistics.
        plane: The point and the directions themselves.
        way: How the points were evaluated.
        interpolation: How it was interpolated, and the error of that; None where every point was measured.
    """

    axes: tuple[Floats, ...]
    losses: Floats
    names: tuple[str, ...]
    settings: Mapping[str, str]
    plane: Plane
    way: Way
    interpolation: Interpolation | None = None

    @property
    def minimum(self) -> tuple[tuple[float, ...], float]:
        """Where on the grid the loss is least, and that loss. The least of this slice, not of the model.

        Raises:
            ValueError: No loss of the slice is a number.
        """
        place = np.unravel_index(np.nanargmin(self.losses), self.losses.shape)
        where = tuple(float(axis[i]) for axis, i in zip(self.axes, place, strict=True))
        return where, float(self.losses[place])

    def track(self, checkpoints: Sequence[Mapping[str, Tensor]]) -> Track:
        """Checkpoints (state dicts, in the order of the run) projected onto this slice."""
        found = [self.plane.project(checkpoint) for checkpoint in checkpoints]
        return Track(np.array([c for c, _ in found]).reshape(-1, len(self.axes)), np.array([o for _, o in found]))

    def __repr__(self) -> str:
        grid = " × ".join(str(len(axis)) for axis in self.axes)
        return f"Slice({grid} along {', '.join(self.names)}: {self.losses.min():.4g} to {self.losses.max():.4g})"
