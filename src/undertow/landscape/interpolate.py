"""A smooth slice from fewer points: a polynomial through Chebyshev points, held against points left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Interpolation", "interpolated", "points_of", "sampled"]

Floats = NDArray[np.float64]

ORDERS = (8, 16, 24, 32)
"""Degrees tried along each axis. Those that divide one another share points."""

HELD_OUT = 24
"""Grid points measured to compare with; with a higher degree than the first, twice as many."""

DOUBT = 0.05
"""That some grid point is off by more than is said, if errors are spread like those of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Interpolation:
    """How a slice was interpolated.

    Attributes:
        order: The degree of the polynomial along each axis.
        measured: How many points were measured in all.
        error: The greatest relative error of all grid points, by those of the points held out: with a confidence of
            95 %, where errors are spread as in a normal distribution.
    """

    order: int
    measured: int
    error: float


Measure = Callable[[Floats], Floats]


def interpolated(measure: Measure, axes: tuple[Floats, ...], tolerance: float) -> tuple[Floats, Interpolation] | None:
    """The loss on a grid, to a relative tolerance at each point, as far as tells; None where that would not pay.

    The degree is raised until the tolerance is kept. Networks with smooth activations are analytic along a slice, so
    the error falls geometrically with the degree (Trefethen 2013, Approximation Theory and Approximation Practice,
    chapter 8). Kinks of rectifiers make it fall slowly. As soon as no further degree would do even if it fell
    geometrically, or would take more than half of the points, this ends.
    """
    grid = points_of(axes)
    drawn = np.random.default_rng(0).permutation(len(grid))
    known: dict[tuple[float, ...], float] = {}
    held = np.empty(0)
    errors: dict[int, float] = {}
    order: int | None = ORDERS[0]
    while order is not None:
        nodes = tuple(_nodes(axis, order) for axis in axes)
        new = np.array([point for point in points_of(nodes) if tuple(point) not in known])
        chosen = drawn[: HELD_OUT if order == ORDERS[0] else 2 * HELD_OUT]
        if 2 * (len(known) + len(new) + len(chosen)) > len(grid):
            break
        values = measure(np.concatenate([grid[chosen[len(held) :]], new]))  # at once: making ready takes its time
        more = len(chosen) - len(held)
        held = np.concatenate([held, values[:more]])
        known |= dict(zip(map(tuple, new), values[more:].tolist(), strict=True))
        found = _through(known, nodes, axes)
        errors[order] = _greatest(found, chosen, held)
        if errors[order] <= tolerance:
            found.reshape(-1)[chosen] = held
            return found, Interpolation(order, len(known) + len(chosen), errors[order])
        if order == ORDERS[0]:
            half = tuple(_nodes(axis, order // 2) for axis in axes)
            errors = {order // 2: _greatest(_through(known, half, axes), chosen, held)} | errors
        order = _next(errors, tolerance)
    return None


def _next(errors: Mapping[int, float], tolerance: float) -> int | None:
    """The lowest degree, up to the double, that would do if the error went on to fall as it fell by the last."""
    (before, worse), (last, error) = [*errors.items()][-2:]
    falls = error / worse if worse else math.inf
    further = [n for n in ORDERS if last < n <= 2 * last]
    return next((n for n in further if error * falls ** ((n - last) / (last - before)) <= tolerance), None)


def _through(known: Mapping[tuple[float, ...], float], nodes: tuple[Floats, ...], axes: tuple[Floats, ...]) -> Floats:
    """The polynomial through known values at nodes, on a grid."""
    values = np.array([known[tuple(point)] for point in points_of(nodes)])
    return _polynomial(values.reshape([len(some) for some in nodes]), nodes, axes)


def _greatest(found: Floats, chosen: NDArray[np.int64], held: Floats) -> float:
    """The greatest relative error of all points, by those held out; infinite where one is not a number.

    Their root mean square is the spread; so many times it is exceeded by one of all points with a chance of `DOUBT`, by
    Student's distribution and Bonferroni's bound.
    """
    from scipy.special import stdtrit  # late: see undertow.noise.estimate

    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        off = np.nan_to_num(np.abs(found.reshape(-1)[chosen] / held - 1), nan=np.inf)
        times = float(stdtrit(len(chosen), 1 - DOUBT / (2 * found.size)))
        return max(times * float(np.sqrt(np.square(off).mean())), float(off.max()))


def points_of(axes: tuple[Floats, ...]) -> Floats:
    """All points of a grid, one a row, the last axis fastest."""
    return np.stack([axis.reshape(-1) for axis in np.meshgrid(*axes, indexing="ij")], 1)


def sampled(axes: tuple[Floats, ...]) -> Floats:
    """Points of a grid, about as many as an interpolation takes."""
    grid = points_of(axes)
    most: int = (ORDERS[1] + 1) ** len(axes)
    return grid[:: -(-len(grid) // most)]


def _nodes(axis: Floats, order: int) -> Floats:
    """Chebyshev points of the second kind, exact in the same way at each order so that they are found again."""
    places: Floats = np.cos(np.pi * (np.arange(order + 1) / order))
    low, high = float(axis.min()), float(axis.max())
    return np.add(np.multiply(places, (high - low) / 2), (high + low) / 2)


def _polynomial(values: Floats, nodes: tuple[Floats, ...], axes: tuple[Floats, ...]) -> Floats:
    """The polynomial through values at nodes, on a grid."""
    for number, (through, axis) in enumerate(zip(nodes, axes, strict=True)):
        values = np.moveaxis(np.tensordot(_weights(through, axis), values, (1, number)), 0, number)
    return values


def _weights(nodes: Floats, at: Floats) -> Floats:
    """What each node's value counts at each point: barycentric (Berrut & Trefethen 2004, SIAM Review 46(3))."""
    signs = np.where(np.arange(len(nodes)) % 2, -1.0, 1.0)
    signs[[0, -1]] /= 2
    away = at[:, None] - nodes
    met = np.isclose(away, 0, atol=1e-14 * np.ptp(nodes))
    terms = signs / np.where(met, 1, away)
    hit = met.any(1, keepdims=True)
    return np.where(hit, met, terms / terms.sum(1, keepdims=True))
