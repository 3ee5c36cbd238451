"""Slices of the loss around the point where a model is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from undertow.errors import LandscapeError
from undertow.landscape.directions import gradient, random, sharpest, weights
from undertow.landscape.evaluate import Way, fastest
from undertow.landscape.interpolate import Interpolation, interpolated, points_of, sampled
from undertow.landscape.measure import Work, measured
from undertow.landscape.normalise import Normalisation, normalised
from undertow.landscape.plane import Plane
from undertow.landscape.problem import Problem, Statistics
from undertow.landscape.slice import Slice
from undertow.preflight.untouched import same_chance

__all__ = ["Evaluation", "Grid", "landscape"]

Floats = NDArray[np.float64]
Direction = str | Mapping[str, Tensor]
NAMED = ("random", "gradient", "sharpest")


@dataclass(frozen=True, slots=True)
class Grid:
    """The points of a slice, the same along each axis.

    Attributes:
        low: The first coordinate; 1 is one length of the direction, so with filter normalisation one of the weights.
        high: The last coordinate.
        points: How many along each axis. An odd number about 0 has the model's own point in it.
    """

    low: float = -1.0
    high: float = 1.0
    points: int = 25

    def axis(self) -> Floats:
        """Its coordinates."""
        return np.linspace(self.low, self.high, self.points)


@dataclass(frozen=True)
class Evaluation:
    """What a slice means, and how it is measured.

    Attributes:
        normalise: How directions given by name are scaled (see `normalised`). Directions given as tensors are not.
        statistics: What batch normalisation divides by: "stored", running statistics as they stand; "batch", those
            of each batch at each point; "recomputed", those of all the data, gathered anew at each point.
        seed: Of random directions.
        work: Where and how the points are evaluated.
        tolerance: Measure only as many points as a polynomial needs to come this near, relative to the loss, at every
            point, as points held out tell with 95 % confidence; None to measure every point (see `interpolated`).
    """

    normalise: Normalisation = "filter"
    statistics: Statistics = "stored"
    seed: int = 0
    work: Work = field(default_factory=Work)
    tolerance: float | None = None

    def __post_init__(self) -> None:
        if self.tolerance is not None and self.work.file is not None:
            raise LandscapeError(
                "a slice that is interpolated is not kept in a file\n"
                "  Which points it needs shows only as it goes. Leave out the tolerance or the file."
            )


def landscape(
    model: nn.Module,
    loss_fn: Callable[[Any, Any], Tensor],
    batch: Any,
    directions: Sequence[Direction] = ("random", "random"),
    grid: Grid | Sequence[Grid] | None = None,
    how: Evaluation | None = None,
) -> Slice:
    """The loss around the point where a model is, along one or two directions.

    A slice shows two of millions of directions: a bowl in it proves no minimum, a ridge in it proves a ridge.
    The model is copied, and never written to; random numbers go on afterwards as if none had been drawn, also if this
    raises.

    Args:
        model: Taken in evaluation mode, so without dropout.
        loss_fn: Called with the model's output and the targets; with output and batch where the batch is a mapping.
            What else it reads of the model (its weights, for a decay) is not moved.
        batch: A pair of inputs and targets, a mapping, or a list of such, over which the mean is taken.
        directions: One or two of "random", "gradient" (uphill), "sharpest" (the Hessian's eigenvector of the largest
            eigenvalue; given twice, the second too), or tensors by name as `undertow.landscape.difference` and
            `principal` give.
        grid: Which points, for each axis or for both; 25 from -1 to 1 if left out.
        how: Normalisation, batch statistics, seed, and where the work is done.

    Raises:
        LandscapeError: A direction does not fit, there are not one or two, or the file holds another slice.

    Source:
        Li et al. 2018, arXiv:1712.09913.
    """
    how, grid = how or Evaluation(), grid or Grid()
    if isinstance(directions, str) or not 1 <= len(directions) <= 2:
        raise LandscapeError(f"a slice has one or two directions, in a tuple, not {directions!r}")
    problem = Problem.of(model, loss_fn, batch, how.statistics)
    with same_chance():
        found = tuple(_directions(problem, directions, how))
    plane = Plane(weights(model), found)
    grids = (grid,) * len(found) if isinstance(grid, Grid) else tuple(grid)
    axes = tuple(one.axis() for one in grids)
    if len(axes) != len(found):
        raise LandscapeError(f"{len(axes)} grids for {len(found)} directions")
    losses, way, smooth = _measured(problem, plane, axes, how)
    names = tuple(name if isinstance(name, str) else "given" for name in directions)
    return Slice(axes, losses, names, _settings(problem, how), plane, way, smooth)


def _measured(
    problem: Problem, plane: Plane, axes: tuple[Floats, ...], how: Evaluation
) -> tuple[Floats, Way, Interpolation | None]:
    """The losses on a grid, the way they were measured, and how interpolated."""
    smooth = None if how.tolerance is None else _interpolated(problem, plane, axes, how.tolerance, how.work)
    if smooth is not None:
        return smooth
    losses, way = measured(problem, plane, points_of(axes), how.work)
    return losses.reshape([len(axis) for axis in axes]), way, None


def _interpolated(
    problem: Problem, plane: Plane, axes: tuple[Floats, ...], tolerance: float, work: Work
) -> tuple[Floats, Way, Interpolation] | None:
    with same_chance():
        way = Way(work.stacked) if work.stacked is not None else fastest(problem, plane, sampled(axes))
    found = interpolated(lambda some: measured(problem, plane, some, work, way)[0], axes, tolerance)
    return None if found is None else (found[0], way, found[1])


def _directions(problem: Problem, asked: Sequence[Direction], how: Evaluation) -> list[Mapping[str, Tensor]]:
    """The directions asked for, those by name made and scaled."""
    here = weights(problem.model)
    sharp = sharpest(problem, asked.count("sharpest")) if "sharpest" in asked else []
    found: list[Mapping[str, Tensor]] = []
    for number, name in enumerate(asked):
        if not isinstance(name, str):
            found.append(name)
        elif name not in NAMED:
            raise LandscapeError(
                f"there is no direction {name!r}\n  There are {', '.join(NAMED)}, and tensors by name."
            )
        elif name == "random":
            found.append(normalised(random(problem.model, 2 * how.seed + number), here, how.normalise))
        else:
            made = gradient(problem) if name == "gradient" else sharp.pop(0)
            found.append(normalised(made, here, how.normalise))
    return found


def _settings(problem: Problem, how: Evaluation) -> dict[str, str]:
    batches = len(problem.batches)
    return {
        "model": type(problem.model).__name__,
        "data": "one batch" if batches == 1 else f"{batches} batches",
        "normalisation": how.normalise,
        "batch statistics": how.statistics,
    }
