"""The straight path between two solutions, and how high the loss rises on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from undertow.landscape.directions import difference
from undertow.landscape.evaluate import Way
from undertow.landscape.landscape import Evaluation, Grid
from undertow.landscape.measure import measured
from undertow.landscape.plane import Plane
from undertow.landscape.problem import Problem
from undertow.shown import Shown

__all__ = ["Barrier", "barrier"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Barrier(Shown):
    """The loss on the straight path between two solutions.

    Attributes:
        positions: From 0, the first solution, to 1, the second.
        losses: The loss at each.
        statistics: What batch normalisation divided by on the way.
        way: How the points were evaluated.
    """

    positions: Floats
    losses: Floats
    statistics: str
    way: Way

    @property
    def rises(self) -> Floats:
        """At each position, how far the loss is above the straight line between the losses of the two ends."""
        between: Floats = self.losses[0] + self.positions * (self.losses[-1] - self.losses[0])
        return np.subtract(self.losses, between)

    @property
    def height(self) -> float:
        """The greatest rise at a position measured: at least 0, and at most a little less than the true one.

        Source:
            Frankle, Dziugaite, Roy & Carbin 2020, arXiv:1912.05671, above the line between the ends as in Entezari,
            Sedghi, Saukh & Neyshabur 2022, arXiv:2110.06296.
        """
        return float(self.rises.max())

    @property
    def top(self) -> float:
        """The position of the greatest rise."""
        return float(self.positions[self.rises.argmax()])

    def __repr__(self) -> str:
        return f"Barrier({self.height:.4g} high at {self.top:.2f}, {len(self.positions)} points)"


def barrier(
    model: nn.Module,
    loss_fn: Callable[[Any, Any], Tensor],
    batch: Any,
    ends: tuple[Mapping[str, Tensor], Mapping[str, Tensor]],
    points: int = 25,
    how: Evaluation | None = None,
) -> Barrier:
    """The loss on the straight path between two solutions of one architecture, and the height of the barrier.

    With the statistics "recomputed" (here the default), batch normalisation's are gathered anew at each point from
    all the data given; at a mean of two networks neither's fit, and a barrier is seen that is none (Jordan et al.
    2023, arXiv:2211.08403). With "stored" they are mixed as the weights are.

    Args:
        model: Of the architecture; its own weights do not matter, and are as they were afterwards.
        loss_fn: As in `landscape`.
        batch: A batch or a list of batches, as in `landscape`.
        ends: The state dicts of both solutions.
        points: How many positions, the ends among them.
        how: Statistics and work; the normalisation does not matter.

    Raises:
        LandscapeError: An end is of another architecture.
    """
    how = how or Evaluation(statistics="recomputed")
    problem = Problem.of(model, loss_fn, batch, how.statistics)
    named = (*model.named_parameters(), *model.named_buffers())  # each tied weight once
    kept = model.state_dict().keys()
    moved = {name: t.detach() for name, t in named if name in kept and t.is_floating_point()}
    difference(moved, ends[0])  # refuses what does not fit
    start = {name: ends[0][name].detach().to(tensor).clone() for name, tensor in moved.items()}
    plane = Plane(start, (difference(start, ends[1]),))
    positions = Grid(0.0, 1.0, points).axis()
    losses, way = measured(problem, plane, positions[:, None], how.work)
    return Barrier(positions, losses, how.statistics, way)
