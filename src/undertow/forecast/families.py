"""The families of curves that a loss is taken to follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FAMILIES", "Curve", "Family"]

Floats = NDArray[np.float64]
Curve = Callable[[Floats], Floats]
"""Takes times and gives the fitted loss at them."""

ROUNDS = 4
"""Fits in which points far off the last one count less (iteratively reweighted least squares)."""

FAR = 2.0
"""Misfits beyond this many errors count by their size and not by its square (Huber 1964)."""


@dataclass(frozen=True)
class Family:
    """Curves `floor + fall · shape(time, bend)`, with time 1 at the present.

    Given the bend, floor and fall are a linear fit, so that the best of all is found by trying every bend.

    Attributes:
        shape: The curve without floor and fall, for times along the last dimension.
        bends: The bends that are tried, one row each.
        floor: Whether there is one; else it is 0.
        since: Only points from this time on are fitted.
    """

    name: str
    shape: Callable[[Floats, Floats], Floats]
    bends: Floats
    floor: bool = True
    since: float = 0.0

    def fit(self, time: Floats, level: Floats, error: Floats, positive: bool) -> Curve:
        """The curve of this family nearest to the points, in units of their errors.

        Where losses are positive, so is the floor.
        """
        kept = time >= self.since
        level, error = level[kept], error[kept]
        shapes = self._shapes(time[kept])
        trust = np.ones_like(level)
        for _ in range(ROUNDS):
            floors, falls = self._solved(shapes, level, trust / error**2, positive)
            misfits = np.abs(floors[:, None] + falls[:, None] * shapes - level) / error
            best = int(np.argmin(_huber(misfits).sum(1)))
            trust = FAR / np.maximum(misfits[best], FAR)
        floor, fall, bend = floors[best], falls[best], self.bends[best]
        return lambda at: floor + fall * self.shape(at, bend)

    def _shapes(self, time: Floats) -> Floats:
        return np.stack([self.shape(time, bend) for bend in self.bends])

    def _solved(self, shapes: Floats, level: Floats, weight: Floats, positive: bool) -> tuple[Floats, Floats]:
        """Floor and fall for each bend, by weighted least squares."""
        through_zero = (shapes @ (weight * level)) / (shapes**2 @ weight)
        if not self.floor:
            return np.zeros_like(through_zero), through_zero
        mean = shapes @ weight / weight.sum()
        centred = shapes - mean[:, None]
        falls = centred @ (weight * level) / np.maximum(centred**2 @ weight, 1e-300)
        floors = weight @ level / weight.sum() - falls * mean
        held = positive & (floors < 0)
        return np.where(held, 0.0, floors), np.where(held, through_zero, falls)


def _huber(misfit: Floats) -> Floats:
    return np.where(misfit < FAR, misfit**2, FAR * (2 * misfit - FAR))


def _grid(*axes: Floats) -> Floats:
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))


FAMILIES = (
    Family(
        "power law",
        lambda time, bend: (time + bend[0]) ** -bend[1],
        _grid(np.geomspace(1e-3, 3, 8), np.geomspace(0.05, 4, 14)),
    ),
    Family("exponential", lambda time, bend: np.exp(-bend[0] * time), _grid(np.geomspace(0.02, 100, 40))),
    Family("trend", lambda time, bend: time ** -bend[0], _grid(np.linspace(-1, 3, 41)), floor=False, since=0.5),
    Family("level", lambda time, _: np.ones_like(time), np.zeros((1, 1)), floor=False, since=0.5),
)
"""Power laws with a floor (Hestness et al. 2017, arXiv:1712.00409), exponentials with a floor, the latest trend going
on, and no change."""
