"""The loss at many points: one after the other, or many in one vectorised pass, whichever measures faster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call

from undertow.engine.batched import falling_back
from undertow.landscape.plane import Plane
from undertow.landscape.problem import Problem, normalisations

__all__ = ["Way", "evaluated", "fastest"]

Floats = NDArray[np.float64]

TRIED = (8, 32, 128)
"""How many points are tried in one pass. More are tried only while more make it faster."""

SHARE = 0.1
"""Trying may take this share of the points, at most: a pass to warm up and one to time."""


@dataclass(frozen=True, slots=True)
class Way:
    """How points are evaluated.

    Attributes:
        stacked: How many points go through the model in one vectorised pass; 1 for one after the other.
        seconds: What a point took when this was chosen; NaN where it was given.
    """

    stacked: int
    seconds: float = float("nan")

    def __str__(self) -> str:
        return "one point at a time" if self.stacked == 1 else f"{self.stacked} points in one pass"


def evaluated(problem: Problem, plane: Plane, coordinates: Floats, way: Way) -> Floats:
    """The loss at each row of coordinates.

    The two ways agree up to rounding: a product over a stack of points may add up in another order.
    """
    run = _one_by_one if way.stacked == 1 else _stacked
    with torch.no_grad():
        return np.concatenate([*run(problem, plane, coordinates, way.stacked)])


def fastest(problem: Problem, plane: Plane, coordinates: Floats) -> Way:
    """The way in which a point of these takes least time, by trying a few of them."""
    with torch.no_grad():
        best = Way(1, _timed(_one_by_one, problem, plane, coordinates[:4], 1))
        if problem.statistics == "recomputed" and normalisations(problem.model):
            return best
        for stacked in TRIED:
            if 2 * stacked > SHARE * len(coordinates):
                break
            try:
                seconds = _timed(_stacked, problem, plane, coordinates[: 2 * stacked], stacked)
            except RuntimeError:  # something in this model cannot be vectorised: values read, tensors written in place
                break
            if seconds >= best.seconds:
                break
            best = Way(stacked, seconds)
    return best


Run = Callable[[Problem, Plane, Floats, int], Iterator[Floats]]


def _timed(run: Run, problem: Problem, plane: Plane, coordinates: Floats, stacked: int) -> float:
    """Seconds a point, once everything is made ready and warm by the first pass."""
    passes = run(problem, plane, coordinates, stacked)
    next(passes, None)
    begun, timed = time.perf_counter(), sum(len(losses) for losses in passes)
    return (time.perf_counter() - begun) / timed if timed else float("inf")


def _one_by_one(problem: Problem, plane: Plane, coordinates: Floats, _: int) -> Iterator[Floats]:
    model = problem.prepared().requires_grad_(False)
    write = plane.writer(model)
    for point in coordinates.tolist():
        write(point)
        problem.gathered(model)
        yield np.array([problem.loss(model).item()])


def _stacked(problem: Problem, plane: Plane, coordinates: Floats, stacked: int) -> Iterator[Floats]:
    model = problem.prepared().requires_grad_(False)

    def at(point: Tensor) -> Tensor:
        moved = plane.at(point)
        return problem.loss(lambda *inputs, **named: functional_call(model, moved, inputs, named))

    like = next(iter(plane.centre.values()))
    points = torch.as_tensor(coordinates, dtype=torch.float64).to(like.device)
    with falling_back():
        for some in points.split(stacked):
            yield torch.vmap(at)(some).double().cpu().numpy()
